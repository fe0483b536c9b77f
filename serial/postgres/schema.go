package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-574216e4/meterai/serial"
)

const (
	schemaVersion = 1
	programName   = "meterai ledger"
)

// migrations are the steps from each version of the schema to the next; the first makes it. A step that was released is
// never changed. The constraints are a second guard: what package serial decides never meets them. Times are microseconds
// since 1970, NULL for none; states, kinds and operations are the numbers that package serial defines. An account with
// sequence 0 exists within a transaction only, to lock the name.
var migrations = [schemaVersion][]string{{`
CREATE TABLE meta (
	id       integer NOT NULL PRIMARY KEY CHECK (id = 1),
	program  text    NOT NULL,
	version  integer NOT NULL,
	instance bytea   NOT NULL CHECK (length(instance) = 16),
	floor    bigint  NOT NULL CHECK (floor BETWEEN 0 AND 281474976710656) -- where the counter of a new series begins
)`, `
CREATE TABLE series (
	series text   COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(series) = 3),
	mark   bigint NOT NULL CHECK (mark BETWEEN 0 AND 281474976710656),
	term   bigint NOT NULL CHECK (term >= 0),
	time   bigint
)`, `
CREATE TABLE fences ( -- apart from the series, because every transaction holds it, and leases must not wait for that
	series text   COLLATE "C" NOT NULL PRIMARY KEY REFERENCES series,
	fence  bigint NOT NULL CHECK (fence >= 0)
)`, `
CREATE TABLE leases (
	series text   COLLATE "C" NOT NULL REFERENCES series,
	term   bigint NOT NULL CHECK (term > 0),
	holder text   NOT NULL,
	first  bigint NOT NULL CHECK (first >= 0),
	last   bigint NOT NULL CHECK (last > first AND last <= 281474976710656),
	time   bigint NOT NULL,
	PRIMARY KEY (series, term)
)`, `
CREATE TABLE accounts (
	account         text   COLLATE "C" NOT NULL PRIMARY KEY CHECK (account <> ''),
	sequence        bigint NOT NULL CHECK (sequence >= 0),
	head            bytea  NOT NULL CHECK (length(head) = 32),
	time            bigint,
	purchased       bigint NOT NULL CHECK (purchased >= 0),
	granted         bigint NOT NULL CHECK (granted >= 0),
	transferred_in  bigint NOT NULL CHECK (transferred_in >= 0),
	postpaid        bigint NOT NULL CHECK (postpaid >= 0),
	available       bigint NOT NULL CHECK (available >= 0),
	reserved        bigint NOT NULL CHECK (reserved >= 0),
	stamped         bigint NOT NULL CHECK (stamped >= 0),
	refunded        bigint NOT NULL CHECK (refunded >= 0),
	transferred_out bigint NOT NULL CHECK (transferred_out >= 0),
	postpaid_limit  bigint NOT NULL CHECK (postpaid_limit >= 0),
	CHECK (purchased + granted + transferred_in + postpaid = available + reserved + stamped + refunded + transferred_out)
) WITH (fillfactor = 50)`, `
CREATE TABLE entries (
	account  text     COLLATE "C" NOT NULL,
	sequence bigint   NOT NULL CHECK (sequence > 0),
	kind     smallint NOT NULL CHECK (kind BETWEEN 1 AND 14),
	units    bigint   NOT NULL CHECK (units >= 0),
	key      bytea,
	number   bytea CHECK (length(number) = 14),
	digest   bytea CHECK (length(digest) = 32),
	length   bigint   NOT NULL CHECK (length >= 0),
	peer     text     NOT NULL,
	note     text     NOT NULL,
	paid     bigint,
	time     bigint,
	hash     bytea    NOT NULL CHECK (length(hash) = 32),
	PRIMARY KEY (account, sequence)
)`, `
CREATE FUNCTION entries_are_append_only() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN RAISE EXCEPTION ''entries are append-only''; END'`, `
CREATE TRIGGER entries_are_append_only BEFORE UPDATE OR DELETE ON entries
	FOR EACH ROW EXECUTE FUNCTION entries_are_append_only()`, `
CREATE TABLE reservations (
	number        bytea    NOT NULL PRIMARY KEY CHECK (length(number) = 14),
	account       text     COLLATE "C" NOT NULL,
	key           bytea    NOT NULL CHECK (length(key) BETWEEN 1 AND 256),
	sequence      bigint   CHECK (sequence > 0), -- of the entry that took the unit; with it the row is the key's as well
	attempt       bigint,  -- orders the reservations of a key: 2^63-1 as long as it holds the key, then its sequence
	state         smallint NOT NULL CHECK (state BETWEEN 1 AND 5),
	reserved      bigint,
	intent        bigint,
	resolved      bigint,
	digest        bytea    NOT NULL CHECK (length(digest) = 32),
	length        bigint   NOT NULL CHECK (length >= 0),
	value         bigint   NOT NULL CHECK (value BETWEEN 0 AND 4294967295),
	kind          text     NOT NULL,
	placement     text     NOT NULL,
	profile       text     NOT NULL,
	output_digest bytea CHECK (length(output_digest) = 32),
	output_length bigint   NOT NULL CHECK (output_length >= 0),
	note          text     NOT NULL,
	UNIQUE (account, key, attempt),
	CHECK (attempt IS NOT DISTINCT FROM CASE WHEN state = 4 THEN sequence ELSE 9223372036854775807 END),
	CHECK (state <> 3 OR output_digest IS NOT NULL)
)`, `
CREATE INDEX reservations_unresolved ON reservations (number) WHERE state IN (1, 2)`, `
CREATE TABLE keys ( -- of all operations but redeem, whose keys are in the rows of their reservations
	account   text     COLLATE "C" NOT NULL,
	operation smallint NOT NULL CHECK (operation BETWEEN 2 AND 6),
	key       bytea    NOT NULL CHECK (length(key) BETWEEN 1 AND 256),
	sequence  bigint   NOT NULL CHECK (sequence > 0),
	units     bigint   NOT NULL CHECK (units >= 0),
	peer      text     NOT NULL,
	time      bigint,
	PRIMARY KEY (account, operation, key)
)`}}

// meta is the row that says whose schema it is.
type meta struct {
	program  string
	version  int
	instance []byte
}

func quoted(schema string) string { return pgx.Identifier{schema}.Sanitize() }

// readMeta gives the zero value if there is no such schema or table.
func readMeta(ctx context.Context, c *pgx.Conn, schema string) (*meta, error) {
	var m meta
	err := c.QueryRow(ctx, "SELECT program, version, instance FROM "+quoted(schema)+".meta WHERE id = 1").Scan(&m.program, &m.version, &m.instance)
	var pe *pgconn.PgError
	switch {
	case errors.As(err, &pe) && (pe.Code == "42P01" || pe.Code == "3F000"): // undefined_table, invalid_schema_name
		return &meta{}, nil
	case errors.Is(err, pgx.ErrNoRows), errors.As(err, &pe) && pe.Code == "42703": // undefined_column
		return &meta{program: "unknown"}, nil
	case err != nil:
		return nil, fmt.Errorf("ledger database: %w", err)
	}
	return &m, nil
}

// check refuses what this program cannot work on.
func (m *meta) check(schema string) error {
	switch {
	case m.program == "":
		return &FormatError{schema, 0, "has no ledger: call postgres.Migrate"}
	case m.program != programName:
		return &FormatError{schema, m.version, "belongs to another program"}
	case m.version > schemaVersion:
		return &FormatError{schema, m.version, fmt.Sprintf("has version %d; this program knows up to %d: use a newer one", m.version, schemaVersion)}
	case m.version < schemaVersion:
		return &FormatError{schema, m.version, fmt.Sprintf("has version %d; this program needs %d: call postgres.Migrate", m.version, schemaVersion)}
	}
	return nil
}

// Migrate makes the schema, or brings an older one up to this program's version, each step in a transaction of its own.
// On a schema that is up to date it does nothing. Of [Options] only Schema counts. The role needs the right to create
// the schema and to alter its tables; that of [Open] does not. Several processes may call it at once.
func Migrate(ctx context.Context, connString string, opt *Options) error {
	o, err := complete(opt)
	if err != nil {
		return err
	}
	conf, err := pgx.ParseConfig(connString)
	if err != nil {
		return fmt.Errorf("migrate ledger database: %w", err)
	}
	if conf.ValidateConnect == nil {
		conf.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite // of several hosts, the primary
	}
	c, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return fmt.Errorf("migrate ledger database: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	for attempt := 0; ; attempt++ {
		done, err := migrate(ctx, c, o.Schema)
		if done {
			return nil
		}
		var pe *pgconn.PgError
		if errors.As(err, &pe) && (pe.Code == "23505" || pe.Code == "42P06" || pe.Code == "42P07" || rolledBack(pe)) && attempt < maxAttempts {
			err = pause(ctx, attempt) // another process made the same at the same time
		}
		if err != nil {
			return err
		}
	}
}

// migrate does one step; done says that there was none to do.
func migrate(ctx context.Context, c *pgx.Conn, schema string) (done bool, err error) {
	m, err := readMeta(ctx, c, schema)
	if err != nil {
		return false, err
	}
	if m.program != "" && (m.program != programName || m.version >= schemaVersion) {
		err := m.check(schema)
		return err == nil, err
	}
	tx, err := c.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return false, fmt.Errorf("migrate ledger database: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if err := migrateStep(ctx, tx, schema, m.version); err != nil {
		return false, err
	}
	if err := tx.Commit(context.WithoutCancel(ctx)); err != nil {
		return false, fmt.Errorf("migrate ledger database: %w: %w", serial.ErrUnknownOutcome, err)
	}
	return false, nil
}

func migrateStep(ctx context.Context, tx pgx.Tx, schema string, from int) error {
	run := func(sql string, args ...any) (pgconn.CommandTag, error) {
		tag, err := tx.Exec(ctx, sql, args...)
		if err != nil {
			err = fmt.Errorf("migrate ledger database to version %d: %w", from+1, err)
		}
		return tag, err
	}
	if from == 0 {
		if err := makeSchema(ctx, tx, schema); err != nil {
			return err
		}
	}
	if _, err := run("SET LOCAL search_path = " + quoted(schema)); err != nil {
		return err
	}
	if from > 0 {
		tag, err := run("UPDATE meta SET version = $1 WHERE version = $2", from+1, from)
		if err != nil || tag.RowsAffected() == 0 { // another process was faster
			return err
		}
	}
	for _, stmt := range migrations[from] {
		if _, err := run(stmt); err != nil {
			return err
		}
	}
	if from > 0 {
		return nil
	}
	instance := make([]byte, 16)
	if _, err := rand.Read(instance); err != nil {
		return fmt.Errorf("migrate ledger database: %w", err)
	}
	_, err := run("INSERT INTO meta (id, program, version, instance, floor) VALUES (1, $1, 1, $2, 0)", programName, instance)
	return err
}

// makeSchema makes the schema, or takes an empty one.
func makeSchema(ctx context.Context, tx pgx.Tx, schema string) error {
	var exists, used bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM information_schema.schemata WHERE schema_name = $1),
		EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = $1)
		AND NOT EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = $1 AND table_name = 'meta')`, schema).Scan(&exists, &used)
	if err == nil && used {
		return &FormatError{schema, 0, "has tables of another program: choose another schema"}
	}
	if err == nil && !exists {
		_, err = tx.Exec(ctx, "CREATE SCHEMA "+quoted(schema))
	}
	if err != nil {
		return fmt.Errorf("migrate ledger database: %w", err)
	}
	return nil
}

// guard is what each transaction sees of the server and the schema.
type guard struct {
	instance []byte
	version  int
	recovery bool
	commit   string
}

const selectGuard = `SELECT instance, version, pg_is_in_recovery(), coalesce(current_setting('synchronous_commit', true), 'on') FROM meta WHERE id = 1`

func (g *guard) scan(row pgx.Row) error {
	return row.Scan(&g.instance, &g.version, &g.recovery, &g.commit)
}

// check refuses to go on where things are no longer as at [Open].
func (g *guard) check(s *Store, writing bool) error {
	switch {
	case g.recovery:
		return errStandby()
	case g.version != schemaVersion:
		return (&meta{program: programName, version: g.version}).check(s.opt.Schema)
	case !bytes.Equal(g.instance, s.instance):
		return s.witness.refuse(fmt.Errorf("%w: the ledger in the database is another one", serial.ErrFenced))
	case writing && !durable(g.commit):
		return errCommit(g.commit)
	}
	return nil
}

const maxAttempts = 12

// pause waits before the next attempt, longer each time, or until ctx ends.
func pause(ctx context.Context, attempt int) error {
	d := time.Millisecond << min(attempt, 7)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d/2 + jitter(d)):
		return nil
	}
}

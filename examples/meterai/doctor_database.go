package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/postgres"
)

// databaseTimeout bounds the questions about settings; an audit may take longer.
const databaseTimeout = 30 * time.Second

func (d *doctor) checkDatabase(ctx context.Context) {
	if !d.askServer(ctx) {
		return
	}
	const check = "database"
	store, err := postgres.Open(ctx, d.database, &postgres.Options{Schema: d.schema})
	var format *postgres.FormatError
	var server *postgres.ServerError
	switch {
	case errors.As(err, &format):
		d.fail(check, "make or update the schema with postgres.Migrate, as the deployment does", "%v", err)
		return
	case errors.As(err, &server):
		d.fail(check, "change the setting of the server, the database or the role", "%v", err)
		return
	case err != nil:
		d.fail(check, "check the role's rights to the schema", "%v", err)
		return
	}
	defer store.Close()
	report, err := serial.Audit(ctx, store)
	switch {
	case err != nil:
		d.fail(check, "check the role's rights: it needs SELECT on all tables of the schema", "the audit cannot be made: %v", err)
	case !report.Clean():
		what := count(int64(len(report.Problems))+report.Omitted, "problem")
		if len(report.Problems) > 0 {
			what += ", the first: " + report.Problems[0].String()
		}
		d.fail(check, "stop issuing and find out why", "the audit finds %s", what)
	default:
		d.ok(check, "accounts %d, entries %d, the audit finds nothing", report.Accounts, report.Entries)
	}
}

// serverFacts is what the server says of itself.
type serverFacts struct {
	version                           int
	standby                           bool
	commit, fsync, fullPages, standbs string
	now                               time.Time
}

// askServer connects and looks at the settings; false when there is no more to ask.
func (d *doctor) askServer(ctx context.Context) bool {
	const check = "database"
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, d.database)
	if err != nil {
		d.fail(check, "check address, role and password, and whether the server runs", "%v", err)
		return false
	}
	defer conn.Close(ctx)
	var f serverFacts
	before := d.now()
	var version string
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version_num'), pg_is_in_recovery(), current_setting('synchronous_commit'),
		current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_standby_names'), clock_timestamp()`).
		Scan(&version, &f.standby, &f.commit, &f.fsync, &f.fullPages, &f.standbs, &f.now)
	after := d.now()
	if err == nil {
		f.version, err = strconv.Atoi(version)
	}
	if err != nil {
		d.fail(check, "check that this is PostgreSQL 12 or newer", "%v", err)
		return false
	}
	d.judgeServer(&f)
	d.clock("database clock", f.now, before, after, 0)
	if f.standby {
		return false
	}
	d.checkStandbys(ctx, conn, f.standbs)
	return true
}

// judgeServer says which settings cannot keep what the ledger promises.
func (d *doctor) judgeServer(f *serverFacts) {
	const check = "database"
	before := len(d.findings)
	if f.version < 120000 {
		d.fail(check, "use PostgreSQL 12 or newer", "the server has version %d", f.version/10000)
	}
	if f.standby {
		d.fail(check, "give a connection string that leads to the primary, such as several hosts with target_session_attrs=read-write", "this server is a standby")
	}
	if f.commit != "on" && f.commit != "remote_apply" {
		d.fail(check, "set synchronous_commit to on for the role or the server", "synchronous_commit is %s: commits are answered before they are durable", f.commit)
	}
	if f.fsync != "on" {
		d.fail(check, "set fsync to on and restart the server", "fsync is %s: a power cut destroys the database", f.fsync)
	}
	if f.fullPages != "on" {
		d.warn(check, "set full_page_writes to on, unless the file system is known to write pages whole", "full_page_writes is %s", f.fullPages)
	}
	if len(d.findings) == before {
		d.ok(check, "PostgreSQL %d, a primary; commits are durable when they are answered", f.version/10000)
	}
}

// checkStandbys finds out whether what is answered is on a second machine.
func (d *doctor) checkStandbys(ctx context.Context, conn *pgx.Conn, names string) {
	const check = "standby"
	if strings.TrimSpace(names) == "" {
		d.warn(check, "set synchronous_standby_names, best 'ANY 1 (a, b)', and open the store with RequireStandby", "none is synchronous: if this machine is lost, answered stamps are")
		return
	}
	var synchronous, all int
	err := conn.QueryRow(ctx, `SELECT count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')), count(*) FROM pg_stat_replication`).Scan(&synchronous, &all)
	switch {
	case err != nil:
		d.warn(check, "grant pg_monitor to the role to see it", "whether standbys are connected cannot be seen: %v", err)
	case synchronous == 0:
		d.fail(check, "start the standbys that synchronous_standby_names names: commits wait for them", "%d connected, none of them synchronous", all)
	case synchronous == 1:
		d.warn(check, "a second one, with 'ANY 1 (a, b)', keeps issuing going when the first is away", "1 synchronous standby is connected")
	default:
		d.ok(check, "%d synchronous standbys are connected", synchronous)
	}
}

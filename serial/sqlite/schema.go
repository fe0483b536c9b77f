package sqlite

// schemaVersion is kept as user_version, applicationID ("mtai") as application_id of the database file.
const (
	schemaVersion = 1
	applicationID = 0x6d746169
)

// The constraints are a second guard: what package serial decides never meets them. Times are microseconds since 1970,
// NULL for none; states, kinds and operations are the numbers that package serial defines.
const schema = `
CREATE TABLE meta (
	id       INTEGER PRIMARY KEY CHECK (id = 1),
	instance BLOB    NOT NULL CHECK (length(instance) = 16),
	revision INTEGER NOT NULL CHECK (revision >= 0),
	copy     BLOB CHECK (length(copy) = 16), -- which copy this is; NULL is the first
	floor    INTEGER NOT NULL CHECK (floor BETWEEN 0 AND 281474976710656) -- where the counter of a new series begins
) STRICT;

CREATE TABLE series (
	series TEXT    NOT NULL PRIMARY KEY CHECK (length(series) = 3),
	mark   INTEGER NOT NULL CHECK (mark BETWEEN 0 AND 281474976710656),
	term   INTEGER NOT NULL CHECK (term > 0),
	fence  INTEGER NOT NULL CHECK (fence BETWEEN 0 AND term),
	time   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
	series TEXT    NOT NULL,
	term   INTEGER NOT NULL CHECK (term > 0),
	holder TEXT    NOT NULL,
	first  INTEGER NOT NULL CHECK (first >= 0),
	last   INTEGER NOT NULL CHECK (last > first AND last <= 281474976710656),
	time   INTEGER NOT NULL,
	PRIMARY KEY (series, term)
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
	account         TEXT    NOT NULL PRIMARY KEY CHECK (account <> ''),
	sequence        INTEGER NOT NULL CHECK (sequence > 0),
	head            BLOB    NOT NULL CHECK (length(head) = 32),
	time            INTEGER NOT NULL,
	purchased       INTEGER NOT NULL CHECK (purchased >= 0),
	granted         INTEGER NOT NULL CHECK (granted >= 0),
	transferred_in  INTEGER NOT NULL CHECK (transferred_in >= 0),
	postpaid        INTEGER NOT NULL CHECK (postpaid >= 0),
	available       INTEGER NOT NULL CHECK (available >= 0),
	reserved        INTEGER NOT NULL CHECK (reserved >= 0),
	stamped         INTEGER NOT NULL CHECK (stamped >= 0),
	refunded        INTEGER NOT NULL CHECK (refunded >= 0),
	transferred_out INTEGER NOT NULL CHECK (transferred_out >= 0),
	postpaid_limit  INTEGER NOT NULL CHECK (postpaid_limit >= 0),
	CHECK (purchased + granted + transferred_in + postpaid = available + reserved + stamped + refunded + transferred_out)
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (
	account  TEXT    NOT NULL,
	sequence INTEGER NOT NULL CHECK (sequence > 0),
	kind     INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 14),
	units    INTEGER NOT NULL CHECK (units >= 0),
	key      BLOB,
	number   BLOB CHECK (length(number) = 14),
	digest   BLOB CHECK (length(digest) = 32),
	length   INTEGER NOT NULL CHECK (length >= 0),
	peer     TEXT,
	note     TEXT,
	paid     INTEGER,
	time     INTEGER NOT NULL,
	hash     BLOB    NOT NULL CHECK (length(hash) = 32),
	PRIMARY KEY (account, sequence)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER entries_are_not_changed BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER entries_are_not_removed BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;

CREATE TABLE reservations (
	id            INTEGER PRIMARY KEY,
	number        BLOB    NOT NULL UNIQUE CHECK (length(number) = 14),
	account       TEXT    NOT NULL,
	key           BLOB    NOT NULL CHECK (length(key) BETWEEN 1 AND 256),
	sequence      INTEGER CHECK (sequence > 0), -- of the entry that reserved it
	attempt       INTEGER NOT NULL DEFAULT 9223372036854775807, -- id if it is released: the newest of a key has the highest
	state         INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
	reserved      INTEGER NOT NULL,
	intent        INTEGER CHECK (intent % 1000000 = 0),
	resolved      INTEGER,
	digest        BLOB    NOT NULL CHECK (length(digest) = 32),
	length        INTEGER NOT NULL CHECK (length >= 0),
	value         INTEGER NOT NULL CHECK (value BETWEEN 0 AND 4294967295),
	kind          TEXT,
	placement     TEXT,
	profile       TEXT,
	output_digest BLOB CHECK (length(output_digest) = 32),
	output_length INTEGER NOT NULL DEFAULT 0 CHECK (output_length >= 0),
	note          TEXT,
	CHECK (state <> 3 OR output_digest IS NOT NULL),
	CHECK (attempt = iif(state = 4, id, 9223372036854775807))
) STRICT;

CREATE INDEX reservations_unresolved ON reservations (number) WHERE state < 3;
CREATE UNIQUE INDEX one_reservation_holds_a_key ON reservations (account, key, attempt);

CREATE TABLE keys (
	account   TEXT    NOT NULL,
	operation INTEGER NOT NULL CHECK (operation BETWEEN 2 AND 6), -- a key of operation 1 is a reservation's
	key       BLOB    NOT NULL CHECK (length(key) BETWEEN 1 AND 256),
	sequence  INTEGER NOT NULL CHECK (sequence > 0),
	units     INTEGER NOT NULL CHECK (units >= 0),
	peer      TEXT,
	time      INTEGER NOT NULL,
	PRIMARY KEY (account, operation, key)
) STRICT, WITHOUT ROWID;
`

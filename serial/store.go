package serial

import (
	"context"
	"iter"
	"time"
)

// Store keeps the ledger's rows. It is dumb on purpose: it loads what a query names, and writes a batch atomically; all
// rules are in this package. Package serial/storetest has a suite that an implementation must pass.
//
// All methods are safe for concurrent use, also by several ledgers and, if the store says so, several processes. After
// Close, if there is one, they return an error that is [ErrClosed].
type Store interface {
	// Update loads what q names into a snapshot, calls decide, and applies the batch that it returns, all in one
	// transaction that is serialisable against every other Update. It returns nil only when the batch is durable. Of one
	// transaction, either all rows are there after a crash, or none.
	//
	// The accounts are locked before the keys and reservations are read, so that two transactions about one account
	// never decide on the same state. decide may change and keep the snapshot. It may be called again, with a new
	// snapshot, if the transaction must be repeated; an error of decide rolls back and is returned as it is. A nil or
	// empty batch changes nothing and needs no durability.
	//
	// An error that is [ErrUnknownOutcome] says that the batch may or may not be durable; after any other error it is not.
	// A store that finds itself older than its outside witness returns [ErrFenced].
	// ctx bounds the wait for the transaction; it never interrupts the commit.
	Update(ctx context.Context, q *Query, decide func(*Snapshot) (*Batch, error)) error

	// View loads what q names as of one moment, including every Update that returned before. It changes and locks nothing.
	View(ctx context.Context, q *Query) (*Snapshot, error)

	// Scan calls read with a reader of one moment, which includes every Update that returned before. The reader is not
	// valid after read returns. An error of read comes back, perhaps wrapped, so that errors.Is finds it. A scan does not stop updates. read runs code of the ledger's callers: also when it panics
	// or ends the goroutine, the transaction must end and its connection be given back.
	Scan(ctx context.Context, read func(Reader) error) error
}

// Reader walks the rows of one moment. Only one walk is in progress at a time; each yields an error at most once, as its
// last element.
type Reader interface {
	// Accounts walks all accounts in the byte order of their names.
	Accounts(ctx context.Context) iter.Seq2[Account, error]
	// Entries walks the entries after the sequence number given of one account, or of all accounts ("" and 0), ordered by
	// account name and sequence number.
	Entries(ctx context.Context, account string, after int64) iter.Seq2[Entry, error]
	// Reservations walks all reservations, or only those in a state that is not final, in the byte order of their packed
	// numbers.
	Reservations(ctx context.Context, unresolved bool) iter.Seq2[Reservation, error]
	// Keys walks all keys, in any order.
	Keys(ctx context.Context) iter.Seq2[Key, error]
	// Series walks all series, in the byte order of their names.
	Series(ctx context.Context) iter.Seq2[Series, error]
	// Leases walks all leases, ordered by the name of the series and the term.
	Leases(ctx context.Context) iter.Seq2[Lease, error]
}

// SelfChecker is what a [Reader] may be as well: one whose store can examine itself.
type SelfChecker interface {
	// SelfCheck walks what the store finds wrong below the rows, such as a damaged file, and says so if the store is
	// fenced. [Audit] calls it first.
	SelfCheck(ctx context.Context) iter.Seq2[Problem, error]
}

// Query names what a snapshot shall hold.
type Query struct {
	Accounts []string
	Keys     []KeyID
	Numbers  []Number
	Series   SeriesID // zero for none
}

// Snapshot holds the rows that a query names, those that exist: accounts, keys and reservations by name; besides, the
// reservations that the keys point to, and the accounts of the keys and of all these reservations.
type Snapshot struct {
	Accounts     map[string]Account
	Keys         map[KeyID]Key
	Reservations map[Number]Reservation
	Series       Series // if there is none yet, zero but for the ID and, perhaps, a mark to begin at
}

// Batch is what one transaction changes. Rows come in the order in which they were decided. A store keeps every field of
// every row as it is, each time to the microsecond, and tells a time that is zero ([time.Time.IsZero]) from 1970.
type Batch struct {
	Entries  []Entry   // new; an existing (account, sequence) is an error
	Accounts []Account // new or replaced
	// Reservations are new, or existing with a new state, time, output or note; a final one never changes its state. Two of
	// one account and key that are not RELEASED are an error.
	Reservations []Reservation
	// Keys are new; only an existing one of OpRedeem may be replaced, by a new attempt. Such a key comes in the batch that
	// makes its reservation, with the reservation's account, key and time, one unit and no peer.
	Keys   []Key
	Series *Series // new or replaced; mark, term and fence never go down, the time may after a fence
	Lease  *Lease  // new; an existing (series, term) is an error
}

// Empty reports whether b changes nothing.
func (b *Batch) Empty() bool {
	return b == nil || len(b.Entries) == 0 && len(b.Accounts) == 0 && len(b.Reservations) == 0 && len(b.Keys) == 0 &&
		b.Series == nil && b.Lease == nil
}

// Op is the operation that a key belongs to.
type Op uint8

// The operations with keys.
const (
	OpRedeem   Op = 1 + iota // Reserve and Redeem
	OpCredit                 // Credit: the key is the payment reference
	OpGrant                  // Grant
	OpTransfer               // Transfer, at the account that hands the units over
	OpRefund                 // Refund
	OpLimit                  // SetLimit
)

// KeyID is the scope of an idempotency key: the account, the operation and the bytes of the key. It is comparable.
type KeyID struct {
	Account string
	Op      Op
	Key     string
}

// Key is the stored answer to a request: a number for OpRedeem, else an entry.
type Key struct {
	ID       KeyID
	Number   Number // the newest attempt, for OpRedeem
	Sequence int64  // of the entry in the account
	Units    int64
	Peer     string    // the other account of a transfer
	Time     time.Time // UTC, microseconds
}

// Series is the state of the counter of an epoch and issuer.
type Series struct {
	ID    SeriesID
	Mark  uint64    // counters from here on belong to no lease
	Term  uint64    // of the newest lease or fence, from 1
	Fence uint64    // leases with this term or an older one are ended
	Time  time.Time // of the newest lease or fence, zero if that is not known
}

// Lease gives the counters First to Last-1 to one holder, as long as its term is above the fence of the series. What a
// fence skips is noted as a lease as well, with a term that is not above the fence, so that the leases of a series
// follow each other without a gap up to its mark.
type Lease struct {
	Series      SeriesID
	Term        uint64
	Holder      string // for people
	First, Last uint64
	Time        time.Time
}

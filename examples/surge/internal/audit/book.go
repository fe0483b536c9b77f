package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"

	"github.com/seed-574216e4/meterai/serial"
)

// book is the ledger as the auditor adds it up.
type book struct {
	accounts map[string]*account
	numbers  map[serial.Number]*stamp
	sums     Sums
	entries  int64

	chain, unique, conserved, genuine Check
}

type account struct {
	sequence                     int64
	hash                         [32]byte
	in, out                      int64 // from and to other accounts
	paid, granted                int64
	available, held, used, given int64
	moves                        map[move]int // whatever moved whole units
	credits                      map[string]credit
}

// credit is a purchase, by its reference.
type credit struct {
	units      int64
	paid, time time.Time
}

// move names what must happen once.
type move struct {
	kind  serial.Kind
	key   string
	units int64
	peer  string
}

// stamp is where the entries say that a serial number is.
type stamp struct {
	account, key string
	state        serial.State
	digest       [32]byte
	length       int64
	begun, ended time.Time // when the unit was taken, and when it was used or came back
}

// read adds up all entries.
func read(in *Input) (*book, error) {
	b := &book{
		accounts: make(map[string]*account), numbers: make(map[serial.Number]*stamp),
		chain:     Check{Name: "every account's entries follow each other, none changed, none missing"},
		unique:    Check{Name: "no serial number twice, and none used twice"},
		conserved: Check{Name: "paid = stamped + available + refunded + held, in every account and in all"},
		genuine:   Check{Name: "every serial number can have been issued"},
	}
	for e, err := range in.Entries {
		if err != nil {
			return nil, err
		}
		b.entry(&e)
		if !e.Number.IsZero() && e.Kind == serial.KindReserve {
			if b.genuine.look(1); !in.Genuine(e.Number) {
				b.genuine.wrong("serial %s of %q is not genuine", e.Number, e.Account)
			}
		}
	}
	b.conserve()
	return b, nil
}

func (b *book) entry(e *serial.Entry) {
	b.entries++
	b.chain.look(1)
	a := b.accounts[e.Account]
	if a == nil {
		a = &account{moves: make(map[move]int), credits: make(map[string]credit)}
		b.accounts[e.Account] = a
	}
	if e.Sequence != a.sequence+1 {
		b.chain.wrong("account %q: entry %d after entry %d", e.Account, e.Sequence, a.sequence)
	}
	if h := hashOf(e, a.hash); h != e.Hash {
		b.chain.wrong("account %q, entry %d: its hash is not that of its contents", e.Account, e.Sequence)
	}
	a.sequence, a.hash = e.Sequence, e.Hash
	b.post(a, e)
	b.follow(a, e)
}

// post moves units.
func (b *book) post(a *account, e *serial.Entry) {
	u := e.Units
	switch e.Kind {
	case serial.KindPurchase:
		a.paid += u
		a.available += u
		b.sums.Paid += u
		a.credits[string(e.Key)] = credit{u, e.Paid, e.Time}
	case serial.KindGrant:
		a.granted += u
		a.available += u
		b.sums.Granted += u
	case serial.KindTransferIn:
		a.in += u
		a.available += u
	case serial.KindTransferOut:
		a.out += u
		a.available -= u
		b.sums.Moved += u
	case serial.KindRefund:
		a.given += u
		a.available -= u
		b.sums.Refunded += u
	default:
		return
	}
	a.moves[move{e.Kind, string(e.Key), u, e.Peer}]++
}

// follow follows a serial number.
func (b *book) follow(a *account, e *serial.Entry) {
	s := b.numbers[e.Number]
	step := func(from, to serial.State) bool {
		if s == nil || s.state != from || s.account != e.Account {
			b.unique.wrong("account %q, entry %d: %s of serial %s, which was not %s there", e.Account, e.Sequence, e.Kind, e.Number, from)
			return false
		}
		if s.state = to; to.Final() {
			s.ended = e.Time
		}
		return true
	}
	switch e.Kind {
	case serial.KindReserve:
		a.available--
		a.held++
		b.give(e)
	case serial.KindSigning:
		step(serial.Reserved, serial.Signing)
	case serial.KindStamped:
		a.held--
		a.used++
		b.sums.Stamped++
		if step(serial.Signing, serial.Stamped) {
			s.digest, s.length = e.Digest, e.Length
		}
	case serial.KindRelease:
		a.held--
		a.available++
		step(serial.Reserved, serial.Released)
	case serial.KindVoid:
		a.held--
		a.available++
		step(serial.Signing, serial.Void)
	}
}

// give gives out a serial number.
func (b *book) give(e *serial.Entry) {
	b.unique.look(1)
	if s := b.numbers[e.Number]; s != nil {
		b.unique.wrong("serial %s was given to %q and to %q", e.Number, s.account, e.Account)
		return
	}
	b.numbers[e.Number] = &stamp{account: e.Account, key: string(e.Key), state: serial.Reserved, begun: e.Time}
}

// conserve closes the accounts.
func (b *book) conserve() {
	var in, out int64
	for name, a := range b.accounts {
		b.conserved.look(1)
		came, went := a.paid+a.granted+a.in, a.available+a.held+a.used+a.given+a.out
		if came != went || a.available < 0 || a.held < 0 {
			b.conserved.wrong("account %q: %d units came and %d are accounted for, %d available, %d held", name, came, went, a.available, a.held)
		}
		b.sums.Available += a.available
		b.sums.Held += a.held
		in, out = in+a.in, out+a.out
	}
	s := &b.sums
	if in != out {
		b.conserved.wrong("%d units were handed over and %d arrived", out, in)
	}
	if s.Paid+s.Granted != s.Stamped+s.Available+s.Refunded+s.Held {
		b.conserved.wrong("paid %d + granted %d is not stamped %d + available %d + refunded %d + held %d",
			s.Paid, s.Granted, s.Stamped, s.Available, s.Refunded, s.Held)
	}
	if s.Held != 0 {
		b.conserved.wrong("%d units are still held at the end", s.Held)
	}
}

func (b *book) checks() []*Check {
	return []*Check{&b.conserved, &b.unique, &b.genuine, &b.chain}
}

func (b *book) states() map[string]int64 {
	out := make(map[string]int64)
	for _, s := range b.numbers {
		out[s.state.String()]++
	}
	return out
}

// hashOf is the hash of an entry after another, as the format of the ledger says: a second implementation of it.
func hashOf(e *serial.Entry, before [32]byte) [32]byte {
	h := sha256.New()
	number := func(n int64) { _ = binary.Write(h, binary.BigEndian, n) }
	text := func(s string) { _ = binary.Write(h, binary.BigEndian, uint32(len(s))); h.Write([]byte(s)) }
	moment := func(t time.Time) {
		if t.IsZero() {
			number(math.MinInt64)
			return
		}
		number(t.UnixMicro())
	}
	packed := e.Number.Packed()
	h.Write([]byte("meterai entry v1\x00"))
	h.Write(before[:])
	text(e.Account)
	number(e.Sequence)
	h.Write([]byte{byte(e.Kind)})
	number(e.Units)
	text(string(e.Key))
	h.Write(packed[:])
	h.Write(e.Digest[:])
	number(e.Length)
	text(e.Peer)
	text(e.Note)
	moment(e.Paid)
	moment(e.Time)
	return [32]byte(h.Sum(nil))
}

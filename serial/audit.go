package serial

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

// AuditReport is what [Ledger.Audit] found.
type AuditReport struct {
	Accounts     int64           `json:"accounts"`
	Entries      int64           `json:"entries"`
	Reservations map[State]int64 `json:"-"`        // how many in each state
	Totals       Balance         `json:"totals"`   // over all accounts, each at most 2^63-1
	Head         [32]byte        `json:"-"`        // SHA-256 over name, sequence and head of all accounts: equal only for equal ledgers
	Problems     []Problem       `json:"problems"` // at most 100
	Omitted      int64           `json:"omitted"`  // further problems
}

// Clean reports whether nothing is wrong.
func (r *AuditReport) Clean() bool { return len(r.Problems) == 0 }

// Problem is one thing that is wrong in a ledger.
type Problem struct {
	Account  string `json:"account,omitempty"`
	Sequence int64  `json:"sequence,omitempty"`
	Number   Number `json:"serial,omitzero"`
	Text     string `json:"text"`
}

func (p *Problem) String() string {
	s := p.Text
	if !p.Number.IsZero() {
		s = fmt.Sprintf("serial %s: %s", p.Number, s)
	}
	if p.Account != "" {
		s = fmt.Sprintf("account %q, entry %d: %s", p.Account, p.Sequence, s)
	}
	return s
}

const maxProblems = 100

// Audit recomputes the ledger from its entries, as of one moment, and compares: the chain of hashes and the conservation
// of units in each account, the stored folds, that each serial number belongs to one reservation whose state, request,
// output, times and note are those that its entries lead to, that each key stands for the answer that the entries gave,
// and that the leases of each series lead up to its mark. The store first examines itself, if it can ([SelfChecker]).
//
// Audit reads each row once. Its memory grows only with the reservations of one account that are RESERVED or RELEASED;
// if rows and entries disagree it reads again, and holds all of them, to name those. An error says that the audit could
// not be done, not that something is wrong.
func (l *Ledger) Audit(ctx context.Context) (*AuditReport, error) { return Audit(ctx, l.store) }

// Audit is [Ledger.Audit] without a ledger.
func Audit(ctx context.Context, store Store) (*AuditReport, error) {
	if store == nil {
		return nil, &RequestError{Field: "store", Reason: "is nil"}
	}
	a := &audit{report: &AuditReport{Reservations: make(map[State]int64)}}
	if _, err := rand.Read(a.secret[:]); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if err := store.Scan(ctx, func(r Reader) error { return a.run(ctx, r) }); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return a.report, nil
}

// audit compares two sets that come in different orders, those that the entries lead to and those that are stored, by
// their sums: each member is hashed with a secret of this audit and the hashes are added. A member too many, too few or
// different changes the sum but for a chance of 2^-256.
type audit struct {
	report   *AuditReport
	secret   [32]byte
	accounts digestSum // folded minus stored
	numbers  digestSum // stated minus stored, of reservations
	keys     digestSum // made minus stored
}

type digestSum [4]uint64

func (s *digestSum) add(h [32]byte) {
	for i := range s {
		s[i] += binary.BigEndian.Uint64(h[8*i:])
	}
}

func (s *digestSum) sub(h [32]byte) {
	for i := range s {
		s[i] -= binary.BigEndian.Uint64(h[8*i:])
	}
}

func (a *audit) run(ctx context.Context, r Reader) error {
	if s, ok := r.(SelfChecker); ok {
		for p, err := range s.SelfCheck(ctx) {
			if err != nil {
				return err
			}
			a.problem(p)
		}
	}
	for _, read := range []func(context.Context, Reader) error{
		a.readEntries, a.readAccounts, a.readReservations, a.readKeys, a.readSeries,
	} {
		if err := read(ctx, r); err != nil {
			return a.endedBy(ctx, err)
		}
	}
	for _, c := range []struct {
		difference digestSum
		name       func(context.Context, Reader) error
		text       string
	}{
		{a.accounts, a.nameAccounts, "accounts and entries disagree"},
		{a.numbers, a.nameNumbers, "reservations and entries disagree"},
		{a.keys, a.nameKeys, "keys and entries disagree"},
	} {
		if c.difference == (digestSum{}) {
			continue
		}
		a.problem(Problem{Text: c.text})
		if err := c.name(ctx, r); err != nil {
			return a.endedBy(ctx, err)
		}
	}
	return nil
}

// endedBy makes the error that ended an audit a part of the report, if that tells of damage already.
func (a *audit) endedBy(ctx context.Context, err error) error {
	if ctx.Err() != nil || a.report.Clean() {
		return err
	}
	a.problem(Problem{Text: "the audit is not complete: " + err.Error()})
	return nil
}

func (a *audit) problem(p Problem) {
	if len(a.report.Problems) >= maxProblems {
		a.report.Omitted++
		return
	}
	a.report.Problems = append(a.report.Problems, p)
}

// fold is the state of an account while its entries go by.
type fold struct {
	Account
	broken bool // only the first break of a chain is told
}

// next takes an entry of the account; bad tells what is wrong with it.
func (f *fold) next(e *Entry, bad func(string)) {
	tell := func(text string) {
		if !f.broken {
			bad(text)
		}
		f.broken = true
	}
	if e.Sequence != f.Sequence+1 {
		tell(fmt.Sprintf("follows entry %d", f.Sequence))
	}
	if e.Time.Before(f.Time) && e.Kind != KindClock {
		tell("is older than the entry before it")
	}
	if e.Chain(f.Head) != e.Hash {
		tell("breaks the chain of hashes: this or an earlier entry was changed")
	}
	if err := f.apply(e); err != nil {
		tell(err.Error())
	}
	f.Sequence, f.Head, f.Time = e.Sequence, e.Hash, e.Time
}

func (a *audit) readEntries(ctx context.Context, r Reader) error {
	var keys keysOf
	add := func(k *Key) { a.keys.add(a.keyHash(k)) }
	remove := func(k *Key) { a.keys.sub(a.keyHash(k)) }
	return eachFold(ctx, r, func(f *fold, e *Entry) {
		a.report.Entries++
		keys.next(e, add, remove)
		if f, ok := said(e); ok {
			a.numbers.add(a.factHash(&f))
		}
		f.next(e, func(text string) {
			a.problem(Problem{Account: e.Account, Sequence: e.Sequence, Number: e.Number, Text: text})
		})
		if from, to := path(e.Kind); to != 0 {
			if from != 0 {
				a.numbers.sub(a.numberHash(e.Number, e.Account, from))
			}
			a.numbers.add(a.numberHash(e.Number, e.Account, to))
		}
	}, func(f *fold) {
		a.accounts.add(a.accountHash(&f.Account))
		keys = keysOf{}
	})
}

// eachFold walks all entries; done is called after the last entry of each account.
func eachFold(ctx context.Context, r Reader, each func(*fold, *Entry), done func(*fold)) error {
	var f *fold
	for e, err := range r.Entries(ctx, "", 0) {
		if err != nil {
			return err
		}
		if f == nil || f.Name != e.Account {
			if f != nil {
				done(f)
			}
			f = &fold{Account: Account{Name: e.Account}}
		}
		each(f, &e)
	}
	if f != nil {
		done(f)
	}
	return nil
}

// path tells from which state of a reservation to which an entry leads; 0, 0 if it does not change a state.
func path(k Kind) (from, to State) {
	switch k {
	case KindReserve:
		return 0, Reserved
	case KindSigning:
		return Reserved, Signing
	case KindStamped:
		return Signing, Stamped
	case KindRelease:
		return Reserved, Released
	case KindVoid:
		return Signing, Void
	}
	return 0, 0
}

func (a *audit) readAccounts(ctx context.Context, r Reader) error {
	head := sha256.New()
	t := &a.report.Totals
	last := ""
	for acc, err := range r.Accounts(ctx) {
		if err != nil {
			return err
		}
		a.report.Accounts++
		if acc.Name <= last {
			a.problem(Problem{Account: acc.Name, Text: "the account is stored twice or out of order"})
		}
		last = acc.Name
		a.accounts.sub(a.accountHash(&acc))
		b := binary.BigEndian.AppendUint64(appendString(nil, acc.Name), uint64(acc.Sequence))
		head.Write(append(b, acc.Head[:]...))
		from, to := acc.Balance.counts(), t.counts()
		for i := range from {
			if total, ok := sum(*to[i], *from[i]); ok {
				*to[i] = total
			} else {
				*to[i] = math.MaxInt64
			}
		}
	}
	a.report.Head = [32]byte(head.Sum(nil))
	return nil
}

func (b *Balance) counts() [10]*int64 {
	return [...]*int64{&b.Purchased, &b.Granted, &b.TransferredIn, &b.Postpaid, &b.Available, &b.Reserved, &b.Stamped,
		&b.Refunded, &b.TransferredOut, &b.Limit}
}

func (a *audit) readReservations(ctx context.Context, r Reader) error {
	var last Number
	for res, err := range r.Reservations(ctx, false) {
		if err != nil {
			return err
		}
		a.report.Reservations[res.State]++
		if !less(last, res.Number) {
			a.problem(Problem{Account: res.Account, Number: res.Number, Text: "the number is stored twice or out of order"})
		}
		last = res.Number
		row := a.rowSum(&res)
		for i := range row {
			a.numbers[i] -= row[i]
		}
	}
	return nil
}

func less(a, b Number) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

func (a *audit) numberHash(n Number, account string, s State) [32]byte {
	b := append(make([]byte, 0, 256), a.secret[:]...)
	packed := n.Packed()
	b = append(append(b, 'n', byte(s)), packed[:]...)
	return sha256.Sum256(append(b, account...))
}

func (a *audit) accountHash(acc *Account) [32]byte {
	b := append(make([]byte, 0, 512), a.secret[:]...)
	b = append(append(b, 'a'), acc.Head[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(acc.Sequence))
	b = binary.BigEndian.AppendUint64(b, uint64(acc.Time.UnixMicro()))
	for _, c := range acc.Balance.counts() {
		b = binary.BigEndian.AppendUint64(b, uint64(*c))
	}
	return sha256.Sum256(append(b, acc.Name...))
}

// nameAccounts finds which stored accounts are not the fold of their entries. It holds all accounts in memory.
func (a *audit) nameAccounts(ctx context.Context, r Reader) error {
	folded := make(map[string][32]byte)
	err := eachFold(ctx, r, func(f *fold, e *Entry) { f.next(e, func(string) {}) }, func(f *fold) {
		folded[f.Name] = a.accountHash(&f.Account)
	})
	if err != nil {
		return err
	}
	for acc, err := range r.Accounts(ctx) {
		if err != nil {
			return err
		}
		if folded[acc.Name] != a.accountHash(&acc) {
			a.problem(Problem{Account: acc.Name, Sequence: acc.Sequence, Text: "the stored balance is not the sum of the entries"})
		}
		delete(folded, acc.Name)
	}
	for name := range folded {
		a.problem(Problem{Account: name, Text: "the account has entries but is not stored"})
	}
	return nil
}

// owned is where the entries say that a number is.
type owned struct {
	account string
	state   State
	sum     digestSum // of the facts
}

// nameNumbers finds which numbers are not where their entries lead. It holds all numbers in memory.
func (a *audit) nameNumbers(ctx context.Context, r Reader) error {
	at := make(map[Number]owned)
	err := eachFold(ctx, r, func(_ *fold, e *Entry) {
		f, ok := said(e)
		if !ok {
			return
		}
		was := at[e.Number]
		was.sum.add(a.factHash(&f))
		if from, to := path(e.Kind); to != 0 {
			if was.state != from || from != 0 && was.account != e.Account {
				a.problem(Problem{Account: e.Account, Sequence: e.Sequence, Number: e.Number,
					Text: fmt.Sprintf("%s, but the number was %s", e.Kind, was.state)})
			}
			was.account, was.state = e.Account, to
		}
		at[e.Number] = was
	}, func(*fold) {})
	if err != nil {
		return err
	}
	for res, err := range r.Reservations(ctx, false) {
		if err != nil {
			return err
		}
		was := at[res.Number]
		was.sum.add(a.numberHash(res.Number, res.Account, res.State))
		switch {
		case was.account != res.Account || was.state != res.State:
			a.problem(Problem{Account: res.Account, Number: res.Number,
				Text: fmt.Sprintf("is stored as %s, but its entries lead to %s", res.State, was.state)})
		case was.sum != a.rowSum(&res):
			a.problem(Problem{Account: res.Account, Number: res.Number,
				Text: "its request, output, times or note are stored otherwise than its entries say"})
		}
		delete(at, res.Number)
	}
	for n, was := range at {
		a.problem(Problem{Account: was.account, Number: n, Text: "has entries but no reservation"})
	}
	return nil
}

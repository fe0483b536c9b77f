package serial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"time"
)

// Outage says what [Ledger.Affected] looks for.
type Outage struct {
	From, To time.Time     // the window; To zero is now
	Late     time.Duration // what took longer was late; 0 is one minute
	// Payments are what was paid, with the time of each, as the payment provider knows it; nil for none. Only they tell of
	// payments that the ledger never heard of.
	Payments iter.Seq2[Payment, error]
}

// Harm is what an outage did to an account. A case is in it if its time, from payment or reservation to the end of the
// waiting, overlaps the window.
type Harm struct {
	Account string `json:"account"`
	// Owed is how many units the account has paid for and was not given: those of Uncredited. Held is how many wait for
	// Pending; they are used or come back by themselves ([Ledger.Sweep]), as those of Released and Void have.
	Owed       int64  `json:"owed"`
	Held       int64  `json:"held"`
	Uncredited int64  `json:"uncredited"`  // payments that the provider knows and the ledger does not, or not in full
	LateCredit int64  `json:"late_credit"` // payments that were credited late
	LateStamp  int64  `json:"late_stamp"`  // stampings that were accepted, and finished late
	Released   int64  `json:"released"`    // stampings that were accepted, and given up before signing
	Void       int64  `json:"void"`        // stampings that were accepted, and refused or given up: the serial is void
	Pending    int64  `json:"pending"`     // stampings that were accepted, and are late and not finished now
	Cases      []Case `json:"cases"`       // at most 1,000, the first ones
	Omitted    int64  `json:"omitted"`     // further cases
}

// CaseKind says in what way a request was harmed.
type CaseKind string

// The kinds of cases.
const (
	CaseUncredited CaseKind = "uncredited"
	CaseLateCredit CaseKind = "late credit"
	CaseLateStamp  CaseKind = "late stamp"
	CaseReleased   CaseKind = "released"
	CaseVoid       CaseKind = "void"
	CasePending    CaseKind = "pending"
)

// Case is one request that was harmed.
type Case struct {
	Kind   CaseKind  `json:"kind"`
	Key    string    `json:"key"` // of the request, or the reference of the payment; JSON replaces what is not UTF-8
	Units  int64     `json:"units"`
	Number Number    `json:"serial,omitzero"` // of a stamping
	From   time.Time `json:"from"`            // paid, or accepted
	To     time.Time `json:"to,omitzero"`     // ended; zero if it has not
	Note   string    `json:"note,omitempty"`  // reason of a release or void
}

// Text says what happened, in words.
func (c *Case) Text() string {
	waited := c.To.Sub(c.From).Round(time.Second)
	switch c.Kind {
	case CaseUncredited:
		return fmt.Sprintf("payment %q of %s: not credited", c.Key, units(c.Units))
	case CaseLateCredit:
		return fmt.Sprintf("payment %q of %s: credited after %s", c.Key, units(c.Units), waited)
	case CaseLateStamp:
		return fmt.Sprintf("serial %s, request %q: stamped after %s", c.Number, c.Key, waited)
	case CaseReleased:
		return fmt.Sprintf("serial %s, request %q: released after %s%s", c.Number, c.Key, waited, because(c.Note))
	case CaseVoid:
		return fmt.Sprintf("serial %s, request %q: void after %s%s", c.Number, c.Key, waited, because(c.Note))
	}
	return fmt.Sprintf("serial %s, request %q: not finished", c.Number, c.Key)
}

const maxCases = 1000

// saturate adds counts; what is too large is the largest.
func saturate(a, b int64) int64 {
	if s, ok := sum(a, b); ok {
		return s
	}
	return math.MaxInt64
}

// add counts a case.
func (h *Harm) add(c Case) {
	switch c.Kind {
	case CaseUncredited:
		h.Uncredited++
		h.Owed = saturate(h.Owed, c.Units)
	case CaseLateCredit:
		h.LateCredit++
	case CaseLateStamp:
		h.LateStamp++
	case CaseReleased:
		h.Released++
	case CaseVoid:
		h.Void++
	case CasePending:
		h.Pending++
		h.Held = saturate(h.Held, c.Units)
	}
	if len(h.Cases) < maxCases {
		h.Cases = append(h.Cases, c)
	} else {
		h.Omitted++
	}
}

// Affected walks the accounts that an outage has harmed, by name: paid without being credited in time, or a stamping that
// was accepted but late, released or refused, and how many units are owed, so that an operator can make it good at once.
// A payment that was not credited is credited under its own reference ([Ledger.CreditPayment]), so that its late callback
// credits nothing again; what goes beyond what was paid is given by [Ledger.Grant]. A request that was refused before a unit was taken, for lack of units or by a full queue, has left no
// trace in the ledger and is in no report.
//
// The walk reads every entry, as of one moment. Its memory grows with the payments that are in the report and, in an
// account, with the reservations that were open at a time. Payments are looked up first, in groups. An error is the last
// element.
func (l *Ledger) Affected(ctx context.Context, o *Outage) iter.Seq2[Harm, error] {
	return func(yield func(Harm, error) bool) {
		w := &harmWalk{yield: yield, now: l.opt.Now().UTC(), late: time.Minute}
		if o != nil {
			w.from, w.to, w.late = o.From, o.To, cmp.Or(o.Late, time.Minute)
		}
		if w.to.IsZero() {
			w.to = w.now
		}
		var err error
		switch {
		case w.late < 0:
			err = &RequestError{Field: "late", Reason: "is negative"}
		case w.to.Before(w.from):
			err = &RequestError{Field: "window", Reason: "ends before it begins"}
		case o != nil && o.Payments != nil:
			err = w.compare(ctx, l.store, o.Payments)
		}
		if err == nil {
			err = l.store.Scan(ctx, func(r Reader) error { return w.read(ctx, r) })
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(Harm{}, fmt.Errorf("affected accounts: %w", err))
		}
	}
}

// harmWalk folds the entries of one account after the other.
type harmWalk struct {
	yield    func(Harm, error) bool
	from, to time.Time
	now      time.Time
	late     time.Duration

	paid  map[string][]Payment // by account: those that were not credited in time, when they were looked up
	asked map[KeyID]bool       // the same
	names []string             // of these accounts, sorted: those that the walk has not passed

	harm    Harm
	waiting map[string]Payment // of paid: those of the account whose entry was not met yet
	open    map[Number]Entry   // reservations of the account that are not final yet
}

// overlaps reports whether a time of waiting, without an end if to is zero, has a moment in the window.
func (w *harmWalk) overlaps(from, to time.Time) bool {
	return !from.After(w.to) && (to.IsZero() || !to.Before(w.from))
}

// compare looks up what the provider says was paid.
func (w *harmWalk) compare(ctx context.Context, store Store, payments iter.Seq2[Payment, error]) error {
	w.paid, w.asked = make(map[string][]Payment), make(map[KeyID]bool)
	group := make([]Payment, 0, maxGroup)
	for p, err := range payments {
		if err != nil {
			return err
		}
		if err := checkScope(p.Account, p.Reference); err != nil {
			return err
		}
		if p.Units <= 0 || p.Paid.IsZero() {
			return &RequestError{Field: "payment", Reason: fmt.Sprintf("%q of account %q has no units or no time", p.Reference, p.Account)}
		}
		if err := p.checkPaid(); err != nil {
			return err
		}
		if group = append(group, p); len(group) == maxGroup {
			if err := w.lookUp(ctx, store, group); err != nil {
				return err
			}
			group = group[:0]
		}
	}
	return w.lookUp(ctx, store, group)
}

func (w *harmWalk) lookUp(ctx context.Context, store Store, group []Payment) error {
	if len(group) == 0 {
		return nil
	}
	q := &Query{}
	for _, p := range group {
		q.Keys = append(q.Keys, KeyID{p.Account, OpCredit, string(p.Reference)})
	}
	snap, err := store.View(ctx, q)
	if err != nil {
		return err
	}
	for i, p := range group {
		k, credited := snap.Keys[q.Keys[i]]
		if w.asked[q.Keys[i]] || credited && k.Units >= p.Units && k.Time.Sub(p.Paid) <= w.late {
			continue // the provider names it twice, or all is well
		}
		w.asked[q.Keys[i]] = true
		p.Reference, p.Paid = slices.Clone(p.Reference), p.Paid.UTC()
		w.paid[p.Account] = append(w.paid[p.Account], p)
	}
	return nil
}

func (w *harmWalk) read(ctx context.Context, r Reader) error {
	w.names = slices.Sorted(maps.Keys(w.paid))
	for e, err := range r.Entries(ctx, "", 0) {
		if err != nil {
			return err
		}
		if e.Account != w.harm.Account {
			if err := w.skip(func(name string) bool { return name < e.Account }); err != nil {
				return err
			}
			if err := w.next(e.Account); err != nil {
				return err
			}
		}
		w.fold(e)
	}
	if err := w.skip(func(string) bool { return true }); err != nil {
		return err
	}
	return w.next("")
}

// skip goes through the accounts that have paid and that the ledger does not know.
func (w *harmWalk) skip(before func(name string) bool) error {
	for len(w.names) > 0 && before(w.names[0]) {
		name := w.names[0]
		w.names = w.names[1:]
		if name == w.harm.Account {
			continue
		}
		if err := w.next(name); err != nil {
			return err
		}
	}
	return nil
}

// next ends an account and begins the next.
func (w *harmWalk) next(account string) error {
	pending := slices.SortedFunc(maps.Values(w.open), func(a, b Entry) int { return cmp.Compare(a.Sequence, b.Sequence) })
	for _, e := range pending {
		if w.now.Sub(e.Time) > w.late {
			w.judge(CasePending, e, time.Time{}, "")
		}
	}
	for _, p := range w.paid[w.harm.Account] {
		if _, ok := w.waiting[string(p.Reference)]; ok && w.now.Sub(p.Paid) > w.late {
			w.judge(CaseUncredited, Entry{Key: p.Reference, Units: p.Units, Time: p.Paid}, time.Time{}, "")
		}
	}
	if len(w.harm.Cases) > 0 && !w.yield(w.harm, nil) {
		return errStop
	}
	w.harm, w.open, w.waiting = Harm{Account: account}, make(map[Number]Entry), make(map[string]Payment)
	for _, p := range w.paid[account] {
		w.waiting[string(p.Reference)] = p
	}
	return nil
}

// credited judges a purchase, by what the provider says if it says something.
func (w *harmWalk) credited(e *Entry) {
	p, told := w.waiting[string(e.Key)]
	delete(w.waiting, string(e.Key))
	if !told {
		p = Payment{Units: e.Units, Paid: e.Paid}
	}
	switch {
	case e.Units < p.Units:
		w.judge(CaseUncredited, Entry{Key: e.Key, Units: p.Units - e.Units, Time: p.Paid}, time.Time{}, "")
	case !p.Paid.IsZero() && e.Time.Sub(p.Paid) > w.late:
		w.judge(CaseLateCredit, Entry{Key: e.Key, Units: e.Units, Time: p.Paid}, e.Time, "")
	}
}

func (w *harmWalk) fold(e Entry) {
	switch e.Kind {
	case KindPurchase:
		w.credited(&e)
	case KindReserve:
		w.open[e.Number] = e
	case KindStamped, KindRelease, KindVoid:
		begun, ok := w.open[e.Number]
		delete(w.open, e.Number)
		switch {
		case !ok: // which an audit finds
		case e.Kind == KindRelease:
			w.judge(CaseReleased, begun, e.Time, e.Note)
		case e.Kind == KindVoid:
			w.judge(CaseVoid, begun, e.Time, e.Note)
		case e.Time.Sub(begun.Time) > w.late:
			w.judge(CaseLateStamp, begun, e.Time, "")
		}
	}
}

// judge adds a case that began with an entry, if it is in the window.
func (w *harmWalk) judge(kind CaseKind, begun Entry, to time.Time, note string) {
	if w.overlaps(begun.Time, to) {
		w.harm.add(Case{Kind: kind, Key: string(begun.Key), Units: begun.Units, Number: begun.Number, From: begun.Time, To: to, Note: note})
	}
}

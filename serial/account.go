package serial

import (
	"fmt"
	"math"
	"time"
)

// Balance counts the units of an account. It is the fold of the account's entries. At every commit
//
//	Purchased + Granted + TransferredIn + Postpaid = Available + Reserved + Stamped + Refunded + TransferredOut
//
// and no count is negative.
type Balance struct {
	Purchased      int64 `json:"purchased"`       // bought and paid
	Granted        int64 `json:"granted"`         // given
	TransferredIn  int64 `json:"transferred_in"`  // from other accounts
	Postpaid       int64 `json:"postpaid"`        // drawn on the limit
	Available      int64 `json:"available"`       // free to use
	Reserved       int64 `json:"reserved"`        // held for reservations that are not final
	Stamped        int64 `json:"stamped"`         // used
	Refunded       int64 `json:"refunded"`        // paid back
	TransferredOut int64 `json:"transferred_out"` // to other accounts
	Limit          int64 `json:"limit"`           // how many units may be drawn postpaid
}

// Account is the stored fold of the entries of an account.
type Account struct {
	Name     string
	Sequence int64     // of the newest entry, 0 if there is none
	Head     [32]byte  // hash of the newest entry
	Time     time.Time // of the newest entry
	Balance
}

// Check reports an error if a count is negative or units are not conserved (see [Balance]).
func (b *Balance) Check() error {
	in, ok := sum(b.Purchased, b.Granted, b.TransferredIn, b.Postpaid)
	out, ok2 := sum(b.Available, b.Reserved, b.Stamped, b.Refunded, b.TransferredOut)
	if !ok || !ok2 || b.Limit < 0 {
		return &CorruptError{Reason: "a count of units is negative or too large"}
	}
	if in != out {
		return &CorruptError{Reason: fmt.Sprintf("%d units came in, but %d are accounted for", in, out)}
	}
	return nil
}

// sum adds counts; false if one is negative or the sum is too large.
func sum(counts ...int64) (int64, bool) {
	var s int64
	for _, c := range counts {
		if c < 0 || s > math.MaxInt64-c {
			return 0, false
		}
		s += c
	}
	return s, true
}

// post moves units as an entry of that kind says.
func (b *Balance) post(kind Kind, n int64) error {
	switch kind {
	case KindPurchase:
		return shift(nil, n, &b.Purchased, &b.Available)
	case KindGrant:
		return shift(nil, n, &b.Granted, &b.Available)
	case KindTransferIn:
		return shift(nil, n, &b.TransferredIn, &b.Available)
	case KindPostpaid:
		return shift(nil, n, &b.Postpaid, &b.Available)
	case KindTransferOut:
		return shift(&b.Available, n, &b.TransferredOut)
	case KindRefund:
		return shift(&b.Available, n, &b.Refunded)
	case KindReserve:
		return shift(&b.Available, n, &b.Reserved)
	case KindStamped:
		return shift(&b.Reserved, n, &b.Stamped)
	case KindRelease, KindVoid:
		return shift(&b.Reserved, n, &b.Available)
	case KindLimit:
		b.Limit = n
		return nil
	case KindSigning, KindOrphan, KindClock:
		if n != 0 {
			return &CorruptError{Reason: kind.String() + " moves no units"}
		}
		return nil
	}
	return &CorruptError{Reason: "unknown kind of entry: " + kind.String()}
}

// shift takes n units from one count, if not nil, and adds them to the others.
func shift(from *int64, n int64, to ...*int64) error {
	if n <= 0 {
		return &RequestError{Field: "units", Reason: "is not above 0"}
	}
	if from != nil && *from < n {
		return ErrInsufficient
	}
	for _, t := range to {
		if *t > math.MaxInt64-n {
			return &RequestError{Field: "units", Reason: "the account would hold more than 2^63-1"}
		}
	}
	if from != nil {
		*from -= n
	}
	for _, t := range to {
		*t += n
	}
	return nil
}

// apply folds e into a and checks conservation. Sequence, time and head of a become those of e; that they follow is for
// the caller to see to. On an error a is unchanged.
func (a *Account) apply(e *Entry) error {
	next := *a
	if err := next.post(e.Kind, e.Units); err != nil {
		return err
	}
	if err := next.Check(); err != nil {
		if _, ok := sum(next.Purchased, next.Granted, next.TransferredIn, next.Postpaid); !ok {
			return &RequestError{Field: "units", Reason: "the account would hold more than 2^63-1"}
		}
		return err
	}
	next.Sequence, next.Head, next.Time = e.Sequence, e.Chain(a.Head), e.Time
	*a = next
	return nil
}

// append completes e as the next entry of a at time t, and folds it in.
func (a *Account) append(e Entry, t time.Time) (Entry, error) {
	e.Account, e.Sequence, e.Time = a.Name, a.Sequence+1, t
	if err := a.apply(&e); err != nil {
		return Entry{}, err
	}
	e.Hash = a.Head
	return e, nil
}

package serial

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// What an audit knows of reservations, keys and leases: what the entries say of them, and what is stored.

// fact is what one entry says of a reservation. The row of a reservation holds the facts of all its entries.
type fact struct {
	kind    Kind
	number  Number
	account string
	time    time.Time
	digest  [32]byte
	length  int64
	text    string
}

// said gives the fact that an entry states; false if it is not about a reservation.
func said(e *Entry) (fact, bool) {
	f := fact{kind: e.Kind, number: e.Number, account: e.Account, time: e.Time}
	switch e.Kind {
	case KindReserve:
		f.digest, f.text = e.Digest, string(e.Key)
	case KindSigning:
		f.time = e.Time.Truncate(time.Second)
	case KindStamped:
		f.digest, f.length = e.Digest, e.Length
	case KindRelease, KindVoid:
		f.text = e.Note
	case KindOrphan:
		f.digest, f.length, f.time = e.Digest, e.Length, time.Time{}
	default:
		return fact{}, false
	}
	return f, true
}

// stored gives the facts that a reservation's row holds. What its state does not have becomes a fact that no entry states.
func stored(r *Reservation) []fact {
	f := fact{number: r.Number, account: r.Account}
	of := func(k Kind, t time.Time, o Output, text string) fact {
		f := f
		f.kind, f.time, f.digest, f.length, f.text = k, t, o.Digest, o.Length, text
		return f
	}
	facts := []fact{of(KindReserve, r.Reserved, Output{Digest: r.Request.fingerprint()}, string(r.Request.Key))}
	if !r.Time.IsZero() {
		facts = append(facts, of(KindSigning, r.Time, Output{}, ""))
	}
	switch {
	case r.State == Stamped:
		facts = append(facts, of(KindStamped, r.Resolved, r.Output, r.Note))
	case r.State == Released:
		facts = append(facts, of(KindRelease, r.Resolved, Output{}, r.Note))
	case r.State == Void:
		facts = append(facts, of(KindVoid, r.Resolved, Output{}, r.Note))
	case !r.Resolved.IsZero() || r.Note != "":
		facts = append(facts, of(0, r.Resolved, Output{}, r.Note))
	}
	if r.State != Stamped && r.Output != (Output{}) {
		facts = append(facts, of(KindOrphan, time.Time{}, r.Output, ""))
	}
	return facts
}

func (a *audit) factHash(f *fact) [32]byte {
	b := append(make([]byte, 0, 512), a.secret[:]...)
	packed := f.number.Packed()
	b = append(append(b, 'f', byte(f.kind)), packed[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(f.time.UnixMicro()))
	b = binary.BigEndian.AppendUint64(append(b, f.digest[:]...), uint64(f.length))
	return sha256.Sum256(appendString(appendString(b, f.account), f.text))
}

// rowSum is the sum of all that a reservation's row holds.
func (a *audit) rowSum(r *Reservation) (s digestSum) {
	s.add(a.numberHash(r.Number, r.Account, r.State))
	for _, f := range stored(r) {
		s.add(a.factHash(&f))
	}
	return s
}

// keysOf follows the keys of one account from entry to entry. It keeps those of reservations that are not signed, whose
// keys a new attempt may take over.
type keysOf struct {
	held     map[Number]Key
	released map[string]Key
}

// next takes an entry: add gets the key that it makes, remove the one that it replaces.
func (k *keysOf) next(e *Entry, add, remove func(*Key)) {
	made := Key{ID: KeyID{Account: e.Account, Key: string(e.Key)}, Number: e.Number, Sequence: e.Sequence, Units: e.Units, Peer: e.Peer, Time: e.Time}
	switch e.Kind {
	case KindPurchase:
		made.ID.Op = OpCredit
	case KindGrant:
		made.ID.Op = OpGrant
	case KindTransferOut:
		made.ID.Op = OpTransfer
	case KindRefund:
		made.ID.Op = OpRefund
	case KindLimit:
		made.ID.Op = OpLimit
	case KindReserve:
		made.ID.Op = OpRedeem
		if old, ok := k.released[made.ID.Key]; ok {
			remove(&old)
			delete(k.released, made.ID.Key)
		}
		if k.held == nil {
			k.held, k.released = make(map[Number]Key), make(map[string]Key)
		}
		k.held[e.Number] = made
	case KindRelease:
		if old, ok := k.held[e.Number]; ok {
			k.released[old.ID.Key] = old
		}
		fallthrough
	case KindSigning:
		delete(k.held, e.Number)
		return
	default:
		return
	}
	add(&made)
}

func (a *audit) keyHash(k *Key) [32]byte {
	b := append(make([]byte, 0, 1024), a.secret[:]...)
	packed := k.Number.Packed()
	b = append(append(b, 'k', byte(k.ID.Op)), packed[:]...)
	for _, v := range [...]int64{k.Sequence, k.Units, k.Time.UnixMicro()} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	return sha256.Sum256(appendString(appendString(appendString(b, k.ID.Account), k.ID.Key), k.Peer))
}

func (a *audit) readKeys(ctx context.Context, r Reader) error {
	for k, err := range r.Keys(ctx) {
		if err != nil {
			return err
		}
		a.keys.sub(a.keyHash(&k))
	}
	return nil
}

// nameKeys finds which keys are not what their entries say. It holds all keys in memory.
func (a *audit) nameKeys(ctx context.Context, r Reader) error {
	at := make(map[KeyID][32]byte)
	var of keysOf
	err := eachFold(ctx, r, func(_ *fold, e *Entry) {
		of.next(e, func(k *Key) {
			if _, ok := at[k.ID]; ok {
				a.problem(Problem{Account: e.Account, Sequence: e.Sequence, Number: e.Number, Text: "has the key of an earlier entry"})
			}
			at[k.ID] = a.keyHash(k)
		}, func(k *Key) { delete(at, k.ID) })
	}, func(*fold) { of = keysOf{} })
	if err != nil {
		return err
	}
	for k, err := range r.Keys(ctx) {
		if err != nil {
			return err
		}
		if at[k.ID] != a.keyHash(&k) {
			a.problem(Problem{Account: k.ID.Account, Sequence: k.Sequence, Number: k.Number,
				Text: fmt.Sprintf("the stored answer under key %q is not what the entries say", k.ID.Key)})
		}
		delete(at, k.ID)
	}
	for id := range at {
		a.problem(Problem{Account: id.Account, Text: fmt.Sprintf("key %q has an entry but is not stored: its request could be done again", id.Key)})
	}
	return nil
}

// readSeries checks that the leases of each series follow each other up to its mark.
func (a *audit) readSeries(ctx context.Context, r Reader) error {
	newest := make(map[SeriesID]Lease)
	for l, err := range r.Leases(ctx) {
		if err != nil {
			return err
		}
		last, follows := newest[l.Series]
		switch {
		case l.First >= l.Last:
			a.problem(Problem{Text: fmt.Sprintf("series %s: the lease with term %d is empty", l.Series, l.Term)})
		case follows && (l.Term <= last.Term || l.First != last.Last), !follows && l.First != 0 && l.Term != 1:
			a.problem(Problem{Text: fmt.Sprintf("series %s: the lease with term %d begins at counter %d, but the one before ends at %d",
				l.Series, l.Term, l.First, last.Last)})
		}
		newest[l.Series] = l
	}
	for s, err := range r.Series(ctx) {
		if err != nil {
			return err
		}
		last := newest[s.ID]
		if last.Last != s.Mark {
			a.problem(Problem{Text: fmt.Sprintf("series %s: its mark is %d, but its leases end at counter %d", s.ID, s.Mark, last.Last)})
		}
		if s.Fence > s.Term || last.Term > s.Term || last.Term < s.Term && s.Fence != s.Term {
			a.problem(Problem{Text: fmt.Sprintf("series %s: its term is %d and its fence %d, but its newest lease has term %d",
				s.ID, s.Term, s.Fence, last.Term)})
		}
		delete(newest, s.ID)
	}
	for id := range newest {
		a.problem(Problem{Text: fmt.Sprintf("series %s has leases but is not stored", id)})
	}
	return nil
}

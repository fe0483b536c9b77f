package verify

import (
	"context"
	"errors"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// Ledger is asked what became of a serial. A [*serial.Ledger] is one; another may
// ask a service. It must be safe for concurrent use where its [Options] are shared.
type Ledger interface {
	// Lookup gives the reservation of a number, or an error that is
	// [serial.ErrNotFound] when no such number was ever issued. Of the
	// reservation Number and State count, and of a stamped one Request.Digest, Length
	// and Value, as well as the Note of a void one. Any other error says that the
	// ledger could not be asked; its text stands in the report, so it must hold no
	// secret. Lookup is called in sequence by one call of this package, ends with
	// its context, and is only asked about serials that a trusted key has sealed
	// for the document at hand, so that nobody can find out numbers with it.
	Lookup(ctx context.Context, n serial.Number) (serial.Reservation, error)
}

// SerialStatus is what published lists and the ledger say of a serial.
type SerialStatus string

// The states of a serial. Where list and ledger speak, the graver one is given.
const (
	StatusNotListed   SerialStatus = "not-listed"     // a current list, which does not name it as void
	StatusStamped     SerialStatus = "stamped"        // the ledger: on this document
	StatusOther       SerialStatus = "other-document" // the ledger: on another document, or with another value
	StatusNotStamped  SerialStatus = "not-stamped"    // the ledger: issued, and not, or not yet, stamped
	StatusReleased    SerialStatus = "released"       // the ledger: given back before anything was signed
	StatusVoid        SerialStatus = "void"           // list or ledger: void, the unit was returned
	StatusUnknown     SerialStatus = "unknown"        // the ledger: never issued
	StatusUnavailable SerialStatus = "unavailable"    // the ledger could not be asked
)

// fail makes the verdict TOTAL-FAILED; what was found before becomes a note.
func (v *sealVerdict) fail(status SerialStatus, sub SubIndication, why *phrase) {
	if v.why != nil {
		v.notes = append(v.notes, v.why)
	}
	v.ind, v.sub, v.why, v.status = TotalFailed, sub, why, status
}

// doubt makes a verdict that was good INDETERMINATE.
func (v *sealVerdict) doubt(sub SubIndication, why *phrase) {
	if v.ind != TotalPassed {
		v.notes = append(v.notes, why)
		return
	}
	v.ind, v.sub, v.why = Indeterminate, sub, why
}

// judgeSeal holds a seal against the trust list and, when ask is set, its serial
// against the published lists and the ledger. proven is when a timestamp proves
// that the seal existed, or zero.
func (o *Options) judgeSeal(ctx context.Context, s *seal.Seal, proven time.Time, ask bool) (sealVerdict, error) {
	q := &sealInquiry{now: o.Time, proven: proven, skew: o.Limits.ClockSkew}
	v, err := o.SealTrust.judge(s, q)
	if err != nil {
		return v, err
	}
	if v.entry != nil && ask && !o.IntegrityOnly {
		o.listed(s, &v)
		if v.status != StatusVoid {
			o.ask(ctx, s, &v)
		}
	}
	v.settle(q)
	if o.RequireStatus && v.entry != nil && ask && !o.IntegrityOnly && v.status == "" {
		v.doubt(TryLater, say("no current list and no ledger says what became of the serial"))
	}
	return v, nil
}

// settle judges that the key is revoked: a thief can write any time into a seal, so
// only a timestamp from before, or the ledger, makes one good.
func (v *sealVerdict) settle(q *sealInquiry) {
	if !v.gone.known {
		return
	}
	why := say("the seal key is revoked, by %s", v.gone.by)
	if !v.gone.at.IsZero() {
		why = say("the seal key is revoked since %s, by %s", v.gone.at.UTC().Format(time.RFC3339), v.gone.by)
	}
	switch {
	case v.entry == nil:
	case !q.proven.IsZero() && q.proven.Before(v.gone.at):
		v.notes = append(v.notes, say("%s, but the seal is proved to have existed at %s", why, q.proven.UTC().Format(time.RFC3339)))
	case v.status == StatusStamped:
		v.notes = append(v.notes, say("%s, but the ledger says that this serial was stamped on this document", why))
	case q.proven.IsZero():
		v.trust = false
		v.doubt(RevokedNoPOE, say("%s: nothing but the seal itself says that it is older, so only the issuer's ledger can tell", why))
	default:
		v.trust = false
		v.doubt(RevokedNoPOE, say("%s: the seal is proved to have existed only at %s, so only the issuer's ledger can tell", why, q.proven.UTC().Format(time.RFC3339)))
	}
}

// listed looks for the seal's serial and key in the published lists.
func (o *Options) listed(s *seal.Seal, v *sealVerdict) {
	var newest *StatusList
	for _, l := range o.Lists {
		if l == nil || !l.speaksOf(s) {
			continue
		}
		name := say("published list %d of %s", l.Number, l.Issued.UTC().Format(time.RFC3339))
		if v.status != StatusVoid && l.Void(s.Serial) {
			v.fail(StatusVoid, Revoked, say("the serial is void: %s names it", name))
		}
		if r, ok := l.revocation(v.key); ok {
			v.gone.note(r.At, say("%s (%s)", name, r.Reason.words()))
		}
		if newest == nil || l.NextUpdate.After(newest.NextUpdate) {
			newest = l
		}
	}
	switch {
	case newest == nil || v.status == StatusVoid:
	case newest.Current(o.Time):
		v.status = StatusNotListed
	default:
		v.notes = append(v.notes, say("the published list %d is stale: the next one was due at %s, so serials may be void that it does not name",
			newest.Number, newest.NextUpdate.UTC().Format(time.RFC3339)))
	}
}

// ask holds a seal against the ledger. Where that cannot be asked, nothing is
// known of the serial that the caller wanted to know.
func (o *Options) ask(ctx context.Context, s *seal.Seal, v *sealVerdict) {
	if o.Ledger == nil {
		return
	}
	r, err := o.Ledger.Lookup(ctx, s.Serial)
	if err == nil && r.Number != s.Serial {
		err = say("it answered about another serial")
	}
	switch {
	case errors.Is(err, serial.ErrNotFound):
		v.status = StatusUnknown
		v.doubt(SigConstraintsFailure, say("the ledger knows no such serial: it was not issued, or by another ledger, or after the backup that this one was restored from"))
		return
	case err != nil:
		v.status = StatusUnavailable
		v.doubt(TryLater, say("the ledger could not be asked: %s", err))
		return
	}
	var note *phrase
	if r.Note != "" {
		note = say(" (%s)", cleanText(r.Note))
	}
	switch r.State {
	case serial.Stamped:
		o.compareLedger(s, &r, v)
	case serial.Void:
		v.fail(StatusVoid, Revoked, say("the serial is void, says the ledger%s", note))
	case serial.Released:
		v.fail(StatusReleased, Revoked, say("the serial was released before anything was signed, says the ledger%s", note))
	case serial.Reserved, serial.Signing:
		v.status = StatusNotStamped
		v.doubt(TryLater, say("the serial was issued and is not stamped, says the ledger: it is %s", stateWords(r.State)))
	default:
		v.status = StatusUnavailable
		v.doubt(TryLater, say("the ledger could not be asked: its answer has no known state"))
	}
}

// stateWords names the state of a serial that is on its way to a stamp.
func stateWords(s serial.State) *phrase {
	if s == serial.Reserved {
		return say("RESERVED")
	}
	return say("SIGNING")
}

// compareLedger holds a seal against what was stamped.
func (o *Options) compareLedger(s *seal.Seal, r *serial.Reservation, v *sealVerdict) {
	switch {
	case r.Request.Digest != s.DocumentDigest || r.Request.Length != s.DocumentLength:
		v.fail(StatusOther, HashFailure, say("the serial was stamped on another document, says the ledger"))
	case r.Request.Value != s.Value:
		v.fail(StatusOther, FormatFailure, say("the serial was stamped with the value %d, says the ledger, and the seal says %d", r.Request.Value, s.Value))
	default:
		v.status = StatusStamped
	}
}

// consult judges the seals of the document. Lists and ledger are asked only of
// those that belong to it.
func (d *document) consult(ctx context.Context) error {
	return d.each(ctx, func(c *candidate) {
		if c.claim == nil || c.claim.seal == nil {
			return
		}
		ask := c.claim.why == nil && c.claim.bound() && c.intact
		v, err := d.opt.judgeSeal(ctx, c.claim.seal, c.poe, ask)
		if err != nil {
			v = sealVerdict{ind: Indeterminate, sub: NoCertificateChainFound, why: say("the seal trust list cannot be used")}
		}
		c.claim.verdict = v
	})
}

package verify_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/verify"
)

// stampedAt makes a stamped document; token is the time of a timestamp over the
// signature, zero for none.
func (w *world) stampedAt(t testing.TB, token time.Time, change func(*seal.Seal)) []byte {
	t.Helper()
	j := job{stamp: &stampJob{number: serialNumber(t, 1), change: change}}
	if !token.IsZero() {
		j.unsigned = func(value []byte) *cms.Attribute {
			sum := sha256.Sum256(value)
			return &cms.Attribute{Type: cms.TimestampToken(), Values: [][]byte{w.token(t, w.pki.TSA, sum[:], token)}}
		}
	}
	return w.sign(t, plain("agreement", 2, 0), j)
}

// A seal in a document is judged by the time that timestamps prove, and by the
// time that it claims only where nothing is proved.
func TestSealJudgedByTheProvedTime(t *testing.T) {
	w := newWorld(t)
	days := func(n int) time.Time { return now.AddDate(0, 0, n) }
	backdated := func(s *seal.Seal) { s.Issued = days(-30) }
	over := func(doc []byte, n int) []byte { // a document timestamp
		return w.sign(t, doc, job{field: "Archive", subFilter: "ETSI.RFC3161", id: w.pki.TSA, at: days(n)})
	}
	for _, c := range []struct {
		name  string
		doc   []byte
		entry func(*verify.SealTrustEntry)
		sub   verify.SubIndication
		says  string
	}{
		{"valid, nothing proved", w.stampedAt(t, time.Time{}, nil), nil, "", ""},
		{"valid, proved", w.stampedAt(t, days(1), nil), nil, "", ""},
		{"key expired, nothing proved", w.stampedAt(t, time.Time{}, nil), func(e *verify.SealTrustEntry) { e.NotAfter = days(2) }, "", ""},
		{"key expired, proved to be older", w.stampedAt(t, days(1), nil), func(e *verify.SealTrustEntry) { e.NotAfter = days(2) }, "", ""},
		{"key expired, a document timestamp is older", over(w.stampedAt(t, time.Time{}, nil), 1), func(e *verify.SealTrustEntry) { e.NotAfter = days(2) }, "", ""},
		{"key had expired when it was proved", w.stampedAt(t, days(3), nil), func(e *verify.SealTrustEntry) { e.NotAfter = days(2) },
			"", "proved to have existed only after its key had expired"},
		{"claims to be older than its key", w.stampedAt(t, days(1), backdated), func(e *verify.SealTrustEntry) { e.NotBefore = days(-1) },
			verify.OutOfBoundsNoPOE, "by the time that it claims, outside the validity of its key"},
		{"proved before its key was valid", w.stampedAt(t, days(1), func(s *seal.Seal) { s.Issued = days(1).Add(4 * time.Minute) }),
			func(e *verify.SealTrustEntry) { e.NotBefore = days(1).Add(2 * time.Minute) }, verify.NotYetValid, "before its key was valid"},
		{"proved before the time that it claims", w.stampedAt(t, days(1), func(s *seal.Seal) { s.Issued = days(2) }), nil,
			verify.TimestampOrderFailure, "before the time that it claims"},

		{"revoked, nothing proved", w.stampedAt(t, time.Time{}, nil), func(e *verify.SealTrustEntry) { e.RevokedAt = days(5) },
			verify.RevokedNoPOE, "nothing but the seal itself says that it is older"},
		{"revoked, backdated by a thief", w.stampedAt(t, days(6), backdated), func(e *verify.SealTrustEntry) { e.RevokedAt = days(5) },
			verify.RevokedNoPOE, "proved to have existed only at 2026-09-10T08:00:00Z"},
		{"revoked, proved at that very time", w.stampedAt(t, days(5), nil), func(e *verify.SealTrustEntry) { e.RevokedAt = days(5) },
			verify.RevokedNoPOE, "only the issuer's ledger can tell"},
		{"revoked, proved to be older", w.stampedAt(t, days(4), nil), func(e *verify.SealTrustEntry) { e.RevokedAt = days(5) }, "", "but the seal is proved to have existed at"},
		{"revoked, a document timestamp is older", over(w.stampedAt(t, time.Time{}, nil), 4), func(e *verify.SealTrustEntry) { e.RevokedAt = days(5) }, "", "but the seal is proved"},
		{"revoked since nobody knows when", w.stampedAt(t, days(1), nil), func(e *verify.SealTrustEntry) { e.Revoked = true }, verify.RevokedNoPOE, "is revoked, by the seal trust list"},
		{"revoked, with both", w.stampedAt(t, days(1), nil), func(e *verify.SealTrustEntry) { e.Revoked, e.RevokedAt = true, days(5) }, "", "but the seal is proved"},
	} {
		t.Run(c.name, func(t *testing.T) {
			trust := listTrust(t, w, c.entry)
			r := check(t, c.doc, with(w.opt, func(o *verify.Options) { o.SealTrust, o.Time = trust, days(10) }))
			requireSub(t, c.sub, r)
			require.Contains(t, r.Text(), c.says)
			require.Equal(t, c.sub == "", r.Signatures[0].Stamp.Genuine, r.Text())
		})
	}
	t.Run("a timestamp that nobody trusts proves nothing", func(t *testing.T) {
		doc := w.sign(t, plain("agreement", 2, 0), job{stamp: &stampJob{number: serialNumber(t, 1)}, unsigned: func(value []byte) *cms.Attribute {
			sum := sha256.Sum256(value)
			return &cms.Attribute{Type: cms.TimestampToken(), Values: [][]byte{w.token(t, w.other.TSA, sum[:], days(1))}}
		}})
		trust := listTrust(t, w, func(e *verify.SealTrustEntry) { e.RevokedAt = days(5) })
		requireSub(t, verify.RevokedNoPOE, check(t, doc, with(w.opt, func(o *verify.Options) { o.SealTrust, o.Time = trust, days(10) })))
	})
}

// A revocation that a published list brings counts as one of the trust list does.
func TestRevokedBySomeList(t *testing.T) {
	w := newWorld(t)
	trust := listTrust(t, w, nil)
	since := now.AddDate(0, 0, 5)
	l := parsed(t, published(t, listSigner(1), func(d *verify.StatusListDraft) {
		d.Revoked = []verify.RevokedKey{{Key: keyOf(t, w.pki.SealP256).Hash(), At: since, Reason: verify.ReasonKeyCompromise}}
	}), trust)
	opt := with(w.opt, func(o *verify.Options) {
		o.SealTrust, o.Time, o.Lists = trust, now.AddDate(0, 0, 10), []*verify.StatusList{l}
	})
	r := check(t, w.stamped(t), opt)
	requireSub(t, verify.RevokedNoPOE, r)
	require.Contains(t, r.Text(), "published list 7 of 2026-09-04T07:00:00Z (key compromise)")
	requireSub(t, "", check(t, w.stampedAt(t, since.Add(-time.Second), nil), opt))
	requireSub(t, verify.RevokedNoPOE, check(t, w.stampedAt(t, since.Add(time.Second), nil), opt))

	s, err := verify.Seal(sealText(t, w, serialNumber(t, 1)), opt)
	require.NoError(t, err)
	require.Equal(t, verify.RevokedNoPOE, s.SubIndication, "nothing on paper proves a time")
	require.False(t, s.Genuine)

	earlier := listTrust(t, w, func(e *verify.SealTrustEntry) { e.RevokedAt = now.AddDate(0, 0, 2) })
	opt.SealTrust = earlier
	requireSub(t, verify.RevokedNoPOE, check(t, w.stampedAt(t, since.Add(-time.Second), nil), opt))
}

// ledgerAnswer is a ledger that always answers the same.
type ledgerAnswer struct {
	r     serial.Reservation
	err   error
	asked int
}

func (l *ledgerAnswer) Lookup(_ context.Context, n serial.Number) (serial.Reservation, error) {
	l.asked++
	if l.r.Number.IsZero() {
		l.r.Number = n
	}
	return l.r, l.err
}

func TestLedgerAnswers(t *testing.T) {
	w := newWorld(t)
	doc, base := w.stamped(t), plain("agreement", 2, 0)
	was := serial.Request{Digest: sha256.Sum256(base), Length: int64(len(base)), Value: 10000}
	request := func(change func(*serial.Request)) serial.Request {
		r := was
		change(&r)
		return r
	}
	text := sealText(t, w, serialNumber(t, 1))
	for _, c := range []struct {
		name   string
		ledger ledgerAnswer
		ind    verify.Indication
		sub    verify.SubIndication
		status verify.SerialStatus
		says   string
	}{
		{"stamped", ledgerAnswer{r: serial.Reservation{State: serial.Stamped, Request: was}}, verify.TotalPassed, "", verify.StatusStamped, "as stamped on this document"},
		{"another document", ledgerAnswer{r: serial.Reservation{State: serial.Stamped, Request: request(func(r *serial.Request) { r.Digest[0] ^= 1 })}},
			verify.TotalFailed, verify.HashFailure, verify.StatusOther, "stamped on another document"},
		{"another length", ledgerAnswer{r: serial.Reservation{State: serial.Stamped, Request: request(func(r *serial.Request) { r.Length++ })}},
			verify.TotalFailed, verify.HashFailure, verify.StatusOther, "stamped on another document"},
		{"another value", ledgerAnswer{r: serial.Reservation{State: serial.Stamped, Request: request(func(r *serial.Request) { r.Value = 1 })}},
			verify.TotalFailed, verify.FormatFailure, verify.StatusOther, "with the value 1"},
		{"reserved", ledgerAnswer{r: serial.Reservation{State: serial.Reserved}}, verify.Indeterminate, verify.TryLater, verify.StatusNotStamped, "it is RESERVED"},
		{"signing", ledgerAnswer{r: serial.Reservation{State: serial.Signing}}, verify.Indeterminate, verify.TryLater, verify.StatusNotStamped, "it is SIGNING"},
		{"void", ledgerAnswer{r: serial.Reservation{State: serial.Void, Note: "given\nup"}}, verify.TotalFailed, verify.Revoked, verify.StatusVoid, "is void, says the ledger (given?up)"},
		{"released", ledgerAnswer{r: serial.Reservation{State: serial.Released}}, verify.TotalFailed, verify.Revoked, verify.StatusReleased, "released before anything was signed"},
		{"unknown", ledgerAnswer{err: serial.ErrNotFound}, verify.Indeterminate, verify.SigConstraintsFailure, verify.StatusUnknown, "knows no such serial"},
		{"down", ledgerAnswer{err: errors.New("connection\x1b refused")}, verify.Indeterminate, verify.TryLater, verify.StatusUnavailable, "could not be asked: connection? refused"},
		{"no state", ledgerAnswer{}, verify.Indeterminate, verify.TryLater, verify.StatusUnavailable, "no known state"},
		{"another serial", ledgerAnswer{r: serial.Reservation{Number: serialNumber(t, 2), State: serial.Stamped, Request: was}},
			verify.Indeterminate, verify.TryLater, verify.StatusUnavailable, "about another serial"},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt := with(w.opt, func(o *verify.Options) { o.Ledger = &c.ledger })
			r := check(t, doc, opt)
			require.Equal(t, c.ind, r.Indication, r.Text())
			require.Equal(t, c.sub, r.SubIndication, r.Text())
			require.Equal(t, c.status, r.Signatures[0].Stamp.Status)
			require.Equal(t, c.ind == verify.TotalPassed, r.Signatures[0].Stamp.Genuine, r.Text())
			require.Contains(t, r.Text(), c.says)
			require.Equal(t, 1, c.ledger.asked)

			s, err := verify.SealContext(t.Context(), text, opt)
			require.NoError(t, err)
			require.Equal(t, c.status, s.Status)
			require.Equal(t, c.ind == verify.TotalPassed, s.Genuine)
			require.Contains(t, s.Text(), c.says)

			// A revoked key is made good by the one answer that a thief cannot have.
			opt.SealTrust = listTrust(t, w, func(e *verify.SealTrustEntry) { e.Revoked = true })
			r = check(t, doc, opt)
			require.Equal(t, c.ind, r.Indication, r.Text())
			require.Contains(t, r.Text(), "the seal key is revoked")

			opt.IntegrityOnly = true
			asked := c.ledger.asked
			require.Equal(t, verify.TotalPassed, check(t, doc, opt).Indication)
			require.Equal(t, asked, c.ledger.asked)
		})
	}
}

// Nobody can find out with a ledger what numbers there are: it is asked about what
// a trusted key has sealed for this document alone.
func TestLedgerIsNotAskedAboutForgeries(t *testing.T) {
	w := newWorld(t)
	one, base := serialNumber(t, 1), plain("agreement", 2, 0)
	for name, doc := range map[string][]byte{
		"unknown key":         w.sign(t, base, job{stamp: &stampJob{number: one, key: w.other.SealP256}}),
		"broken seal":         w.sign(t, base, job{stamp: &stampJob{number: one, raw: flip(w.seal(t, base, &stampJob{number: one}), 100)}}),
		"of another document": w.sign(t, base, job{stamp: &stampJob{number: one, raw: w.seal(t, plain("x", 1, 0), &stampJob{number: one})}}),
		"no seal":             w.sign(t, base, job{field: "Stamp" + one.String()}),
		"signature broken":    flip(w.stamped(t), 200),
		"no stamp":            w.sign(t, base, job{}),
	} {
		l := &ledgerAnswer{err: serial.ErrNotFound}
		check(t, doc, with(w.opt, func(o *verify.Options) { o.Ledger = l }))
		require.Zero(t, l.asked, name)
	}
	l := &ledgerAnswer{err: serial.ErrNotFound}
	foreign, err := seal.Text("", w.seal(t, base, &stampJob{number: one, key: w.other.SealP256}))
	require.NoError(t, err)
	_, err = verify.Seal(foreign, with(w.opt, func(o *verify.Options) { o.Ledger = l }))
	require.NoError(t, err)
	require.Zero(t, l.asked)
}

// slowLedger answers when its context ends.
type slowLedger struct{ cancel func() }

func (l slowLedger) Lookup(ctx context.Context, n serial.Number) (serial.Reservation, error) {
	l.cancel()
	<-ctx.Done()
	return serial.Reservation{}, ctx.Err()
}

func TestCancelledWhileTheLedgerIsAsked(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	ctx, cancel := context.WithCancel(t.Context())
	opt := with(w.opt, func(o *verify.Options) { o.Ledger = slowLedger{cancel} })
	_, err := verify.Document(ctx, bytes.NewReader(doc), int64(len(doc)), opt)
	require.ErrorIs(t, err, context.Canceled)
	ctx, cancel = context.WithCancel(t.Context())
	opt.Ledger = slowLedger{cancel}
	_, err = verify.SealContext(ctx, sealText(t, w, serialNumber(t, 1)), opt)
	require.ErrorIs(t, err, context.Canceled)
}

// TestRealLedger: the ledger of package serial is one as it is.
func TestRealLedger(t *testing.T) {
	w := newWorld(t)
	scheme, err := serial.NewScheme('1', "ZZ", [32]byte{1, 2, 3})
	require.NoError(t, err)
	l, err := serial.Open(t.Context(), storetest.NewMemory(), &serial.Options{Scheme: scheme})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	_, err = l.Credit(t.Context(), "me", 2, []byte("1"))
	require.NoError(t, err)
	base := plain("agreement", 2, 0)
	r, err := l.Reserve(t.Context(), serial.Request{Account: "me", Key: []byte("a"), Digest: sha256.Sum256(base), Length: int64(len(base)), Value: 10000})
	require.NoError(t, err)
	doc := w.sign(t, base, job{stamp: &stampJob{number: r.Number}})
	opt := with(w.opt, func(o *verify.Options) { o.Ledger = l })
	require.Equal(t, verify.StatusNotStamped, check(t, doc, opt).Signatures[0].Stamp.Status)
	_, err = l.Signing(t.Context(), r.Number)
	require.NoError(t, err)
	_, err = l.Stamped(t.Context(), r.Number, serial.Output{Digest: sha256.Sum256(doc), Length: int64(len(doc))})
	require.NoError(t, err)
	requireSub(t, "", check(t, doc, opt))
	more := update(t, base, func(u *pdf.Update, _ *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT ET")) })
	again := w.sign(t, more, job{stamp: &stampJob{number: r.Number}})
	require.Equal(t, verify.StatusOther, check(t, again, opt).Signatures[0].Stamp.Status)
	other := w.sign(t, base, job{stamp: &stampJob{number: serialNumber(t, 99)}})
	require.Equal(t, verify.StatusUnknown, check(t, other, opt).Signatures[0].Stamp.Status)
}

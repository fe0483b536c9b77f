package verify_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// An authority on the list vouches for its e-seals, not for whatever else it
// issued: its timestamp and OCSP certificates cannot carry a genuine seal.
func TestAttackSealCarriedByAnotherService(t *testing.T) {
	w := newWorld(t)
	base := plain("I owe 10", 1, 0)
	raw := w.seal(t, base, &stampJob{number: serialNumber(t, 1)})
	for name, id := range map[string]pki.Identity{"timestamp authority": w.pki.TSA, "OCSP responder": w.pki.OCSP} {
		doc := w.sign(t, base, job{id: id, stamp: &stampJob{number: serialNumber(t, 1), raw: raw}})
		require.NotEqual(t, verify.TotalPassed, check(t, doc, w.opt).Indication, name)
	}
}

// A key that any entry revokes is revoked, whatever other entries say.
func TestAttackRevokedInOneEntry(t *testing.T) {
	w := newWorld(t)
	a, b := entryFor(w.pki.SealP256, w.pki.Issuing.Cert), entryFor(w.pki.SealP256, w.pki.Issuing.Cert)
	a.Revoked = true
	for _, entries := range [][]verify.SealTrustEntry{{a, b}, {b, a}} {
		trust, err := verify.NewSealTrust(entries...)
		require.NoError(t, err)
		r := check(t, w.stamped(t), with(w.opt, func(o *verify.Options) { o.SealTrust = trust }))
		require.Equal(t, verify.Indeterminate, r.Indication, "%s", r.Text())
	}
}

// Entries of one key add up: what one of them lets carry the seal may carry it.
func TestCarriersOfTwoEntries(t *testing.T) {
	w := newWorld(t)
	trust, err := verify.NewSealTrust(entryFor(w.pki.SealP256, w.pki.StampRSA.Cert), entryFor(w.pki.SealP256, w.pki.StampP256.Cert))
	require.NoError(t, err)
	r := check(t, w.stamped(t), with(w.opt, func(o *verify.Options) { o.SealTrust = trust }))
	require.Equal(t, verify.TotalPassed, r.Indication, "%s", r.Text())
}

// The last part of a hierarchical name is what names the stamp.
func TestAttackHierarchicalFieldName(t *testing.T) {
	w := newWorld(t)
	other := "a.Stamp" + serialNumber(t, 2).String()
	doc := w.sign(t, plain("x", 1, 0), job{field: "zzz", stamp: &stampJob{number: serialNumber(t, 1)}, edit: func(_, field pdf.Dict) {
		field["T"] = pdf.String(other)
	}})
	require.Equal(t, verify.TotalFailed, check(t, doc, w.opt).Indication)
}

// A timestamp that nobody trusts is not shown as one, nor raises the level.
func TestAttackUntrustedTimestamp(t *testing.T) {
	w := newWorld(t)
	fake := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, id := range map[string]pki.Identity{"home-made": w.other.TSA, "the signer itself": w.pki.StampP256} {
		s := check(t, w.timestamped(t, id, fake, false), w.opt).Signatures[0]
		require.Nil(t, s.Timestamp, name)
		require.Equal(t, "B-B", s.Level, name)
	}
}

// Dates that RFC 3339 cannot write do not keep a report from being written.
func TestAttackDatesOutOfRange(t *testing.T) {
	w := newWorld(t)
	for _, m := range []string{"D:00000101000000+14'00'", "D:99991231235959-14'00'"} {
		doc := w.sign(t, plain("x", 1, 0), job{edit: func(sig, _ pdf.Dict) { sig["M"] = pdf.String(m) }})
		_, err := json.Marshal(check(t, doc, w.opt))
		require.NoError(t, err, m)
	}
	raw := w.seal(t, plain("x", 1, 0), &stampJob{number: serialNumber(t, 1), change: func(s *seal.Seal) { s.Issued = time.Unix(1<<40-1, 0) }})
	text, err := seal.Text("", raw)
	require.NoError(t, err)
	r, err := verify.Seal(text, w.opt)
	require.NoError(t, err)
	_, err = json.Marshal(r)
	require.NoError(t, err)
	doc := w.sign(t, plain("x", 1, 0), job{stamp: &stampJob{number: serialNumber(t, 1), raw: raw}})
	_, err = json.Marshal(check(t, doc, w.opt))
	require.NoError(t, err)
}

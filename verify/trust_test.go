package verify_test

import (
	"crypto/sha256"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

func TestTrust(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	for _, c := range []struct {
		name   string
		change func(o *verify.Options)
		ind    verify.Indication
		sub    verify.SubIndication
	}{
		{"no roots", func(o *verify.Options) { o.Roots = nil }, verify.Indeterminate, verify.NoCertificateChainFound},
		{"roots of others", func(o *verify.Options) { o.Roots = w.other.Roots() }, verify.Indeterminate, verify.NoCertificateChainFound},
		{"no revocation data", func(o *verify.Options) { o.CRLs = nil }, verify.Indeterminate, verify.TryLater},
		{"one list missing", func(o *verify.Options) { o.CRLs = o.CRLs[:1] }, verify.Indeterminate, verify.TryLater},
		{"lists of others", func(o *verify.Options) { o.CRLs = parseCRLs(t, w.other) }, verify.Indeterminate, verify.TryLater},
		{"lists out of date", func(o *verify.Options) { o.Time = now.AddDate(0, 6, 0) }, verify.Indeterminate, verify.TryLater},
		{"lists from the future", func(o *verify.Options) { o.Time = now.Add(-30 * time.Minute) }, verify.Indeterminate, verify.TryLater},
		{"certificate not yet valid", func(o *verify.Options) { o.Time = now.AddDate(-1, 0, 0) }, verify.Indeterminate, verify.OutOfBoundsNoPOE},
		{"certificate expired", func(o *verify.Options) { o.Time = now.AddDate(5, 0, 0) }, verify.Indeterminate, verify.OutOfBoundsNoPOE},
		{"integrity only", func(o *verify.Options) { *o = verify.Options{IntegrityOnly: true} }, verify.TotalPassed, ""},
		{"nothing given", func(o *verify.Options) { *o = verify.Options{} }, verify.Indeterminate, verify.NoCertificateChainFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := check(t, doc, with(w.opt, c.change))
			require.Equal(t, c.ind, r.Indication, r.Text())
			require.Equal(t, c.sub, r.SubIndication, r.Text())
		})
	}
	require.Equal(t, verify.Indeterminate, check(t, doc, nil).Indication, "nil options trust nobody")
}

func parseCRLs(t testing.TB, p *pki.PKI) []*x509.RevocationList {
	t.Helper()
	var out []*x509.RevocationList
	for _, der := range p.CRLs {
		crl, err := x509.ParseRevocationList(der)
		require.NoError(t, err)
		out = append(out, crl)
	}
	return out
}

// own is a world whose PKI a test may change.
func own(t testing.TB) *world {
	t.Helper()
	w, err := makeWorld()
	require.NoError(t, err)
	return w
}

func TestRevoked(t *testing.T) {
	for _, c := range []struct {
		name   string
		reason pki.Reason
		at     time.Time
		issuer bool
		ind    verify.Indication
		sub    verify.SubIndication
	}{
		{"before now", pki.KeyCompromise, now.Add(-time.Hour), false, verify.Indeterminate, verify.RevokedNoPOE},
		{"in the future", pki.CessationOfOperation, now.Add(time.Hour), false, verify.TotalPassed, ""},
		{"on hold", pki.CertificateHold, now.Add(-time.Hour), false, verify.Indeterminate, verify.TryLater},
		{"issuer", pki.CACompromise, now.Add(-time.Hour), true, verify.Indeterminate, verify.RevokedCANoPOE},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := own(t)
			cert := w.pki.StampP256.Cert
			if c.issuer {
				cert = w.pki.Issuing.Cert
			}
			require.NoError(t, w.pki.Revoke(cert, c.reason, c.at))
			r := check(t, w.stamped(t), with(w.opt, func(o *verify.Options) { o.CRLs = parseCRLs(t, w.pki) }))
			require.Equal(t, c.ind, r.Indication, r.Text())
			require.Equal(t, c.sub, r.SubIndication, r.Text())
		})
	}
}

// withStore adds the CRLs to the document's security store.
func withStore(t testing.TB, w *world, doc []byte) []byte {
	return update(t, doc, func(u *pdf.Update, f *pdf.File) {
		var crls pdf.Array
		for _, der := range w.pki.CRLs {
			crls = append(crls, u.Add(&pdf.Stream{Dict: pdf.Dict{}, Data: der}))
		}
		catalogWith(t, u, f, pdf.Dict{"DSS": u.Add(pdf.Dict{"CRLs": crls})})
	})
}

func TestEmbeddedRevocation(t *testing.T) {
	w := own(t)
	opt := with(w.opt, func(o *verify.Options) { o.CRLs = nil })
	doc := w.stamped(t)
	require.Equal(t, verify.TryLater, check(t, doc, opt).SubIndication)
	r := check(t, withStore(t, w, doc), opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())

	require.NoError(t, w.pki.Revoke(w.pki.StampP256.Cert, pki.KeyCompromise, now.Add(-time.Minute)))
	r = check(t, withStore(t, w, doc), w.opt)
	require.Equal(t, verify.RevokedNoPOE, r.SubIndication, "a revocation anywhere wins over an older good list")
}

func (w *world) timestamped(t testing.TB, id pki.Identity, at time.Time, spoil bool) []byte {
	return w.sign(t, plain("agreement", 1, 0), job{stamp: &stampJob{number: serialNumber(t, 1)}, unsigned: func(value []byte) *cms.Attribute {
		sum := sha256.Sum256(value)
		if spoil {
			sum[0] ^= 1
		}
		return &cms.Attribute{Type: cms.TimestampToken(), Values: [][]byte{w.token(t, id, sum[:], at)}}
	}})
}

func TestSignatureTimestamp(t *testing.T) {
	w := own(t)
	at := now.Add(time.Minute)
	doc := w.timestamped(t, w.pki.TSA, at, false)
	r := check(t, doc, w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.Equal(t, "B-T", r.Signatures[0].Level)
	require.True(t, at.Equal(*r.Signatures[0].Timestamp))

	t.Run("over another signature", func(t *testing.T) {
		r := check(t, w.timestamped(t, w.pki.TSA, at, true), w.opt)
		require.Equal(t, verify.TotalFailed, r.Indication)
		require.Equal(t, verify.HashFailure, r.SubIndication)
		require.Nil(t, r.Signatures[0].Timestamp)
	})
	t.Run("broken token", func(t *testing.T) {
		doc := w.sign(t, plain("x", 1, 0), job{unsigned: func([]byte) *cms.Attribute {
			return &cms.Attribute{Type: cms.TimestampToken(), Values: [][]byte{{0x30, 0x00}}}
		}})
		require.Equal(t, verify.TotalFailed, check(t, doc, w.opt).Indication)
	})
	t.Run("revoked after it", func(t *testing.T) {
		require.NoError(t, w.pki.Revoke(w.pki.StampP256.Cert, pki.KeyCompromise, now.Add(time.Hour)))
		later := with(w.opt, func(o *verify.Options) { o.CRLs, o.Time = parseCRLs(t, w.pki), now.Add(2*time.Hour) })
		require.Equal(t, verify.TotalPassed, check(t, doc, later).Indication, "the timestamp proves that the signature is older")
		require.Equal(t, verify.RevokedNoPOE, check(t, w.stamped(t), later).SubIndication, "without one nothing does")
		r := check(t, w.timestamped(t, w.other.TSA, at, false), later)
		require.Equal(t, verify.RevokedNoPOE, r.SubIndication, "nobody trusts that authority")
		r = check(t, w.timestamped(t, w.pki.StampP256, at, false), later)
		require.Equal(t, verify.RevokedNoPOE, r.SubIndication, "that certificate is not for timestamps")
	})
}

func TestDocumentTimestamp(t *testing.T) {
	w := newWorld(t)
	stamp := func(id pki.Identity, change func([]byte) []byte) []byte {
		return w.sign(t, w.stamped(t), job{field: "Archive", subFilter: "ETSI.RFC3161", id: id, cms: change,
			edit: func(sig, _ pdf.Dict) { delete(sig, "Type"); delete(sig, "M") }})
	}
	r := check(t, stamp(w.pki.TSA, nil), w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())

	r = check(t, stamp(w.pki.TSA, func([]byte) []byte { d := sha256.Sum256(nil); return w.token(t, w.pki.TSA, d[:], now) }), w.opt)
	require.Equal(t, verify.TotalFailed, r.Indication)
	require.Equal(t, verify.HashFailure, r.SubIndication)
	require.Equal(t, verify.TotalPassed, r.Signatures[0].Indication)

	r = check(t, stamp(w.pki.StampP256, nil), w.opt)
	require.Equal(t, verify.Indeterminate, r.Indication)
	require.Equal(t, verify.ChainConstraintsFailure, r.SubIndication, "not a timestamp authority")
}

func TestAlgorithms(t *testing.T) {
	w := newWorld(t)
	for _, key := range []pki.KeyType{pki.P256, pki.RSA2048, pki.Ed25519} {
		id, err := w.pki.Issue(&pki.Request{CommonName: "Signer", Use: pki.ESeal, Key: key})
		require.NoError(t, err)
		r := check(t, w.sign(t, plain("x", 1, 0), job{id: id}), w.opt)
		require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
		require.NotEmpty(t, r.Signatures[0].Algorithm)
	}
	r := check(t, w.sign(t, plain("x", 1, 0), job{id: w.pki.StampRSA, alg: cms.RSAPSSSHA384}), w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	r = check(t, w.sign(t, plain("x", 1, 0), job{subFilter: "adbe.pkcs7.detached"}), w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.Equal(t, "pkcs7", r.Signatures[0].Level)
	for _, sub := range []pdf.Name{"adbe.x509.rsa_sha1", "adbe.pkcs7.sha1", "Unknown.Format", "ETSI.RFC3161"} {
		r := check(t, w.sign(t, plain("x", 1, 0), job{subFilter: "ETSI.CAdES.detached", edit: func(sig, _ pdf.Dict) { sig["SubFilter"] = sub }}), w.opt)
		require.NotEqual(t, verify.TotalPassed, r.Indication, sub)
	}
}

// TestWrongUsage: a certificate that may not sign documents.
func TestWrongUsage(t *testing.T) {
	w := newWorld(t)
	issuing := pki.Identity{Cert: w.pki.Issuing.Cert, Key: w.pki.Issuing.Key}
	r := check(t, w.sign(t, plain("x", 1, 0), job{id: issuing}), w.opt)
	require.Equal(t, verify.Indeterminate, r.Indication, r.Text())
	require.Equal(t, verify.ChainConstraintsFailure, r.SubIndication)
}

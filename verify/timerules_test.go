package verify_test

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// tsa issues the certificate of a timestamp authority.
func (a *ca) tsa(t testing.TB, change func(*x509.Certificate)) *ca {
	t.Helper()
	tmpl := signer("tsa")
	use, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	require.NoError(t, err)
	tmpl.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: use}}
	if change != nil {
		change(tmpl)
	}
	return a.issue(t, tmpl, nil)
}

// A timestamp authority's certificate is for timestamps alone, and says so
// critically (RFC 3161, 2.3).
func TestCertificatesOfTimestampAuthorities(t *testing.T) {
	w := newWorld(t)
	root := (*ca)(nil).issue(t, authority("root"), nil)
	pool := w.pki.Roots()
	pool.AddCert(root.cert)
	lists := append(w.crls[:len(w.crls):len(w.crls)], root.list(t, nil))
	for _, c := range []struct {
		name   string
		change func(*x509.Certificate)
		holds  bool
	}{
		{"as it should be", nil, true},
		{"not critical", func(c *x509.Certificate) { c.ExtraExtensions[0].Critical = false }, false},
		{"none", func(c *x509.Certificate) { c.ExtraExtensions = nil }, false},
		{"for servers too", func(c *x509.Certificate) {
			use, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}, {1, 3, 6, 1, 5, 5, 7, 3, 1}})
			require.NoError(t, err)
			c.ExtraExtensions[0].Value = use
		}, false},
		{"for something unknown too", func(c *x509.Certificate) {
			use, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}, {1, 2, 3}})
			require.NoError(t, err)
			c.ExtraExtensions[0].Value = use
		}, false},
		{"expired", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := root.tsa(t, c.change).identity()
			opt := with(w.opt, func(o *verify.Options) { o.Roots, o.CRLs = pool, lists })
			s := check(t, w.timestampedBy(t, w.pki.StampP256, id), opt).Signatures[0]
			require.Equal(t, c.holds, s.Timestamp != nil, s.Reasons)
			require.Equal(t, verify.TotalPassed, s.Indication, "the signature itself needs no timestamp")
			archive := check(t, w.sign(t, plain("x", 1, 0), job{field: "Archive", subFilter: "ETSI.RFC3161", id: id}), opt)
			require.Equal(t, c.holds, archive.Indication == verify.TotalPassed, archive.Text())
		})
	}
}

// Keys are judged by the time to which the signature is proved to go back.
func TestWeakKeysOfTheirTime(t *testing.T) {
	w := newWorld(t)
	since := func(tmpl *x509.Certificate) *x509.Certificate {
		tmpl.NotBefore, tmpl.NotAfter = now.AddDate(-20, 0, 0), now.AddDate(5, 0, 0)
		return tmpl
	}
	root := (*ca)(nil).issue(t, since(authority("root")), nil)
	weak := root.issue(t, since(authority("weak")), rsa1024(t))
	s := weak.issue(t, since(signer("s")), nil)
	tsa := root.tsa(t, func(c *x509.Certificate) { since(c) })
	pool := x509.NewCertPool()
	pool.AddCert(root.cert)
	opt := &verify.Options{Roots: pool, Time: now, CRLs: []*x509.RevocationList{root.list(t, nil), weak.list(t, nil)}}
	at := func(at time.Time) *verify.Report {
		return check(t, w.sign(t, plain("x", 1, 0), job{id: s.identity(weak.cert), unsigned: func(value []byte) *cms.Attribute {
			sum := sha256.Sum256(value)
			return &cms.Attribute{Type: cms.TimestampToken(), Values: [][]byte{w.token(t, pki.Identity{Cert: tsa.cert, Key: tsa.key}, sum[:], at)}}
		}}), opt)
	}
	requireSub(t, "", at(time.Date(2013, 6, 1, 0, 0, 0, 0, time.UTC)))
	requireSub(t, verify.CryptoConstraintsFailure, at(time.Date(2014, 6, 1, 0, 0, 0, 0, time.UTC)))
	requireSub(t, verify.CryptoConstraintsFailure, at(now))
}

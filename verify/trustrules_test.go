package verify_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// ca issues what package pki does not: odd certificates, lists and answers.
type ca struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return k
}

var nextSerial = big.NewInt(1000)

// issue makes a certificate; parent nil makes a root. Zero times are a year
// around now.
func (a *ca) issue(t testing.TB, tmpl *x509.Certificate, key crypto.Signer) *ca {
	t.Helper()
	if key == nil {
		key = newKey(t)
	}
	if tmpl.SerialNumber == nil {
		nextSerial = new(big.Int).Add(nextSerial, big.NewInt(1))
		tmpl.SerialNumber = nextSerial
	}
	if tmpl.NotBefore.IsZero() {
		tmpl.NotBefore, tmpl.NotAfter = now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0)
	}
	parent, by := tmpl, key
	if a != nil {
		parent, by = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), by)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &ca{cert, key}
}

func authority(name string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature}
}

func signer(name string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature}
}

// list makes a revocation list that is current.
func (a *ca) list(t testing.TB, change func(*x509.RevocationList)) *x509.RevocationList {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(24 * time.Hour)}
	if change != nil {
		change(l)
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, a.cert, a.key)
	require.NoError(t, err)
	crl, err := x509.ParseRevocationList(der)
	require.NoError(t, err)
	return crl
}

func (a *ca) identity(chain ...*x509.Certificate) pki.Identity {
	return pki.Identity{Cert: a.cert, Key: a.key, Chain: chain}
}

// judge signs with the identity and verifies under the root.
func judge(t testing.TB, id pki.Identity, root *ca, change func(*verify.Options)) *verify.Report {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(root.cert)
	opt := &verify.Options{Roots: pool, Time: now}
	if change != nil {
		change(opt)
	}
	return check(t, newWorld(t).sign(t, plain("x", 1, 0), job{id: id}), opt)
}

func requireSub(t testing.TB, sub verify.SubIndication, r *verify.Report) {
	t.Helper()
	if sub == "" {
		require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
		return
	}
	require.Equal(t, verify.Indeterminate, r.Indication, r.Text())
	require.Equal(t, sub, r.SubIndication, r.Text())
}

func TestExtendedKeyUsageOfSigners(t *testing.T) {
	root := (*ca)(nil).issue(t, authority("root"), nil)
	lists := func(o *verify.Options) { o.CRLs = []*x509.RevocationList{root.list(t, nil)} }
	for _, c := range []struct {
		name    string
		known   []x509.ExtKeyUsage
		unknown []asn1.ObjectIdentifier
		sub     verify.SubIndication
	}{
		{"none", nil, nil, ""},
		{"any", []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, nil, ""},
		{"mail", []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}, nil, ""},
		{"client and mail", []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection}, nil, ""},
		{"document signing", nil, []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 36}}, ""},
		{"Adobe", nil, []asn1.ObjectIdentifier{{1, 2, 840, 113583, 1, 1, 5}}, ""},
		{"Microsoft", nil, []asn1.ObjectIdentifier{{1, 3, 6, 1, 4, 1, 311, 10, 3, 12}}, ""},
		{"server alone", []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, nil, verify.ChainConstraintsFailure},
		{"timestamps", []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}, nil, verify.ChainConstraintsFailure},
		{"OCSP", []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, nil, verify.ChainConstraintsFailure},
		{"unknown", nil, []asn1.ObjectIdentifier{{1, 2, 3}}, verify.ChainConstraintsFailure},
	} {
		t.Run(c.name, func(t *testing.T) {
			tmpl := signer("s")
			tmpl.ExtKeyUsage, tmpl.UnknownExtKeyUsage = c.known, c.unknown
			requireSub(t, c.sub, judge(t, root.issue(t, tmpl, nil).identity(), root, lists))
		})
	}
}

func der(t testing.TB, v any, params string) []byte {
	t.Helper()
	b, err := asn1.MarshalWithParams(v, params)
	require.NoError(t, err)
	return b
}

// ctxTag wraps contents in a context tag.
func ctxTag(t testing.TB, tag int, content ...[]byte) []byte {
	return der(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: true, Bytes: bytes.Join(content, nil)}, "")
}

func uri(t testing.TB, s string) []byte {
	return der(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(s)}, "")
}

func sequence(t testing.TB, content ...[]byte) []byte {
	return der(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: bytes.Join(content, nil)}, "")
}

// A list for one distribution point speaks only of certificates that name it:
// the whole name, not a part of it.
func TestIssuingDistributionPoint(t *testing.T) {
	root := (*ca)(nil).issue(t, authority("root"), nil)
	const here = "http://ca.test/1.crl"
	yes := []byte{0xff}
	flag := func(tag int) []byte {
		return der(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: yes}, "")
	}
	full := func(names ...[]byte) []byte { return ctxTag(t, 0, ctxTag(t, 0, names...)) }
	rdn := sequence(t, der(t, asn1.ObjectIdentifier{2, 5, 4, 3}, ""), der(t, "one", "printable"))
	relative := ctxTag(t, 0, ctxTag(t, 1, rdn))
	rdns := []asn1.RawValue{}
	_, err := asn1.Unmarshal(root.cert.RawSubject, &rdns)
	require.NoError(t, err)
	whole := sequence(t, rdns[0].FullBytes, der(t, asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: rdn}, ""))
	reasons := der(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, Bytes: []byte{6, 0x40}}, "")
	for _, c := range []struct {
		name  string
		idp   []byte // content of the list's extension; nil: no extension
		point []byte // content of the certificate's one distribution point
		sub   verify.SubIndication
	}{
		{"no names", nil, full(uri(t, here)), ""},
		{"same name", full(uri(t, here)), full(uri(t, here)), ""},
		{"one of several", full(uri(t, "ldap://x"), uri(t, here)), full(uri(t, here), uri(t, "http://y")), ""},
		{"longer name", full(uri(t, here+".old")), full(uri(t, here)), verify.TryLater},
		{"name inside another", full(uri(t, "http://other.test/?"+here)), full(uri(t, here)), verify.TryLater},
		{"no point in the certificate", full(uri(t, here)), nil, verify.TryLater},
		{"relative and whole", relative, full(ctxTag(t, 4, whole)), ""},
		{"point for some reasons", full(uri(t, here)), append(full(uri(t, here)), reasons...), verify.TryLater},
		{"point of another issuer", full(uri(t, here)), append(full(uri(t, here)), ctxTag(t, 2, uri(t, "http://z"))...), verify.TryLater},
		{"point of the issuer by name", full(uri(t, here)), append(full(uri(t, here)), ctxTag(t, 2, ctxTag(t, 4, root.cert.RawSubject))...), ""},
		{"only users", flag(1), nil, ""},
		{"only authorities", flag(2), nil, verify.TryLater},
		{"only attributes", flag(5), nil, verify.TryLater},
		{"indirect", flag(4), nil, verify.TryLater},
		{"some reasons", der(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 3, Bytes: []byte{6, 0x40}}, ""), nil, verify.TryLater},
	} {
		t.Run(c.name, func(t *testing.T) {
			tmpl := signer("s")
			if c.point != nil {
				tmpl.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 31}, Value: sequence(t, sequence(t, c.point))}}
			}
			requireSub(t, c.sub, judge(t, root.issue(t, tmpl, nil).identity(), root, func(o *verify.Options) {
				o.CRLs = []*x509.RevocationList{root.list(t, func(l *x509.RevocationList) {
					if c.idp != nil {
						l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: sequence(t, c.idp)}}
					}
				})}
			}))
		})
	}
}

// A delta revokes, but neither it nor removeFromCRL makes anything good.
func TestDeltaLists(t *testing.T) {
	root := (*ca)(nil).issue(t, authority("root"), nil)
	s := root.issue(t, signer("s"), nil)
	list := func(delta bool, reason int) *x509.RevocationList {
		return root.list(t, func(l *x509.RevocationList) {
			if delta {
				l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: der(t, 5, "")}}
			}
			if reason >= 0 {
				l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: s.cert.SerialNumber, RevocationTime: now.Add(-2 * time.Hour), ReasonCode: reason}}
			}
		})
	}
	for _, c := range []struct {
		name  string
		lists []*x509.RevocationList
		sub   verify.SubIndication
	}{
		{"complete", []*x509.RevocationList{list(false, -1)}, ""},
		{"delta alone", []*x509.RevocationList{list(true, -1)}, verify.TryLater},
		{"complete and silent delta", []*x509.RevocationList{list(false, -1), list(true, -1)}, ""},
		{"complete and revoking delta", []*x509.RevocationList{list(false, -1), list(true, 1)}, verify.RevokedNoPOE},
		{"hold that a delta takes back", []*x509.RevocationList{list(false, 6), list(true, 8)}, verify.TryLater},
		{"taken back, never held", []*x509.RevocationList{list(false, -1), list(true, 8)}, ""},
		{"taken back alone", []*x509.RevocationList{list(true, 8)}, verify.TryLater},
		{"taken back in a complete list", []*x509.RevocationList{list(false, 8)}, verify.TryLater},
	} {
		t.Run(c.name, func(t *testing.T) {
			requireSub(t, c.sub, judge(t, s.identity(), root, func(o *verify.Options) { o.CRLs = c.lists }))
		})
	}
}

// Issuers drop certificates that have expired: a list or an answer made after
// that is silent about them, unless it says that it keeps them.
func TestExpiredCertificatesAreDropped(t *testing.T) {
	w := newWorld(t)
	root := (*ca)(nil).issue(t, authority("root"), nil)
	tmpl := signer("s")
	tmpl.NotBefore, tmpl.NotAfter = now.AddDate(-1, 0, 0), now.Add(time.Hour)
	s := root.issue(t, tmpl, nil)
	later := now.Add(48 * time.Hour)
	doc := w.timestampedBy(t, s.identity(), w.pki.TSA)
	ask := func(change func(*verify.Options)) *verify.Report {
		pool := w.pki.Roots()
		pool.AddCert(root.cert)
		opt := &verify.Options{Roots: pool, Time: later, CRLs: w.crls}
		change(opt)
		return check(t, doc, opt)
	}
	list := func(made time.Time, keeps *time.Time) *x509.RevocationList {
		return root.list(t, func(l *x509.RevocationList) {
			l.ThisUpdate, l.NextUpdate = made, later.Add(time.Hour)
			if keeps != nil {
				l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 60}, Value: der(t, *keeps, "generalized")}}
			}
		})
	}
	before, after := s.cert.NotAfter.Add(-time.Hour).UTC(), s.cert.NotAfter.Add(time.Hour).UTC()
	for _, c := range []struct {
		name string
		crl  *x509.RevocationList
		sub  verify.SubIndication
	}{
		{"made in its life", list(now.Add(30*time.Minute), nil), ""},
		{"made after it", list(now.Add(2*time.Hour), nil), verify.TryLater},
		{"made after it, keeps the expired", list(now.Add(2*time.Hour), &before), ""},
		{"made after it, keeps those that expired later", list(now.Add(2*time.Hour), &after), verify.TryLater},
	} {
		t.Run(c.name, func(t *testing.T) {
			requireSub(t, c.sub, ask(func(o *verify.Options) { o.CRLs = append(o.CRLs[:len(o.CRLs):len(o.CRLs)], c.crl) }))
		})
	}
	answer := func(made time.Time, keeps *time.Time) []byte {
		r := ocsp.Response{Status: ocsp.Good, SerialNumber: s.cert.SerialNumber, ThisUpdate: made, NextUpdate: later.Add(time.Hour)}
		if keeps != nil {
			r.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 6}, Value: der(t, *keeps, "generalized")}}
		}
		b, err := ocsp.CreateResponse(root.cert, root.cert, r, root.key)
		require.NoError(t, err)
		return b
	}
	for _, c := range []struct {
		name string
		ocsp []byte
		sub  verify.SubIndication
	}{
		{"answered in its life", answer(now.Add(30*time.Minute), nil), ""},
		{"answered after it", answer(now.Add(2*time.Hour), nil), verify.TryLater},
		{"answered after it, archive", answer(now.Add(2*time.Hour), &before), ""},
		{"answered after it, archive too short", answer(now.Add(2*time.Hour), &after), verify.TryLater},
	} {
		t.Run(c.name, func(t *testing.T) {
			plainDoc := doc
			doc = withOCSP(t, doc, c.ocsp)
			defer func() { doc = plainDoc }()
			requireSub(t, c.sub, ask(func(*verify.Options) {}))
		})
	}
}

// timestampedBy signs and has a timestamp authority say when.
func (w *world) timestampedBy(t testing.TB, id, tsa pki.Identity) []byte {
	return w.sign(t, plain("x", 1, 0), job{id: id, unsigned: func(value []byte) *cms.Attribute {
		sum := sha256.Sum256(value)
		return &cms.Attribute{Type: cms.TimestampToken(), Values: [][]byte{w.token(t, tsa, sum[:], now)}}
	}})
}

func withOCSP(t testing.TB, doc []byte, answers ...[]byte) []byte {
	return update(t, doc, func(u *pdf.Update, f *pdf.File) {
		var list pdf.Array
		for _, a := range answers {
			list = append(list, u.Add(&pdf.Stream{Dict: pdf.Dict{}, Data: a}))
		}
		catalogWith(t, u, f, pdf.Dict{"DSS": u.Add(pdf.Dict{"OCSPs": list})})
	})
}

// forResponders makes a list that speaks of responders alone, so that it proves
// nothing about signers; their certificates name its place.
func (a *ca) forResponders(t testing.TB, revoked ...*x509.Certificate) []*x509.RevocationList {
	return []*x509.RevocationList{a.list(t, func(l *x509.RevocationList) {
		l.NextUpdate = time.Now().Add(time.Hour)
		l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true,
			Value: sequence(t, ctxTag(t, 0, ctxTag(t, 0, uri(t, "http://responders"))))}}
		for _, c := range revoked {
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: now.AddDate(0, -1, 0)})
		}
	})}
}

// responder issues a certificate for OCSP; answers are made at the time of the
// test, since package ocsp knows no other.
func (a *ca) responder(t testing.TB, key crypto.Signer, change func(*x509.Certificate)) *ca {
	tmpl := signer("responder")
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	tmpl.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: asn1.NullBytes}}
	tmpl.CRLDistributionPoints = []string{"http://responders"}
	tmpl.NotBefore, tmpl.NotAfter = now.AddDate(-1, 0, 0), time.Now().AddDate(1, 0, 0)
	if change != nil {
		change(tmpl)
	}
	return a.issue(t, tmpl, key)
}

func lasting(tmpl *x509.Certificate) *x509.Certificate {
	tmpl.NotBefore, tmpl.NotAfter = now.AddDate(-1, 0, 0), time.Now().AddDate(1, 0, 0)
	return tmpl
}

func rsa1024(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	return k
}

// Who answers for a certificate, and for which one (RFC 6960, 4.1.1, 4.2.2.2).
func TestResponders(t *testing.T) {
	root := (*ca)(nil).issue(t, lasting(authority("root")), nil)
	namesake := (*ca)(nil).issue(t, lasting(authority("root")), nil)
	sub := root.issue(t, lasting(authority("sub")), nil)
	s := root.issue(t, lasting(signer("s")), nil)
	good := root.responder(t, nil, nil)
	unchecked := root.responder(t, nil, func(c *x509.Certificate) { c.ExtraExtensions = nil })
	usage := func(use ...x509.ExtKeyUsage) *ca {
		return root.responder(t, nil, func(c *x509.Certificate) { c.ExtKeyUsage = use })
	}
	for _, c := range []struct {
		name  string
		by    *ca
		about *ca // whose name and key stand in the CertID
		hash  crypto.Hash
		lists []*x509.RevocationList
		sub   verify.SubIndication
	}{
		{"the authority itself", root, root, crypto.SHA1, nil, ""},
		{"CertID by SHA-256", root, root, crypto.SHA256, nil, ""},
		{"authorised", good, root, crypto.SHA1, nil, ""},
		{"same name and number, other key", good, namesake, crypto.SHA1, nil, verify.TryLater},
		{"other authority with that number", good, sub, crypto.SHA1, nil, verify.TryLater},
		{"not for OCSP", usage(), root, crypto.SHA1, nil, verify.TryLater},
		{"any usage", usage(x509.ExtKeyUsageAny), root, crypto.SHA1, nil, verify.TryLater},
		{"issued by an authority below", sub.responder(t, nil, nil), root, crypto.SHA1, nil, verify.TryLater},
		{"by another authority of that name", namesake.responder(t, nil, nil), root, crypto.SHA1, nil, verify.TryLater},
		{"expired", root.responder(t, nil, func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, -6, 0) }), root, crypto.SHA1, nil, verify.TryLater},
		{"weak key", root.responder(t, rsa1024(t), nil), root, crypto.SHA1, nil, verify.TryLater},
		{"not known to be unrevoked", unchecked, root, crypto.SHA1, nil, verify.TryLater},
		{"on no list", unchecked, root, crypto.SHA1, root.forResponders(t), ""},
		{"revoked", unchecked, root, crypto.SHA1, root.forResponders(t, unchecked.cert), verify.TryLater},
		{"nocheck, but revoked", good, root, crypto.SHA1, root.forResponders(t, good.cert), verify.TryLater},
	} {
		t.Run(c.name, func(t *testing.T) {
			tmpl := ocsp.Response{Status: ocsp.Good, SerialNumber: s.cert.SerialNumber, IssuerHash: c.hash,
				ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
			if c.by != root {
				tmpl.Certificate = c.by.cert
			}
			answer, err := ocsp.CreateResponse(c.about.cert, c.by.cert, tmpl, c.by.key)
			require.NoError(t, err)
			pool := x509.NewCertPool()
			pool.AddCert(root.cert)
			doc := withOCSP(t, newWorld(t).sign(t, plain("x", 1, 0), job{id: s.identity()}), answer)
			requireSub(t, c.sub, check(t, doc, &verify.Options{Roots: pool, Time: time.Now(), CRLs: c.lists}))
		})
	}
}

// A key that can be computed vouches for nobody, wherever it is on the path;
// what is proved to be old enough is judged by the rules of its time.
func TestWeakKeysOnThePath(t *testing.T) {
	root := (*ca)(nil).issue(t, authority("root"), nil)
	weakRoot := (*ca)(nil).issue(t, authority("weak root"), rsa1024(t))
	middle := root.issue(t, authority("middle"), rsa1024(t))
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	small := root.issue(t, authority("small"), p224)
	for _, c := range []struct {
		name         string
		root, issuer *ca
		sub          verify.SubIndication
	}{
		{"strong", root, root, ""},
		{"issuer of 1024 bits", root, middle, verify.CryptoConstraintsFailure},
		{"issuer on P-224", root, small, verify.CryptoConstraintsFailure},
		{"anchor of 1024 bits", weakRoot, weakRoot, verify.CryptoConstraintsFailure},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.issuer.issue(t, signer("s"), nil)
			requireSub(t, c.sub, judge(t, s.identity(c.issuer.cert), c.root, func(o *verify.Options) {
				o.CRLs = []*x509.RevocationList{c.root.list(t, nil), c.issuer.list(t, nil)}
			}))
		})
	}
}

// Of several certificates of one issuer (cross-certificates) one good path is
// enough, whatever the others are like and in whatever order they come.
func TestCrossCertificates(t *testing.T) {
	root := (*ca)(nil).issue(t, authority("root"), nil)
	other := (*ca)(nil).issue(t, authority("other"), nil)
	key := newKey(t)
	good := root.issue(t, authority("middle"), key)
	revoked := root.issue(t, authority("middle"), key)
	old := authority("middle")
	old.NotBefore, old.NotAfter = now.AddDate(-3, 0, 0), now.AddDate(-2, 0, 0)
	expired := root.issue(t, old, key)
	foreign := other.issue(t, authority("middle"), key)
	s := good.issue(t, signer("s"), nil)
	lists := func(o *verify.Options) {
		o.CRLs = []*x509.RevocationList{good.list(t, nil), root.list(t, func(l *x509.RevocationList) {
			l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: revoked.cert.SerialNumber, RevocationTime: now.AddDate(0, -1, 0)}}
		})}
	}
	all := []*x509.Certificate{expired.cert, foreign.cert, revoked.cert, good.cert}
	for range len(all) {
		all = append(all[1:], all[0])
		requireSub(t, "", judge(t, s.identity(all...), root, lists))
	}
	requireSub(t, verify.RevokedCANoPOE, judge(t, s.identity(revoked.cert, expired.cert), root, lists))
	requireSub(t, verify.NoCertificateChainFound, judge(t, s.identity(foreign.cert), root, lists))
}

// A crowd of issuers with the right name and the wrong key ends in an honest
// answer, soon.
func TestManyCandidateIssuers(t *testing.T) {
	root := (*ca)(nil).issue(t, authority("root"), nil)
	good := root.issue(t, authority("middle"), nil)
	s := good.issue(t, signer("s"), nil)
	var crowd []*x509.Certificate
	for range 40 {
		crowd = append(crowd, root.issue(t, authority("middle"), nil).cert)
	}
	r := judge(t, s.identity(), root, func(o *verify.Options) { o.Intermediates = append(crowd, good.cert) })
	require.Equal(t, verify.Indeterminate, r.Indication, r.Text())
}

// The time of a token must lie within the life of its authority's certificate,
// and have come.
func TestTimestampOutsideTheCertificate(t *testing.T) {
	w := newWorld(t)
	begun := w.pki.TSA.Cert.NotBefore
	for name, at := range map[string]time.Time{"before the certificate": begun.Add(-time.Minute), "in the future": now.Add(time.Hour)} {
		s := check(t, w.timestamped(t, w.pki.TSA, at, false), w.opt).Signatures[0]
		require.Nil(t, s.Timestamp, name)
		require.Equal(t, "B-B", s.Level, name)
	}
	doc := w.sign(t, plain("x", 1, 0), job{field: "Archive", subFilter: "ETSI.RFC3161", id: w.pki.TSA, at: begun.Add(-time.Minute)})
	requireSub(t, verify.OutOfBoundsNoPOE, check(t, doc, w.opt))
}

// A token must bind its certificate (RFC 3161, 2.4.1), or another one with the
// same key could be put in its place.
func TestTimestampWithoutSigningCertificate(t *testing.T) {
	w := newWorld(t)
	doc := w.sign(t, plain("x", 1, 0), job{unsigned: func(value []byte) *cms.Attribute {
		sum := sha256.Sum256(value)
		return &cms.Attribute{Type: cms.TimestampToken(), Values: [][]byte{w.bareToken(t, sum[:])}}
	}})
	s := check(t, doc, w.opt).Signatures[0]
	require.Nil(t, s.Timestamp)
	require.Equal(t, verify.TotalPassed, s.Indication)
	require.Contains(t, s.Reasons[len(s.Reasons)-1], "does not bind its certificate")
}

// bareToken makes a token whose signed attributes are content-type and
// message-digest alone, which package cms does not write.
func (w *world) bareToken(t testing.TB, digest []byte) []byte {
	t.Helper()
	set := func(content ...[]byte) []byte {
		return der(t, asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: bytes.Join(content, nil)}, "")
	}
	oid := func(arcs ...int) []byte { return der(t, asn1.ObjectIdentifier(arcs), "") }
	hash := sequence(t, oid(2, 16, 840, 1, 101, 3, 4, 2, 1))
	info := tstInfo(t, digest, now)
	sum := sha256.Sum256(info)
	attrs := [][]byte{
		sequence(t, oid(1, 2, 840, 113549, 1, 9, 3), set(oid(1, 2, 840, 113549, 1, 9, 16, 1, 4))),
		sequence(t, oid(1, 2, 840, 113549, 1, 9, 4), set(der(t, sum[:], ""))),
	}
	signed := sha256.Sum256(set(attrs...))
	value, err := w.pki.TSA.Key.Sign(rand.Reader, signed[:], crypto.SHA256)
	require.NoError(t, err)
	cert := w.pki.TSA.Cert
	signerInfo := sequence(t, der(t, 1, ""), sequence(t, cert.RawIssuer, der(t, cert.SerialNumber, "")), hash,
		ctxTag(t, 0, attrs...), sequence(t, oid(1, 2, 840, 10045, 4, 3, 2)), der(t, value, ""))
	return sequence(t, oid(1, 2, 840, 113549, 1, 7, 2), ctxTag(t, 0, sequence(t, der(t, 3, ""), set(hash),
		sequence(t, oid(1, 2, 840, 113549, 1, 9, 16, 1, 4), ctxTag(t, 0, der(t, info, ""))),
		ctxTag(t, 0, cert.Raw), set(signerInfo))))
}

// cutShort ends a context after so many questions.
type cutShort struct {
	context.Context
	left int
}

func (c *cutShort) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// The caller is asked between tokens, each of which may take a while.
func TestAskedBetweenTokens(t *testing.T) {
	w := newWorld(t)
	asked := func(tokens int) int {
		doc := w.sign(t, plain("x", 1, 0), job{unsigned: func(value []byte) *cms.Attribute {
			sum := sha256.Sum256(value)
			return &cms.Attribute{Type: cms.TimestampToken(), Values: slices.Repeat([][]byte{w.token(t, w.pki.TSA, sum[:], now)}, tokens)}
		}})
		ctx := &cutShort{context.Background(), 1 << 30}
		r, err := verify.Document(ctx, bytes.NewReader(doc), int64(len(doc)), w.opt)
		require.NoError(t, err)
		require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
		return 1<<30 - ctx.left
	}
	require.GreaterOrEqual(t, asked(4)-asked(1), 6, "before each token and before each path")
}

// Between any two steps the caller may stop, and gets no report then.
func TestCancelledBetweenSteps(t *testing.T) {
	w := newWorld(t)
	doc := w.timestamped(t, w.pki.TSA, now, false)
	asked := &cutShort{context.Background(), 1 << 30}
	_, err := verify.Document(asked, bytes.NewReader(doc), int64(len(doc)), w.opt)
	require.NoError(t, err)
	steps := 1<<30 - asked.left
	require.Greater(t, steps, 10)
	for n := range steps {
		r, err := verify.Document(&cutShort{context.Background(), n}, bytes.NewReader(doc), int64(len(doc)), w.opt)
		require.ErrorIs(t, err, context.Canceled, "after %d of %d questions", n, steps)
		require.Nil(t, r)
	}
}

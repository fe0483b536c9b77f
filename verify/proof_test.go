package verify_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/verify"
)

// A list that was current when a timestamp over it was made is as good later as it
// was then; one from before a signature says nothing of it.
func TestListOfThatTime(t *testing.T) {
	h := newHouse(t)
	before, day := begun.AddDate(0, 0, -7), begun.AddDate(0, 0, 1)
	lists := []*x509.RevocationList{h.root.listAt(t, before), h.issuing.listAt(t, before)}
	stored := dssWith(t, h.signed(t), nil, lists...)
	requireSub(t, "", check(t, archive(t, stored, h.tsa(), day, nil), h.opt))
	r := check(t, archive(t, stored, h.tsa(), begun.AddDate(0, 2, 0), nil), h.opt)
	require.Equal(t, verify.TryLater, r.Signatures[0].SubIndication, "not current when the timestamp was made: %s", r.Text())

	first := archive(t, dssWith(t, plain("x", 1, 0), []*x509.Certificate{h.issuing.cert}, lists...), h.tsa(), before.AddDate(0, 0, 1), nil)
	after := newWorld(t).sign(t, first, job{id: h.signer.identity(h.issuing.cert), unsigned: byTSA(t, h.tsa(), begun.AddDate(0, 6, 0))})
	s := check(t, after, h.opt).Signatures[1]
	require.Equal(t, verify.TryLater, s.SubIndication, "the timestamp is not over the signature: %v", s.Reasons)
}

// An authority that was revoked could be relied on until then.
func TestAuthorityRevokedLater(t *testing.T) {
	h := newHouse(t)
	day := begun.AddDate(0, 0, 1)
	stored := dssWith(t, h.signed(t), nil, h.root.listAt(t, day), h.issuing.listAt(t, day))
	opt := with(h.opt, func(o *verify.Options) {
		o.Time = years(4)
		o.CRLs = []*x509.RevocationList{h.root.list(t, func(l *x509.RevocationList) {
			l.ThisUpdate, l.NextUpdate = years(4), years(5)
			l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: h.issuing.cert.SerialNumber, RevocationTime: years(2), ReasonCode: 2}}
		})}
	})
	requireSub(t, "", check(t, archive(t, stored, h.tsa(), years(1), nil), opt))
	require.Equal(t, verify.NoPOE, check(t, archive(t, stored, h.tsa(), years(3), nil), opt).Signatures[0].SubIndication)
	require.Equal(t, verify.NoPOE, check(t, stored, opt).Signatures[0].SubIndication)
}

// What an expired root signed is believed when it is proved to be from its time.
func TestExpiredRoot(t *testing.T) {
	h := newHouse(t)
	root := (*ca)(nil).issue(t, lasts(authority("short"), 4), nil)
	s := root.issue(t, lasts(signer("s"), 3), nil)
	h.opt.Roots.AddCert(root.cert)
	doc := newWorld(t).sign(t, plain("x", 1, 0), job{id: s.identity(), unsigned: byTSA(t, h.tsa(), begun)})
	doc = dssWith(t, doc, nil, root.listAt(t, begun.AddDate(0, 0, 1)))
	requireSub(t, "", check(t, archive(t, doc, h.tsa(), years(3.5), nil), h.opt))
	requireSub(t, verify.NoPOE, check(t, archive(t, doc, h.tsa(), years(4.5), nil), h.opt))
	requireSub(t, verify.NoPOE, check(t, doc, h.opt))
}

// The certificates in a token are signed by nobody: a timestamp does not cover
// what stands in it.
func TestAttackCertificateInsideTheTimestamp(t *testing.T) {
	h := newHouse(t)
	key, day := newKey(t), begun.AddDate(0, 0, 1)
	self := (*ca)(nil).issue(t, lasts(authority("middle"), 5), key)
	s := self.issue(t, lasts(signer("s"), 3), nil)
	middle := h.issuing.issue(t, lasts(authority("middle"), 5), key)
	doc := newWorld(t).sign(t, plain("x", 1, 0), job{id: s.identity(), unsigned: byTSA(t, h.tsa(), begun)})
	doc = dssWith(t, doc, []*x509.Certificate{h.issuing.cert}, h.root.listAt(t, day), h.issuing.listAt(t, day), self.listAt(t, day))
	doc = archive(t, doc, h.stamps.identity(middle.cert), years(1), nil)
	late := []*x509.Certificate{middle.cert}
	require.Equal(t, verify.NoPOE, check(t, dssWith(t, doc, late), h.opt).Signatures[0].SubIndication)
	next := archive(t, doc, h.tsa(), years(4), nil)
	requireSub(t, "", check(t, dssWith(t, next, late), h.opt))
}

// A responder's certificate that has expired vouches for answers that are proved
// to be from before.
func TestExpiredResponder(t *testing.T) {
	at := time.Now().UTC().Truncate(time.Second)
	root := (*ca)(nil).issue(t, lasting(authority("root")), nil)
	s := root.issue(t, lasting(signer("s")), nil)
	by := root.responder(t, nil, func(c *x509.Certificate) { c.NotAfter = at.AddDate(0, 0, 1) })
	stamps := root.tsa(t, func(c *x509.Certificate) { lasting(c) })
	answer, err := ocsp.CreateResponse(root.cert, by.cert, ocsp.Response{Status: ocsp.Good, SerialNumber: s.cert.SerialNumber,
		ThisUpdate: at.Add(-time.Minute), NextUpdate: at.Add(time.Hour), Certificate: by.cert}, by.key)
	require.NoError(t, err)
	doc := newWorld(t).sign(t, plain("x", 1, 0), job{id: s.identity(), unsigned: byTSA(t, stamps.identity(), at.Add(-time.Hour))})
	doc = withOCSP(t, doc, answer)
	pool := x509.NewCertPool()
	pool.AddCert(root.cert)
	opt := &verify.Options{Roots: pool, Time: at.AddDate(0, 0, 3)}
	// The list is of the timestamp authority alone.
	opt.CRLs = []*x509.RevocationList{root.list(t, func(l *x509.RevocationList) {
		l.ThisUpdate, l.NextUpdate = at.AddDate(0, 0, 2), at.AddDate(0, 1, 0)
	})}
	requireSub(t, "", check(t, doc, opt)) // the list speaks of all
	opt.CRLs = nil
	only := withOCSP(t, doc, answer, goodAnswer(t, root, stamps, at))
	opt.Time = at.Add(30 * time.Minute)
	requireSub(t, "", check(t, only, opt))
	opt.Time = at.AddDate(0, 0, 3)
	fresh := goodAnswer(t, root, stamps, at.AddDate(0, 0, 3))
	requireSub(t, verify.NoPOE, check(t, withOCSP(t, doc, answer, fresh), opt))
	proved := archive(t, doc, stamps.identity(), at.Add(12*time.Hour), nil)
	requireSub(t, "", check(t, withOCSP(t, proved, answer, fresh), opt))
}

// goodAnswer is an answer of the authority itself.
func goodAnswer(t testing.TB, by, about *ca, at time.Time) []byte {
	t.Helper()
	b, err := ocsp.CreateResponse(by.cert, by.cert, ocsp.Response{Status: ocsp.Good, SerialNumber: about.cert.SerialNumber,
		ThisUpdate: at.Add(-time.Minute), NextUpdate: at.Add(time.Hour)}, by.key)
	require.NoError(t, err)
	return b
}

// A timestamp whose digits somebody has written anew proves nothing.
func TestAttackRespelledTimestamp(t *testing.T) {
	h := newHouse(t)
	day := begun.AddDate(0, 0, 1)
	doc := archive(t, dssWith(t, h.signed(t), nil, h.root.listAt(t, day), h.issuing.listAt(t, day)), h.tsa(), years(4), nil)
	requireSub(t, "", check(t, doc, h.opt))
	i := bytes.LastIndex(doc, []byte("/Contents<"))
	k := i + bytes.IndexAny(doc[i+9:], "abcdef") + 9
	doc[k] -= 'a' - 'A'
	r := check(t, doc, h.opt)
	require.Len(t, r.Signatures, 2, r.Text())
	require.Equal(t, verify.SigConstraintsFailure, r.Signatures[1].SubIndication, r.Text())
	require.Equal(t, verify.NoPOE, r.Signatures[0].SubIndication, r.Text())
}

// bareSignature makes a detached signature without certificates whose signed
// attributes are content-type and message-digest alone: nothing says whose it is
// but the number of a certificate.
func bareSignature(t testing.TB, s *ca, digest []byte, unsigned ...[]byte) []byte {
	t.Helper()
	set := func(content ...[]byte) []byte {
		return der(t, asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: bytes.Join(content, nil)}, "")
	}
	oid := func(arcs ...int) []byte { return der(t, asn1.ObjectIdentifier(arcs), "") }
	hash, data := sequence(t, oid(2, 16, 840, 1, 101, 3, 4, 2, 1)), oid(1, 2, 840, 113549, 1, 7, 1)
	attrs := [][]byte{
		sequence(t, oid(1, 2, 840, 113549, 1, 9, 3), set(data)),
		sequence(t, oid(1, 2, 840, 113549, 1, 9, 4), set(der(t, digest, ""))),
	}
	signed := sha256.Sum256(set(attrs...))
	value, err := s.key.Sign(rand.Reader, signed[:], crypto.SHA256)
	require.NoError(t, err)
	return sequence(t, oid(1, 2, 840, 113549, 1, 7, 2), ctxTag(t, 0, sequence(t, der(t, 1, ""), set(hash), sequence(t, data),
		set(sequence(t, der(t, 1, ""), sequence(t, s.cert.RawIssuer, der(t, s.cert.SerialNumber, "")), hash,
			ctxTag(t, 0, attrs...), sequence(t, oid(1, 2, 840, 10045, 4, 3, 2)), der(t, value, ""))))))
}

// A signature that does not name its certificate is that of whoever certified the
// key, at any time: the certificate must be proved to be from the time of its issuer.
func TestAttackSignerCertifiedLater(t *testing.T) {
	h := newHouse(t)
	lists := []*x509.RevocationList{h.root.listAt(t, years(1)), h.issuing.listAt(t, years(1))}
	made := func(certs ...*x509.Certificate) []byte {
		doc := newWorld(t).sign(t, plain("x", 1, 0), job{subFilter: "adbe.pkcs7.detached", digest: func(d []byte) []byte { return bareSignature(t, h.signer, d) }})
		doc = dssWith(t, doc, append(certs, h.issuing.cert), lists...)
		return archive(t, doc, h.tsa(), years(1), nil)
	}
	requireSub(t, "", check(t, made(h.signer.cert), h.opt))
	late := dssWith(t, made(), []*x509.Certificate{h.signer.cert})
	require.Equal(t, verify.NoPOE, check(t, late, h.opt).Signatures[0].SubIndication)
}

// SHA-1 was relied on for documents until the end of 2013: what is proved to be
// older is judged by that.
func TestAlgorithmsOfTheirTime(t *testing.T) {
	since := func(c *x509.Certificate) *x509.Certificate {
		c.NotBefore, c.NotAfter = now.AddDate(-20, 0, 0), now.AddDate(5, 0, 0)
		return c
	}
	root := (*ca)(nil).issue(t, since(authority("root")), nil)
	s := root.issue(t, since(signer("s")), nil)
	stamps := root.tsa(t, func(c *x509.Certificate) { since(c) }).identity()
	pool := x509.NewCertPool()
	pool.AddCert(root.cert)
	opt := &verify.Options{Roots: pool, Time: now, CRLs: []*x509.RevocationList{root.list(t, nil)}}
	doc := newWorld(t).sign(t, plain("x", 1, 0), job{subFilter: "adbe.pkcs7.sha1", hash: crypto.SHA1, digest: func(d []byte) []byte {
		tmpl, err := cms.NewTemplateOf(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}, s.cert, nil, cms.ECDSASHA256)
		require.NoError(t, err)
		sum := sha256.Sum256(d)
		attrs := tmpl.SignedAttributes(sum[:])
		value, err := tmpl.Sign(s.key, attrs)
		require.NoError(t, err)
		b, err := tmpl.FinishAttached(d, attrs, value)
		require.NoError(t, err)
		return b
	}})
	at := func(year int) *verify.Report {
		return check(t, archive(t, doc, stamps, time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC), nil), opt)
	}
	requireSub(t, verify.CryptoConstraintsFailure, check(t, doc, opt))
	requireSub(t, "", at(2013))
	requireSub(t, verify.CryptoConstraintsFailure, at(2014))
}

// Many timestamps over each other take no more than a little time each.
func TestManyTimestamps(t *testing.T) {
	h := newHouse(t)
	day := begun.AddDate(0, 0, 1)
	doc := dssWith(t, h.signed(t), nil, h.root.listAt(t, day), h.issuing.listAt(t, day))
	const n = 40
	for i := range n {
		doc = archive(t, doc, h.tsa(), years(1+float64(i)/20), func(j *job) { j.field = fmt.Sprint("Archive", i) })
	}
	r := check(t, doc, h.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.Len(t, r.Signatures, 1+n)
	requireLevel(t, "B-LTA", r)
	h.opt.CRLs = nil
	r = check(t, doc, h.opt)
	require.Equal(t, verify.TryLater, r.Signatures[n].SubIndication, "nothing is known of the last one's authority now")
	require.Equal(t, verify.Indeterminate, r.Signatures[0].Indication)
}

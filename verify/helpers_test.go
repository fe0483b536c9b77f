package verify_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// now is the moment of all tests.
var now = time.Date(2026, 9, 4, 8, 0, 0, 0, time.UTC)

// world is a specimen PKI with everything a verifier needs to trust it.
type world struct {
	pki   *pki.PKI
	other *pki.PKI // nobody trusts it
	crls  []*x509.RevocationList
	trust *verify.SealTrust
	opt   *verify.Options
}

var theWorld = sync.OnceValues(makeWorld)

func makeWorld() (*world, error) {
	p, err := pki.New(&pki.Options{Now: now})
	if err != nil {
		return nil, err
	}
	other, err := pki.New(&pki.Options{Now: now, Name: "Others"})
	if err != nil {
		return nil, err
	}
	w := &world{pki: p, other: other}
	for _, der := range p.CRLs {
		crl, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, err
		}
		w.crls = append(w.crls, crl)
	}
	if w.trust, err = verify.NewSealTrust(entryFor(p.SealP256, p.Issuing.Cert), entryFor(p.SealEd25519, p.Issuing.Cert)); err != nil {
		return nil, err
	}
	w.opt = &verify.Options{Roots: p.Roots(), CRLs: w.crls, SealTrust: w.trust, Time: now}
	return w, nil
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w, err := theWorld()
	require.NoError(t, err)
	return w
}

// entryFor trusts a specimen seal key for serials of issuer ZZ, epoch 1.
func entryFor(key crypto.Signer, carriers ...*x509.Certificate) verify.SealTrustEntry {
	k, err := seal.NewKey(key.Public())
	if err != nil {
		return verify.SealTrustEntry{}
	}
	e := verify.SealTrustEntry{
		Name: "specimen", PublicKey: base64.StdEncoding.EncodeToString(k.SPKI()), Algorithm: k.Algorithm().String(),
		Issuers: []string{"ZZ"}, Epochs: []string{"1"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
		Currency: "IDR", Specimen: true,
	}
	for _, c := range carriers {
		sum := sha256.Sum256(c.Raw)
		e.Certificates = append(e.Certificates, hex.EncodeToString(sum[:]))
	}
	return e
}

// serialNumber makes the number of a counter.
func serialNumber(t testing.TB, counter uint64) serial.Number {
	t.Helper()
	s, err := serial.NewScheme('1', "ZZ", [32]byte{1, 2, 3})
	require.NoError(t, err)
	n, err := s.Number(counter)
	require.NoError(t, err)
	return n
}

// plain makes an unsigned document with that many pages, the first of which
// draws the text. fill adds a stream of so many bytes that nothing shows.
func plain(text string, pages, fill int) []byte {
	var b bytes.Buffer
	var offsets []int
	object := func(format string, args ...any) {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n", len(offsets))
		fmt.Fprintf(&b, format, args...)
		b.WriteString("\nendobj\n")
	}
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	kids := ""
	for i := range pages {
		kids += fmt.Sprintf("%d 0 R ", 6+i)
	}
	content := "BT /F1 24 Tf 72 720 Td (" + text + ") Tj ET"
	object("<< /Type /Catalog /Pages 2 0 R /Outlines 5 0 R >>")
	object("<< /Type /Pages /Kids [%s] /Count %d >>", kids, pages)
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	object("<< /Length %d >>\nstream\n%s\nendstream", len(content), content)
	object("<< /Type /Outlines /Count 0 >>")
	for range pages {
		object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents 4 0 R >>")
	}
	if fill > 0 {
		object("<< /Length %d >>\nstream\n%s\nendstream", fill, bytes.Repeat([]byte("0123456789abcdef"), fill/16+1)[:fill])
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R /ID [<00112233> <00112233>] >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, start)
	return b.Bytes()
}

// job is one signature to be made; the zero fields are filled in by sign.
type job struct {
	id        pki.Identity
	alg       cms.Algorithm
	field     string
	fieldRef  pdf.Ref // an existing empty field instead of a new one
	subFilter pdf.Name
	rect      pdf.Array
	stamp     *stampJob
	edit      func(sig, field pdf.Dict)       // before it is laid out
	cms       func(b []byte) []byte           // after it is signed
	unsigned  func(sig []byte) *cms.Attribute // made over the signature value
	byteRange func(v [4]int64) string
	at        time.Time                  // of a document timestamp; zero: now
	hash      crypto.Hash                // of the bytes; zero: that of the algorithm
	digest    func(digest []byte) []byte // makes the container instead
	extra     func(u *pdf.Update, f *pdf.File)
	repair    pdf.Repair // how the document is read
}

// stampJob is a seal to be made.
type stampJob struct {
	number serial.Number
	key    crypto.Signer
	change func(s *seal.Seal) // before it is signed
	raw    []byte             // instead of a fresh one
	reason string
}

// sign appends one signature to the document.
func (w *world) sign(t testing.TB, doc []byte, j job) []byte {
	t.Helper()
	if j.id.Cert == nil {
		j.id = w.pki.StampP256
	}
	if j.alg == 0 {
		var err error
		j.alg, err = cms.AlgorithmFor(j.id.Cert.PublicKey)
		require.NoError(t, err)
	}
	f := openBy(t, doc, j.repair)
	u := pdf.NewUpdate(f)
	sig, contents, ranges := w.signatureDict(t, doc, &j)
	field := pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String(j.field), "Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "F": pdf.Integer(132)}
	if j.edit != nil {
		j.edit(sig, field)
	}
	field["V"] = u.Add(sig)
	w.place(t, u, f, &j, field)
	if j.extra != nil {
		j.extra(u, f)
	}
	tail, err := u.Bytes()
	require.NoError(t, err)
	out := append(bytes.Clone(doc), tail...)
	return w.fill(t, out, &j, contents, ranges)
}

func open(t testing.TB, doc []byte) *pdf.File {
	t.Helper()
	return openBy(t, doc, pdf.RepairNever)
}

func openBy(t testing.TB, doc []byte, how pdf.Repair) *pdf.File {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(doc), int64(len(doc)), &pdf.Options{Repair: how})
	require.NoError(t, err)
	return f
}

func (w *world) signatureDict(t testing.TB, doc []byte, j *job) (pdf.Dict, *pdf.Reserved, *pdf.Reserved) {
	t.Helper()
	contents, ranges := &pdf.Reserved{Size: 2 + 2*9000, Hex: true}, &pdf.Reserved{Size: 60}
	if j.subFilter == "" {
		j.subFilter = "ETSI.CAdES.detached"
	}
	sig := pdf.Dict{"Type": pdf.Name("Sig"), "Filter": pdf.Name("Adobe.PPKLite"), "SubFilter": j.subFilter,
		"M": pdf.String("D:20260904080000Z"), "Contents": contents, "ByteRange": ranges}
	if s := j.stamp; s != nil {
		if j.field == "" {
			j.field = "Stamp" + s.number.String()
		}
		if s.reason == "" {
			s.reason = "[" + s.number.String() + "] specimen"
		}
		if s.raw == nil {
			s.raw = w.seal(t, doc, s)
		}
		sig["Reason"] = pdf.String(s.reason)
		sig["MeteraiSeal"] = pdf.Raw("<" + hex.EncodeToString(s.raw) + ">")
	}
	if j.field == "" {
		j.field = "Signature1"
	}
	return sig, contents, ranges
}

// seal makes the seal of a document.
func (w *world) seal(t testing.TB, doc []byte, j *stampJob) []byte {
	t.Helper()
	if j.key == nil {
		j.key = w.pki.SealP256
	}
	s := &seal.Seal{Specimen: true, Serial: j.number, Issued: now, Value: 10000,
		DocumentLength: int64(len(doc)), DocumentDigest: sha256.Sum256(doc)}
	if j.change != nil {
		j.change(s)
	}
	raw, err := s.Sign(j.key)
	require.NoError(t, err)
	return raw
}

// place puts the field into the form and on the last page.
func (w *world) place(t testing.TB, u *pdf.Update, f *pdf.File, j *job, field pdf.Dict) {
	t.Helper()
	if j.fieldRef != (pdf.Ref{}) {
		old, err := f.Dict(j.fieldRef)
		require.NoError(t, err)
		now := maps.Clone(old)
		now["V"] = field["V"]
		u.Set(j.fieldRef, now)
		return
	}
	if j.rect == nil {
		j.rect = pdf.Array{pdf.Integer(400), pdf.Integer(36), pdf.Integer(454), pdf.Integer(90)}
	}
	field["Rect"] = j.rect
	look := u.Add(&pdf.Stream{Dict: pdf.Dict{"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form"),
		"BBox": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(54), pdf.Integer(54)}}, Data: []byte("0 0 54 54 re S")})
	field["AP"] = pdf.Dict{"N": look}
	page, err := f.Page(-1)
	require.NoError(t, err)
	field["P"] = page.Ref
	ref := u.Add(field)
	annots, err := f.Array(page.Dict["Annots"])
	require.NoError(t, err)
	d := maps.Clone(page.Dict)
	d["Annots"] = append(annots, ref)
	u.Set(page.Ref, d)
	addToForm(t, u, f, ref)
}

func addToForm(t testing.TB, u *pdf.Update, f *pdf.File, ref pdf.Ref) {
	t.Helper()
	catalog, err := f.Catalog()
	require.NoError(t, err)
	form, err := f.Dict(catalog["AcroForm"])
	require.NoError(t, err)
	if form == nil {
		form = pdf.Dict{}
	}
	fields, err := f.Array(form["Fields"])
	require.NoError(t, err)
	form = maps.Clone(form)
	form["Fields"], form["SigFlags"] = append(fields, ref), pdf.Integer(3)
	catalog = maps.Clone(catalog)
	catalog["AcroForm"] = form
	u.Set(f.CatalogRef(), catalog)
}

// fill computes the range, signs and puts both in place.
func (w *world) fill(t testing.TB, out []byte, j *job, contents, ranges *pdf.Reserved) []byte {
	t.Helper()
	v := [4]int64{0, contents.Offset, contents.Offset + int64(contents.Size), int64(len(out)) - contents.Offset - int64(contents.Size)}
	text := fmt.Sprintf("[%d %d %d %d]", v[0], v[1], v[2], v[3])
	if j.byteRange != nil {
		text = j.byteRange(v)
	}
	require.LessOrEqual(t, len(text), ranges.Size)
	copy(out[ranges.Offset:], text)
	if j.hash == 0 {
		j.hash = j.alg.Hash()
	}
	h := j.hash.New()
	h.Write(out[:v[1]])
	h.Write(out[v[2]:])
	if j.digest == nil {
		j.digest = func(d []byte) []byte { return w.container(t, j, d) }
	}
	der := j.digest(h.Sum(nil))
	if j.cms != nil {
		der = j.cms(der)
	}
	require.LessOrEqual(t, 2*len(der)+2, contents.Size)
	hex.Encode(out[contents.Offset+1:], der)
	return out
}

// container makes the CMS, or for a document timestamp the token.
func (w *world) container(t testing.TB, j *job, digest []byte) []byte {
	t.Helper()
	if j.subFilter == "ETSI.RFC3161" {
		if j.at.IsZero() {
			j.at = now
		}
		return w.token(t, j.id, digest, j.at)
	}
	tmpl, err := cms.NewTemplate(j.id.Cert, j.id.Chain, j.alg)
	require.NoError(t, err)
	attrs := tmpl.SignedAttributes(digest)
	value, err := tmpl.Sign(j.id.Key, attrs)
	require.NoError(t, err)
	var unsigned []cms.Attribute
	if j.unsigned != nil {
		unsigned = append(unsigned, *j.unsigned(value))
	}
	der, err := tmpl.Finish(attrs, value, unsigned...)
	require.NoError(t, err)
	return der
}

// token makes a timestamp token over a SHA-256 digest.
func (w *world) token(t testing.TB, id pki.Identity, digest []byte, at time.Time) []byte {
	t.Helper()
	info := tstInfo(t, digest, at)
	tmpl, err := cms.NewTemplateOf(cms.TSTInfo(), id.Cert, id.Chain, cms.ECDSASHA256)
	require.NoError(t, err)
	sum := sha256.Sum256(info)
	attrs := tmpl.SignedAttributes(sum[:])
	value, err := tmpl.Sign(id.Key, attrs)
	require.NoError(t, err)
	der, err := tmpl.FinishAttached(info, attrs, value)
	require.NoError(t, err)
	return der
}

// tstInfo makes the content of a token.
func tstInfo(t testing.TB, digest []byte, at time.Time) []byte {
	t.Helper()
	type algorithm struct{ Algorithm asn1.ObjectIdentifier }
	type imprint struct {
		Algorithm algorithm
		Digest    []byte
	}
	info, err := asn1.Marshal(struct {
		Version int
		Policy  asn1.ObjectIdentifier
		Imprint imprint
		Serial  *big.Int
		GenTime time.Time `asn1:"generalized"`
	}{1, asn1.ObjectIdentifier{1, 2, 3}, imprint{algorithm{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}}, digest}, big.NewInt(7), at})
	require.NoError(t, err)
	return info
}

// stamped makes a document and puts stamp number 1 on it.
func (w *world) stamped(t testing.TB) []byte {
	t.Helper()
	return w.sign(t, plain("agreement", 2, 0), job{stamp: &stampJob{number: serialNumber(t, 1)}})
}

// update appends a revision without a signature.
func update(t testing.TB, doc []byte, change func(u *pdf.Update, f *pdf.File)) []byte {
	t.Helper()
	f := open(t, doc)
	u := pdf.NewUpdate(f)
	change(u, f)
	tail, err := u.Bytes()
	require.NoError(t, err)
	return append(bytes.Clone(doc), tail...)
}

// check verifies a document that must be readable.
func check(t testing.TB, doc []byte, opt *verify.Options) *verify.Report {
	t.Helper()
	r, err := verify.Document(context.Background(), bytes.NewReader(doc), int64(len(doc)), opt)
	require.NoError(t, err)
	require.NotNil(t, r)
	return r
}

// with copies options and changes the copy.
func with(opt *verify.Options, change func(*verify.Options)) *verify.Options {
	v := *opt
	change(&v)
	return &v
}

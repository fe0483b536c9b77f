package sign_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// Every shape of file is stamped and verifies, or is refused with its reason
// before a number is taken.
func TestStampEveryShape(t *testing.T) {
	files := append(pdfs.Files(), pdfs.Damaged()...)
	require.Greater(t, len(files), 30)
	for i, f := range files {
		t.Run(f.Name, func(t *testing.T) {
			src := f.Bytes()
			doc, err := sign.Open(bytes.NewReader(src), int64(len(src)), stampOptions(t))
			switch f.Expect {
			case pdfs.Encrypted:
				require.ErrorIs(t, err, pdf.ErrEncrypted)
			case pdfs.Restricted:
				var access *sign.AccessError
				require.ErrorAs(t, err, &access)
			case pdfs.CertifiedP1, pdfs.CertifiedP2, pdfs.CertifiedP3:
				require.ErrorIs(t, err, sign.ErrCertified)
			case pdfs.NotPDF:
				require.ErrorIs(t, err, pdf.ErrNotPDF)
			case pdfs.Malformed:
				require.ErrorIs(t, err, pdf.ErrDamaged)
			case pdfs.BeyondLimits:
				var limit *pdf.LimitError
				require.ErrorAs(t, err, &limit)
			default:
				require.NoError(t, err)
				require.Empty(t, doc.Warnings())
				checkStamped(t, f, stamp(t, src, stampOptions(t), sign.Issue{Number: numberOf(t, uint64(i))}))
			}
		})
	}
}

func checkStamped(t *testing.T, f pdfs.File, out []byte) {
	t.Helper()
	report := verified(t, out)
	require.Len(t, report.Signatures, f.Signatures+1)
	last := report.Signatures[f.Signatures]
	require.Equal(t, verify.TotalPassed, last.Indication, "%v", last.Reasons)
	require.NotNil(t, last.Stamp)
	require.True(t, last.Stamp.DocumentBound)
	for _, s := range report.Signatures[:f.Signatures] {
		require.NotEqual(t, verify.ModificationFailed, s.Modification, "%s: %v", s.Field, s.Reasons)
	}
}

func TestAllowCertified(t *testing.T) {
	opt := stampOptions(t)
	opt.AllowCertified = true
	src := fileBytes(t, "certified-p2.pdf")
	require.Len(t, open(t, src, opt).Warnings(), 1)
	report := verified(t, stamp(t, src, opt, sign.Issue{Number: numberOf(t, 1)}))
	require.Equal(t, verify.TotalPassed, report.Signatures[1].Indication, "%v", report.Signatures[1])
	src = fileBytes(t, "certified-p1.pdf")
	_, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
	require.ErrorIs(t, err, sign.ErrCertified)
}

func TestAlgorithms(t *testing.T) {
	p := specimen(t)
	src := fileBytes(t, "classic.pdf")
	for _, test := range []struct {
		name string
		key  pki.KeyType
		alg  cms.Algorithm
	}{
		{"RSA-2048", pki.RSA2048, 0},
		{"RSA-2048 PSS", pki.RSA2048, cms.RSAPSSSHA256},
		{"RSA-3072 SHA-384", pki.RSA3072, cms.RSAPKCS1SHA384},
		{"RSA-4096", pki.RSA4096, cms.RSAPKCS1SHA512},
		{"P-256", pki.P256, 0},
		{"P-384", pki.P384, 0},
		{"Ed25519", pki.Ed25519, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			id, err := p.Issue(&pki.Request{CommonName: test.name, Key: test.key})
			require.NoError(t, err)
			cred, err := sign.NewCredential(id.Cert, id.Chain, id.Key, &sign.CredentialOptions{Algorithm: test.alg})
			require.NoError(t, err)
			var out bytes.Buffer
			_, err = open(t, src, stampOptions(t)).Sign(t.Context(), &out, cred, sign.Issue{Number: numberOf(t, 1)})
			require.NoError(t, err)
			report := verified(t, out.Bytes())
			require.Equal(t, verify.TotalPassed, report.Indication, "%v", report)
		})
	}
}

func TestSignWithoutStamp(t *testing.T) {
	src := fileBytes(t, "object-streams.pdf")
	out := stamp(t, src, nil, sign.Issue{})
	report := verified(t, out)
	require.Equal(t, verify.TotalPassed, report.Indication, "%v", report)
	require.Nil(t, report.Signatures[0].Stamp)
	again := stamp(t, out, &sign.Options{Reason: "Disetujui \u2014 setuju", Location: "Bandung", Page: 1}, sign.Issue{})
	report = verified(t, again)
	require.Len(t, report.Signatures, 2)
	require.Equal(t, verify.TotalPassed, report.Indication, "%v", report)
}

// The update is a function of source, options, issue and key alone, when the
// algorithm is deterministic: an interrupted stamp can be made again.
func TestSameIssueSameBytes(t *testing.T) {
	src := fileBytes(t, "classic.pdf")
	cred := credential(t, specimen(t).StampRSA)
	opt := &sign.Options{Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: specimen(t).SealEd25519}}
	is := sign.Issue{Number: numberOf(t, 3), Time: time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC)}
	var docs [2]bytes.Buffer
	for i := range docs {
		_, err := open(t, src, opt).Sign(t.Context(), &docs[i], cred, is)
		require.NoError(t, err)
	}
	require.Equal(t, docs[0].Bytes(), docs[1].Bytes())
	update, res, err := open(t, src, opt).Update(t.Context(), cred, is)
	require.NoError(t, err)
	require.Equal(t, docs[0].Bytes()[len(src):], update)
	require.Equal(t, time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), res.Time)
}

func TestRefusedBeforeANumberIsTaken(t *testing.T) {
	src := fileBytes(t, "forty-pages.pdf")
	var place *sign.PlacementError
	var page *pdf.PageRangeError
	var bad *sign.StampError
	for _, test := range []struct {
		name   string
		change func(*sign.Options)
		want   any
	}{
		{"page out of range", func(o *sign.Options) { o.Page = 41 }, &page},
		{"right of the page", func(o *sign.Options) { o.At = &sign.Point{X: 500, Y: 36} }, &place},
		{"below the page", func(o *sign.Options) { o.At = &sign.Point{X: 36, Y: -1} }, &place},
		{"not a number", func(o *sign.Options) { o.At = &sign.Point{X: math.NaN(), Y: 36} }, &place},
		{"infinite", func(o *sign.Options) { o.At = &sign.Point{X: 36, Y: math.Inf(1)} }, &place},
		{"negative size", func(o *sign.Options) { o.Width, o.Height = -150, -80 }, &place},
		{"too small to be read", func(o *sign.Options) { o.Width, o.Height = 40, 40 }, &place},
		{"infinite size", func(o *sign.Options) { o.Width = math.Inf(1) }, &place},
		{"no value", func(o *sign.Options) { o.Stamp.Value = 0 }, &bad},
		{"no seal key", func(o *sign.Options) { o.Stamp.Seal = nil }, &bad},
		{"seal key of another kind", func(o *sign.Options) { o.Stamp.Seal = specimen(t).StampRSA.Key }, &bad},
		{"prefix", func(o *sign.Options) { o.Stamp.Prefix = "https://lower.case/" }, &bad},
		{"words", func(o *sign.Options) { o.Stamp.Words = "\u5341" }, &bad},
		{"no currency", func(o *sign.Options) { o.Stamp.Currency = "E\x00R" }, &bad},
		{"two seal keys", func(o *sign.Options) {
			key, err := seal.NewKey(specimen(t).SealEd25519.Public())
			require.NoError(t, err)
			o.Stamp.Key = key
		}, &bad},
	} {
		t.Run(test.name, func(t *testing.T) {
			opt := stampOptions(t)
			test.change(opt)
			doc, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
			require.ErrorAs(t, err, test.want)
			require.Nil(t, doc)
		})
	}
}

// Whatever keeps a file from being updated is found by Open.
func TestRefusedShapes(t *testing.T) {
	for name, src := range map[string][]byte{
		"annotations that are no array": tinyPDF("/Annots<</A 1>>", "", ""),
		"fields that are no array":      tinyPDF("", "/AcroForm<</Fields 7>>", ""),
		"form that is no dictionary":    tinyPDF("", "/AcroForm 7", ""),
		"object numbers used up":        tinyPDF("", "", "/Size 8388608"),
	} {
		_, err := sign.Open(bytes.NewReader(src), int64(len(src)), stampOptions(t))
		require.Error(t, err, name)
	}
	src := tinyPDF("", "", "")
	require.Equal(t, verify.TotalPassed, verified(t, stamp(t, src, stampOptions(t), sign.Issue{Number: numberOf(t, 1)})).Indication)
}

// An array that is the form's fields and another page's annotations gets
// nothing of the stamp.
func TestSharedFieldsArray(t *testing.T) {
	src := tinyPDF("/Annots 5 0 R", "/AcroForm<</Fields 5 0 R>>", "")
	first := stamp(t, src, stampOptions(t), sign.Issue{Number: numberOf(t, 1)})
	second := stamp(t, first, &sign.Options{Stamp: stampOptions(t).Stamp, At: &sign.Point{X: 36, Y: 400}}, sign.Issue{Number: numberOf(t, 2)})
	report := verified(t, second)
	require.Len(t, report.Signatures, 2)
	require.Equal(t, verify.TotalPassed, report.Indication, "%v", report)
	require.Equal(t, 1, bytes.Count(second, []byte("5 0 obj")), "the shared array was changed")
}

func TestHeaderNotAtTheFirstByte(t *testing.T) {
	src := append([]byte("\n"), fileBytes(t, "classic.pdf")...)
	opt := stampOptions(t)
	_, err := sign.Open(bytes.NewReader(src), int64(len(src)), opt)
	require.ErrorIs(t, err, sign.ErrAmbiguous)
	opt.AllowAmbiguous = true
	require.Len(t, open(t, src, opt).Warnings(), 1)
	out := stamp(t, src, opt, sign.Issue{Number: numberOf(t, 1)})
	require.Equal(t, verify.TotalPassed, verified(t, out).Indication)
}

func TestInvisibleHasNoPlace(t *testing.T) {
	_, res, err := open(t, fileBytes(t, "classic.pdf"), nil).Update(t.Context(), credential(t, specimen(t).StampP256), sign.Issue{})
	require.NoError(t, err)
	require.Zero(t, res.Page)
	require.Zero(t, res.Rect)
}

func TestOtherCurrency(t *testing.T) {
	opt := stampOptions(t)
	opt.Stamp.Currency, opt.Stamp.Value = "EUR", 25
	report := verified(t, stamp(t, fileBytes(t, "classic.pdf"), opt, sign.Issue{Number: numberOf(t, 1)}))
	require.Equal(t, uint32(25), report.Signatures[0].Stamp.Value)
}

// The request that a ledger is asked with follows from document and place.
func TestRequest(t *testing.T) {
	src := fileBytes(t, "forty-pages.pdf")
	first, err := open(t, src, stampOptions(t)).Request(t.Context(), "me", []byte("k"))
	require.NoError(t, err)
	require.Equal(t, int64(len(src)), first.Length)
	require.Equal(t, sha256.Sum256(src), first.Digest)
	require.Equal(t, uint32(10000), first.Value)
	opt := stampOptions(t)
	opt.Page = 40 // the last one by number
	same, err := open(t, src, opt).Request(t.Context(), "me", []byte("k"))
	require.NoError(t, err)
	require.Equal(t, first, same)
	opt.Page = 1
	other, err := open(t, src, opt).Request(t.Context(), "me", []byte("k"))
	require.NoError(t, err)
	require.NotEqual(t, first.Placement, other.Placement)
	_, err = open(t, src, nil).Request(t.Context(), "me", []byte("k"))
	var bad *sign.StampError
	require.ErrorAs(t, err, &bad)
}

func TestWarnsOfAnEarlierStamp(t *testing.T) {
	number := numberOf(t, 1)
	out := stamp(t, fileBytes(t, "classic.pdf"), stampOptions(t), sign.Issue{Number: number})
	warnings := open(t, out, stampOptions(t)).Warnings()
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], number.Grouped())
}

func TestIssueIsChecked(t *testing.T) {
	doc := open(t, fileBytes(t, "classic.pdf"), stampOptions(t))
	cred := credential(t, specimen(t).StampP256)
	var bad *sign.StampError
	for name, is := range map[string]sign.Issue{
		"no number":   {},
		"before 1970": {Number: numberOf(t, 1), Time: time.Unix(-1, 0)},
		"year 10000":  {Number: numberOf(t, 1), Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"not a seal":  {Number: numberOf(t, 1), Seal: []byte("seal")},
	} {
		_, err := doc.Sign(t.Context(), io.Discard, cred, is)
		require.ErrorAs(t, err, &bad, name)
	}
	_, err := doc.Sign(t.Context(), io.Discard, nil, sign.Issue{Number: numberOf(t, 1)})
	require.ErrorIs(t, err, sign.ErrNoKey)
}

// countingSigner counts the uses of a key.
type countingSigner struct {
	crypto.Signer
	uses int
	err  error
	flip bool
}

func (s *countingSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.uses++
	if s.err != nil {
		return nil, s.err
	}
	sig, err := s.Signer.Sign(r, digest, opts)
	if s.flip && err == nil {
		sig[len(sig)-1] ^= 1
	}
	return sig, err
}

func TestTheKeyIsUsedOnce(t *testing.T) {
	id := specimen(t).StampP256
	key := &countingSigner{Signer: id.Key}
	cred, err := sign.NewCredential(id.Cert, id.Chain, key, nil)
	require.NoError(t, err)
	doc := open(t, fileBytes(t, "classic.pdf"), stampOptions(t))
	_, err = doc.Sign(t.Context(), io.Discard, cred, sign.Issue{Number: numberOf(t, 1)})
	require.NoError(t, err)
	require.Equal(t, 1, key.uses)

	key.flip = true
	_, err = doc.Sign(t.Context(), io.Discard, cred, sign.Issue{Number: numberOf(t, 1)})
	var wrong *cms.VerifyError
	require.ErrorAs(t, err, &wrong, "a wrong signature went into a document")

	key.err = errors.New("token removed")
	_, err = doc.Sign(t.Context(), io.Discard, cred, sign.Issue{Number: numberOf(t, 1)})
	require.ErrorIs(t, err, key.err)
}

func TestCredentialIsChecked(t *testing.T) {
	p := specimen(t)
	_, err := sign.NewCredential(nil, nil, nil, nil)
	require.Error(t, err)
	_, err = sign.NewCredential(p.StampP256.Cert, nil, p.SealP256, nil)
	require.ErrorIs(t, err, cms.ErrKeyMismatch)
	_, err = sign.NewCredential(p.StampP256.Cert, nil, p.StampP256.Key, &sign.CredentialOptions{Algorithm: cms.Ed25519})
	require.ErrorIs(t, err, cms.ErrAlgorithm)
}

// brokenReader misbehaves at one offset.
type brokenReader struct {
	b    []byte
	at   int64
	mode string
}

func (r *brokenReader) ReadAt(p []byte, off int64) (int, error) {
	n := copy(p, r.b[off:])
	if off <= r.at && r.at < off+int64(n) {
		switch r.mode {
		case "fails":
			return int(r.at - off), errors.New("medium error")
		case "ends":
			return int(r.at - off), io.EOF
		case "nothing":
			return 0, nil
		case "differs":
			p[r.at-off] ^= 1
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func TestSourceMisbehaves(t *testing.T) {
	src := fileBytes(t, "forty-pages.pdf")
	cred := credential(t, specimen(t).StampP256)
	for _, mode := range []string{"fails", "ends", "nothing", "differs"} {
		t.Run(mode, func(t *testing.T) {
			r := &brokenReader{b: src, at: -1, mode: mode}
			doc, err := sign.Open(r, int64(len(src)), stampOptions(t))
			require.NoError(t, err)
			_, err = doc.Digest(t.Context())
			require.NoError(t, err)
			r.at = 1000
			_, err = doc.Sign(t.Context(), io.Discard, cred, sign.Issue{Number: numberOf(t, 1)})
			require.Error(t, err)
			if mode == "ends" || mode == "differs" {
				require.ErrorIs(t, err, sign.ErrChanged)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	doc := open(t, fileBytes(t, "classic.pdf"), stampOptions(t))
	_, err := doc.Sign(ctx, io.Discard, credential(t, specimen(t).StampP256), sign.Issue{Number: numberOf(t, 1)})
	require.ErrorIs(t, err, context.Canceled)
	_, err = doc.Digest(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

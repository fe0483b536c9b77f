package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/verify"
)

// TestFlippedByte: a stamp with one changed bit is never TOTAL-PASSED.
func TestFlippedByte(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	f := open(t, doc)
	_, field := firstField(t, f)
	gap, err := f.Locate(field["V"].(pdf.Ref), "Contents")
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	tried := 0
	for pos := int64(0); pos < int64(len(doc)); pos++ {
		inside := pos > gap.Start && pos < gap.End-1
		padding := inside && pos > gap.Start+4000
		if padding && rng.IntN(64) != 0 || !padding && rng.IntN(3) != 0 {
			continue
		}
		bit := byte(1) << rng.IntN(8)
		bad := bytes.Clone(doc)
		bad[pos] ^= bit
		if inside && unsameHex(doc[pos], bad[pos]) {
			continue
		}
		tried++
		r := check(t, bad, w.opt)
		if r.Indication == verify.TotalPassed {
			t.Fatalf("byte %d, bit %#x: passes\n%s", pos, bit, r.Text())
		}
	}
	require.Greater(t, tried, 500)
}

// TestNothingUnsignedIsLoose: not even what no signature covers (versions, the
// spelling of the issuer, lists of algorithms) can be changed in a container.
func TestNothingUnsignedIsLoose(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	start := bytes.Index(doc, []byte("<3082")) + 1
	end := start + bytes.Index(doc[start:], []byte("00000000000000000000000000000000"))
	require.Greater(t, end, start+2000)
	for pos := start; pos < end; pos++ {
		if testing.Short() && pos%16 != 0 {
			continue
		}
		bad := bytes.Clone(doc)
		bad[pos] ^= 1 << (pos % 3) // the case of a digit stays
		r := check(t, bad, w.opt)
		require.NotEqual(t, verify.TotalPassed, r.Indication, "digit %d: %q to %q", pos-start, doc[pos], bad[pos])
	}
}

// unsameHex tells digits of the same value in another case.
func unsameHex(a, b byte) bool {
	return unicode.ToLower(rune(a)) == unicode.ToLower(rune(b))
}

// TestTruncated: a stamp cut off anywhere is never TOTAL-PASSED.
func TestTruncated(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	for n := 0; n < len(doc)-1; n += 37 {
		require.NotEqual(t, verify.TotalPassed, check(t, doc[:n], w.opt).Indication, "%d bytes", n)
	}
	r := check(t, doc[:len(doc)-1], w.opt)
	require.NotEqual(t, verify.TotalPassed, r.Indication)
	require.Equal(t, verify.Unreadable, check(t, nil, w.opt).Indication)
	require.Equal(t, 3, check(t, []byte("x"), w.opt).ExitCode())
}

func TestNoSignature(t *testing.T) {
	w := newWorld(t)
	r := check(t, plain("unsigned", 1, 0), w.opt)
	require.Equal(t, verify.NoSignature, r.Indication)
	require.Equal(t, 4, r.ExitCode())
	empty, _, _ := formDocument(t)
	require.Equal(t, verify.NoSignature, check(t, empty, w.opt).Indication, "a field without a value is no signature")
}

// TestByteRange: the hostile ranges of a signature.
func TestByteRange(t *testing.T) {
	w := newWorld(t)
	for name, text := range map[string]func(v [4]int64) string{
		"none at all":         func([4]int64) string { return "null" },
		"no numbers":          func([4]int64) string { return "[]" },
		"two numbers":         func(v [4]int64) string { return fmt.Sprintf("[%d %d]", v[0], v[1]) },
		"three numbers":       func(v [4]int64) string { return fmt.Sprintf("[%d %d %d]", v[0], v[1], v[2]) },
		"six numbers":         func(v [4]int64) string { return fmt.Sprintf("[%d %d %d %d 0 0]", v[0], v[1], v[2], v[3]) },
		"negative":            func(v [4]int64) string { return fmt.Sprintf("[%d %d %d %d]", v[0], v[1], v[2], -v[3]) },
		"negative start":      func(v [4]int64) string { return fmt.Sprintf("[-1 %d %d %d]", v[1], v[2], v[3]) },
		"not from 0":          func(v [4]int64) string { return fmt.Sprintf("[9 %d %d %d]", v[1]-9, v[2], v[3]) },
		"overlapping":         func(v [4]int64) string { return fmt.Sprintf("[0 %d %d %d]", v[1], v[1]-5, v[2]+v[3]-v[1]+5) },
		"no gap":              func(v [4]int64) string { return fmt.Sprintf("[0 %d %d %d]", v[1], v[1], v[2]+v[3]-v[1]) },
		"reversed":            func(v [4]int64) string { return fmt.Sprintf("[%d %d %d %d]", v[2], v[3], v[0], v[1]) },
		"overflow":            func(v [4]int64) string { return fmt.Sprintf("[0 %d %d 9223372036854775807]", v[1], v[2]) },
		"beyond 64 bits":      func(v [4]int64) string { return fmt.Sprintf("[0 %d %d 99999999999999999999]", v[1], v[2]) },
		"real numbers":        func(v [4]int64) string { return fmt.Sprintf("[0.0 %d.0 %d %d]", v[1], v[2], v[3]) },
		"references":          func(v [4]int64) string { return fmt.Sprintf("[0 %d %d 4 0 R]", v[1], v[2]) },
		"ends before the end": func(v [4]int64) string { return fmt.Sprintf("[0 %d %d %d]", v[1], v[2], v[3]-9) },
		"ends after the end":  func(v [4]int64) string { return fmt.Sprintf("[0 %d %d %d]", v[1], v[2], v[3]+1) },
		"gap too large":       func(v [4]int64) string { return fmt.Sprintf("[0 %d %d %d]", v[1]-1, v[2], v[3]) },
		"gap too small":       func(v [4]int64) string { return fmt.Sprintf("[0 %d %d %d]", v[1]+1, v[2], v[3]) },
		"gap goes on":         func(v [4]int64) string { return fmt.Sprintf("[0 %d %d %d]", v[1], v[2]+9, v[3]-9) },
		"gap elsewhere":       func(v [4]int64) string { return fmt.Sprintf("[0 10 20 %d]", v[2]+v[3]-20) },
		"empty second part":   func(v [4]int64) string { return fmt.Sprintf("[0 %d %d 0]", v[1], v[2]) },
	} {
		t.Run(name, func(t *testing.T) {
			doc := w.sign(t, plain("x", 1, 0), job{stamp: &stampJob{number: serialNumber(t, 1)}, byteRange: text})
			r := check(t, doc, w.opt)
			require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
			require.Equal(t, verify.FormatFailure, r.SubIndication, r.Text())
			require.Equal(t, verify.CoverageUnclear, r.Signatures[0].Coverage)
		})
	}
}

// TestContents: hostile values of /Contents and of the container in it.
func TestContents(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func([]byte) []byte
		sub    verify.SubIndication
	}{
		"zeroed":              {func(b []byte) []byte { return make([]byte, len(b)) }, verify.FormatFailure},
		"garbage":             {func(b []byte) []byte { return bytes.Repeat([]byte{0xA5}, len(b)) }, verify.FormatFailure},
		"cut off":             {func(b []byte) []byte { return b[:len(b)/2] }, verify.FormatFailure},
		"trailing byte":       {func(b []byte) []byte { return append(b, 1) }, verify.FormatFailure},
		"signature twice":     {func(b []byte) []byte { return append(b, b...) }, verify.FormatFailure},
		"signature altered":   {func(b []byte) []byte { return flip(b, len(b)-3) }, verify.SigCryptoFailure},
		"nested indefinitely": {func([]byte) []byte { return bytes.Repeat([]byte{0x30, 0x80}, 4000) }, verify.FormatFailure},
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, w.sign(t, plain("x", 1, 0), job{cms: c.change}), w.opt)
			require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
			require.Equal(t, c.sub, r.SubIndication, r.Text())
		})
	}
}

// TestSignatureOfAnotherDocument: a whole container is copied.
func TestSignatureOfAnotherDocument(t *testing.T) {
	w := newWorld(t)
	var copied []byte
	w.sign(t, plain("one", 1, 0), job{cms: func(b []byte) []byte { copied = b; return b }})
	r := check(t, w.sign(t, plain("two", 1, 0), job{cms: func([]byte) []byte { return copied }}), w.opt)
	require.Equal(t, verify.TotalFailed, r.Indication)
	require.Equal(t, verify.HashFailure, r.SubIndication)
}

// TestContentsElsewhere: /Contents that is no direct hexadecimal string.
func TestContentsElsewhere(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	for name, rewrite := range map[string]func(u *pdf.Update, f *pdf.File, sig pdf.Dict) pdf.Object{
		"indirect":    func(u *pdf.Update, f *pdf.File, sig pdf.Dict) pdf.Object { return u.Add(sig["Contents"]) },
		"literal":     func(u *pdf.Update, f *pdf.File, sig pdf.Dict) pdf.Object { return pdf.Raw("(literal)") },
		"missing":     func(u *pdf.Update, f *pdf.File, sig pdf.Dict) pdf.Object { return nil },
		"odd digits":  func(u *pdf.Update, f *pdf.File, sig pdf.Dict) pdf.Object { return pdf.Raw("<30800>") },
		"empty":       func(u *pdf.Update, f *pdf.File, sig pdf.Dict) pdf.Object { return pdf.Raw("<>") },
		"white space": func(u *pdf.Update, f *pdf.File, sig pdf.Dict) pdf.Object { return pdf.Raw("<30 80\n00>") },
	} {
		t.Run(name, func(t *testing.T) {
			bad := update(t, doc, func(u *pdf.Update, f *pdf.File) {
				_, field := firstField(t, f)
				sig, err := f.Dict(field["V"])
				require.NoError(t, err)
				u.Set(field["V"].(pdf.Ref), merge(sig, pdf.Dict{"Contents": rewrite(u, f, sig)}))
			})
			r := check(t, bad, w.opt)
			require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
			require.GreaterOrEqual(t, len(r.Signatures), 1)
		})
	}
}

// TestKeysTwice: readers differ in which of two values they take.
func TestKeysTwice(t *testing.T) {
	w := newWorld(t)
	for _, twice := range []string{"/Reason (other)", "/Contents <00>", "/ByteRange [0 1 2 3]"} {
		doc := w.sign(t, plain("x", 1, 0), job{edit: func(sig, _ pdf.Dict) {
			sig["Reason"] = pdf.Raw("(agreed) " + twice)
		}})
		r := check(t, doc, w.opt)
		require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
		require.Contains(t, r.Text(), "more than once")
	}
}

// TestGarbageBesideGood: both are listed and the worst counts.
func TestGarbageBesideGood(t *testing.T) {
	w := newWorld(t)
	doc := update(t, w.stamped(t), func(u *pdf.Update, f *pdf.File) {
		v := u.Add(pdf.Dict{"Type": pdf.Name("Sig"), "SubFilter": pdf.Name("ETSI.CAdES.detached"), "Contents": pdf.String("garbage"),
			"ByteRange": pdf.Array{pdf.Integer(0), pdf.Integer(5), pdf.Integer(9), pdf.Integer(9)}})
		addToForm(t, u, f, u.Add(pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("Garbage"), "V": v}))
	})
	r := check(t, doc, w.opt)
	require.Equal(t, verify.TotalFailed, r.Indication)
	require.Len(t, r.Signatures, 2)
	require.Equal(t, verify.TotalPassed, r.Signatures[0].Indication, r.Text())
	require.Equal(t, "Garbage", r.Signatures[1].Field)
	require.Equal(t, verify.TotalFailed, r.Signatures[1].Indication)
}

func TestSharedValue(t *testing.T) {
	w := newWorld(t)
	doc := w.sign(t, plain("x", 1, 0), job{extra: func(u *pdf.Update, f *pdf.File) {
		// The form of the update names a second field with the same value.
		ref := u.Add(pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("Twin"), "V": pdf.Ref{Number: 7}})
		catalogWith(t, u, f, pdf.Dict{"AcroForm": pdf.Dict{"Fields": pdf.Array{pdf.Ref{Number: 9}, ref}, "SigFlags": pdf.Integer(3)}})
	}})
	_, first := firstField(t, open(t, doc))
	require.Equal(t, pdf.Ref{Number: 7}, first["V"], "the test knows the numbers")
	r := check(t, doc, w.opt)
	require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
	require.Contains(t, r.Text(), "two fields share one signature")
}

func TestUnreachedSignature(t *testing.T) {
	w := newWorld(t)
	doc := update(t, w.stamped(t), func(u *pdf.Update, f *pdf.File) {
		u.Add(pdf.Dict{"Type": pdf.Name("Sig"), "Contents": pdf.String("x"), "ByteRange": pdf.Array{pdf.Integer(0)}})
	})
	r := check(t, doc, w.opt)
	require.Equal(t, verify.TotalFailed, r.Indication)
	require.Len(t, r.Signatures, 2)
	require.Contains(t, r.Text(), "no field of the document reaches this signature")
}

// TestManySignatures: the time grows with the file, not with its square.
func TestManySignatures(t *testing.T) {
	w := newWorld(t)
	doc := plain("x", 1, 0)
	for i := range 25 {
		doc = w.sign(t, doc, job{field: fmt.Sprintf("S%d", i)})
		doc = update(t, doc, func(u *pdf.Update, f *pdf.File) { addDSS(t, u, f) })
	}
	start := time.Now()
	r := check(t, doc, w.opt)
	require.Less(t, time.Since(start), 5*time.Second)
	require.Len(t, r.Signatures, 25)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	r = check(t, doc, with(w.opt, func(o *verify.Options) { o.Limits = &verify.Limits{Signatures: 3} }))
	require.Equal(t, verify.Unreadable, r.Indication)
}

// TestLargeLists: tens of thousands of annotations, fields and revisions stay
// within seconds.
func TestLargeLists(t *testing.T) {
	w := newWorld(t)
	base := update(t, plain("x", 1, 0), func(u *pdf.Update, f *pdf.File) {
		var annots, fields pdf.Array
		for i := range 20_000 {
			a := u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "FT": pdf.Name("Tx"), "T": pdf.String(fmt.Sprint(i))})
			annots, fields = append(annots, a), append(fields, a)
		}
		pageWith(t, u, f, 1, pdf.Dict{"Annots": annots})
		catalogWith(t, u, f, pdf.Dict{"AcroForm": pdf.Dict{"Fields": fields}})
	})
	doc := w.sign(t, w.sign(t, base, job{field: "First"}), job{field: "Second"})
	start := time.Now()
	r := check(t, doc, w.opt)
	require.Less(t, time.Since(start), 5*time.Second)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())

	for range 300 {
		doc = update(t, doc, func(u *pdf.Update, f *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream(fmt.Sprint(len(doc)))) })
	}
	start = time.Now()
	r = check(t, doc, w.opt)
	t.Logf("300 revisions: %v", time.Since(start))
	require.Less(t, time.Since(start), 20*time.Second)
	requireModified(t, r)
}

// hostile is text that must not reach a terminal or a log as it is.
const hostile = "evil\r\n2026 TOTAL-PASSED\x1b[2J\u202egnp.exe\u200b\x00\u2028end"

func TestTextIsSafe(t *testing.T) {
	w := newWorld(t)
	doc := w.sign(t, plain("x", 1, 0), job{field: string(pdf.TextString(hostile + strings.Repeat("long", 10000))), edit: func(sig, _ pdf.Dict) {
		sig["SubFilter"] = pdf.Name(hostile)
		sig["Reason"] = pdf.TextString(hostile)
	}})
	r := check(t, doc, w.opt)
	r.File = hostile
	require.NotEqual(t, verify.TotalPassed, r.Indication)
	text := r.Text()
	require.Less(t, len(text), 10000)
	for _, c := range text {
		require.True(t, c == '\n' || unicode.IsPrint(c), "%U", c)
	}
	require.Equal(t, 1, strings.Count(text, "evil")-strings.Count(text, "-             the signature format evil")-strings.Count(text, `field "evil`))
	b, err := json.Marshal(r.Signatures)
	require.NoError(t, err)
	require.NotContains(t, string(b), `\u001b`)
	require.NotContains(t, string(b), "\u202e")
}

// TestJSON: the keys are stable.
func TestJSON(t *testing.T) {
	w := newWorld(t)
	b, err := json.Marshal(check(t, w.stamped(t), w.opt))
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(b, &m))
	requireKeys(t, m, "file", "scope", "indication", "sub_indication", "modification", "signatures")
	s := m["signatures"].([]any)[0].(map[string]any)
	requireKeys(t, s, "field", "indication", "sub_indication", "level", "coverage", "modification", "signer", "signing_time", "timestamp", "algorithm", "reasons", "stamp")
	requireKeys(t, s["stamp"].(map[string]any), "serial", "value", "currency", "issued", "specimen", "genuine", "document_bound",
		"kind", "document_length", "document_digest")
	require.Equal(t, "full", m["scope"])
	require.Equal(t, "2026-09-04T08:00:00Z", s["signing_time"])
	require.EqualValues(t, 10000, s["stamp"].(map[string]any)["value"])
	r := check(t, w.stamped(t), &verify.Options{IntegrityOnly: true})
	require.Equal(t, "integrity", r.Scope)
}

func requireKeys(t *testing.T, m map[string]any, keys ...string) {
	t.Helper()
	for _, k := range keys {
		require.Contains(t, m, k)
	}
	require.Len(t, m, len(keys))
}

// badReader fails in several ways.
type badReader struct {
	r     io.ReaderAt
	limit int64
	err   error
}

func (b badReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.limit {
		return 0, b.err
	}
	return b.r.ReadAt(p, off)
}

var errDisk = errors.New("disk on fire")

func TestReaderFails(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	size := int64(len(doc))
	for _, err := range []error{errDisk, nil, io.EOF} {
		for _, limit := range []int64{0, 100, size / 2, size - 1} {
			r, got := verify.Document(context.Background(), badReader{bytes.NewReader(doc), limit, err}, size, w.opt)
			require.Error(t, got, "a reader that fails says nothing about the document")
			require.Nil(t, r)
			if err == errDisk {
				require.ErrorIs(t, got, errDisk)
			}
		}
	}
}

// stopReader cancels the context at the n-th read.
type stopReader struct {
	r      io.ReaderAt
	n      int
	cancel func()
}

func (s *stopReader) ReadAt(p []byte, off int64) (int, error) {
	if s.n--; s.n == 0 {
		s.cancel()
	}
	return s.r.ReadAt(p, off)
}

func TestCancelled(t *testing.T) {
	w := newWorld(t)
	doc := w.sign(t, plain("x", 1, 1<<20), job{stamp: &stampJob{number: serialNumber(t, 1)}})
	for n := 1; ; n++ {
		ctx, cancel := context.WithCancel(context.Background())
		s := &stopReader{bytes.NewReader(doc), n, cancel}
		r, err := verify.Document(ctx, s, int64(len(doc)), w.opt)
		cancel()
		if s.n > 0 {
			require.Greater(t, n, 5)
			require.NoError(t, err)
			break
		}
		if err == nil {
			require.Equal(t, verify.TotalPassed, r.Indication, "it had read everything")
			continue
		}
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestConcurrent(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	bad := update(t, doc, func(u *pdf.Update, f *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT ET")) })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if r, err := verify.Document(context.Background(), bytes.NewReader(doc), int64(len(doc)), w.opt); err != nil || r.Indication != verify.TotalPassed {
					t.Errorf("good: %v %v", r, err)
				}
				if r, err := verify.Document(context.Background(), bytes.NewReader(bad), int64(len(bad)), w.opt); err != nil || r.Indication != verify.TotalFailed {
					t.Errorf("bad: %v %v", r, err)
				}
			}
		})
	}
	wg.Wait()
}

// seeds are the documents that fuzzing begins with.
func seeds(t testing.TB, w *world) [][]byte {
	doc := w.stamped(t)
	return [][]byte{doc, w.sign(t, doc, job{field: "Second"}), withStore(t, w, doc), plain("x", 1, 0),
		update(t, doc, func(u *pdf.Update, f *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT ET")) })}
}

// FuzzDocument: any bytes get a report, and unknown signers never pass.
func FuzzDocument(f *testing.F) {
	w := newWorld(f)
	list := seeds(f, w)
	require.NotEmpty(f, list)
	for _, s := range list {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, opt := range []*verify.Options{nil, {IntegrityOnly: true}} {
			r, err := verify.Document(context.Background(), bytes.NewReader(b), int64(len(b)), opt)
			require.NoError(t, err)
			require.NotEmpty(t, r.Indication)
			require.False(t, opt == nil && r.Indication == verify.TotalPassed)
			_ = r.Text()
		}
	})
}

// FuzzMutation: a good document with some bytes changed, cut or added never
// passes. The documents are made anew by each process, so the input only says
// what to do to them.
func FuzzMutation(f *testing.F) {
	w := newWorld(f)
	list := seeds(f, w)
	for i := range list {
		f.Add(byte(i), uint32(0), uint32(0), []byte{})
		f.Add(byte(i), uint32(900), uint32(0), []byte("/Type"))
		f.Add(byte(i), uint32(1016), uint32(8), []byte("00000000")) // the list of digest algorithms, which nothing signs
		f.Add(byte(i), uint32(9), uint32(5), []byte("x"))
		f.Add(byte(i), ^uint32(0), uint32(0), []byte("4 0 obj\n<<>>\nendobj\n"))
	}
	f.Fuzz(func(t *testing.T, which byte, pos, cut uint32, put []byte) {
		good := list[int(which)%len(list)]
		at := min(int(pos), len(good))
		to := min(at+int(cut)%64, len(good))
		bad := slices.Concat(good[:at], put, good[to:])
		r := check(t, bad, w.opt)
		if r.Indication == verify.TotalPassed && !harmless(bad, list) {
			t.Fatalf("passes:\n%s", r.Text())
		}
	})
}

// harmless tells whether b differs from a good document only in white space at
// its end or in the case of hexadecimal digits, or is an earlier revision.
func harmless(b []byte, list [][]byte) bool {
	norm := func(b []byte) []byte { return bytes.ToLower(bytes.TrimRight(b, "\r\n\t\f\x00 ")) }
	for _, s := range list {
		if bytes.Equal(norm(s), norm(b)) || bytes.HasPrefix(norm(s), norm(b)) && bytes.HasSuffix(norm(b), []byte("%%eof")) {
			return true
		}
	}
	return false
}

package pdf_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

// updated appends an update and opens the result.
func updated(t *testing.T, data []byte, u *pdf.Update, password string) (*pdf.File, []byte) {
	t.Helper()
	tail, err := u.Bytes()
	require.NoError(t, err)
	return openWith(t, append(bytes.Clone(data), tail...), password), tail
}

// What an update writes is encrypted as the file is, but for what must not be.
func TestUpdateEncrypts(t *testing.T) {
	for _, c := range encryptedCases {
		file, err := pdfs.Get(c.name)
		require.NoError(t, err)
		f := openWith(t, file.Bytes(), file.Password)
		u := pdf.NewUpdate(f)
		place := &pdf.Reserved{Size: 8, Hex: true}
		ref := u.Add(pdf.Dict{
			"Text": pdf.String("rahasia perusahaan"), "Again": pdf.String("rahasia perusahaan"), "Empty": pdf.String(""),
			"Raw": pdf.Raw("[(rahasia mentah) 1 0 R]"), "Plain": pdf.Raw("[ 1 0 R/spaced ]"),
			"Sig": pdf.Dict{"Type": pdf.Name("Sig"), "Contents": place, "ByteRange": pdf.Array{}, "Name": pdf.String("rahasia nama")},
			"Old": pdf.Dict{"Contents": pdf.String("\x30\x00der"), "ByteRange": pdf.Array{}},
		})
		stm := u.Add(&pdf.Stream{Dict: pdf.Dict{"S": pdf.String("rahasia kamus")}, Data: []byte("rahasia aliran")})
		top := u.Add(pdf.String("rahasia sendiri"))
		again, tail := updated(t, file.Bytes(), u, file.Password)
		require.NotContains(t, string(tail), "rahasia", c.name)
		require.Contains(t, string(tail), "/Plain [ 1 0 R/spaced ]", c.name)
		require.Contains(t, string(tail), "/Contents<000000>", c.name)
		require.Equal(t, "<000000>", string(tail[place.Offset-f.Size():][:8]), c.name)

		d, err := again.Dict(ref)
		require.NoError(t, err, c.name)
		require.Equal(t, pdf.String("rahasia perusahaan"), d["Text"], c.name)
		require.Equal(t, d["Text"], d["Again"], c.name)
		require.Equal(t, pdf.String(""), d["Empty"], c.name)
		require.Equal(t, pdf.Array{pdf.String("rahasia mentah"), pdf.Ref{Number: 1}}, d["Raw"], c.name)
		require.Equal(t, pdf.String("rahasia nama"), d["Sig"].(pdf.Dict)["Name"], c.name)
		require.Equal(t, pdf.String("\x00\x00\x00"), d["Sig"].(pdf.Dict)["Contents"], c.name)
		require.Equal(t, pdf.String("\x30\x00der"), d["Old"].(pdf.Dict)["Contents"], c.name)
		s, err := again.Stream(stm)
		require.NoError(t, err)
		require.Equal(t, pdf.String("rahasia kamus"), s.Dict["S"], c.name)
		data, err := again.Decode(s)
		require.NoError(t, err)
		require.Equal(t, "rahasia aliran", string(data), c.name)
		alone, err := again.String(top)
		require.NoError(t, err)
		require.Equal(t, pdf.String("rahasia sendiri"), alone, c.name)
		require.Equal(t, title(t, f), title(t, again), c.name)
		sameEncryption(t, f, again)
	}
}

// sameEncryption holds the trailer of an update to that of the file before.
func sameEncryption(t *testing.T, before, after *pdf.File) {
	t.Helper()
	require.Equal(t, before.Trailer()["Encrypt"], after.Trailer()["Encrypt"])
	a, ok := before.Trailer()["ID"].(pdf.Array)
	require.True(t, ok)
	b, ok := after.Trailer()["ID"].(pdf.Array)
	require.True(t, ok)
	require.Equal(t, a[0], b[0])
	require.NotEqual(t, a[1], b[1])
	e, err := before.Encryption()
	require.NoError(t, err)
	now, err := after.Encryption()
	require.NoError(t, err)
	require.Equal(t, e, now)
}

// The same update has the same bytes; the same text in another place, object or
// revision does not.
func TestUpdateOfEncryptedFileIsDeterministic(t *testing.T) {
	for _, name := range []string{"encrypted-aes128.pdf", "encrypted-aes256.pdf", "encrypted-rc4-40.pdf"} {
		file, err := pdfs.Get(name)
		require.NoError(t, err)
		make := func(data []byte, text string) (*pdf.File, []byte, pdf.Ref) {
			u := pdf.NewUpdate(open(t, data))
			ref := u.Add(pdf.Array{pdf.String(text), pdf.String(text)})
			u.Add(pdf.Array{pdf.String(text)})
			f, tail := updated(t, data, u, "")
			return f, tail, ref
		}
		f, first, ref := make(file.Bytes(), "sixteen bytes of")
		whole := append(file.Bytes(), first...)
		_, second, _ := make(file.Bytes(), "sixteen bytes of")
		require.Equal(t, first, second, name)
		if name == "encrypted-rc4-40.pdf" {
			continue // one key stream for all of an object is what RC4 has here
		}
		seen := map[string]bool{}
		for _, s := range rawStrings(t, f, whole, ref) {
			require.False(t, seen[s[:16]], "%s: an initialization vector came twice", name)
			seen[s[:16]] = true
		}
		_, other, _ := make(file.Bytes(), "other bytes, 16.")
		require.NotEqual(t, first[:200], other[:200])
	}
}

// rawStrings are the strings of two arrays as they stand in the file.
func rawStrings(t *testing.T, f *pdf.File, whole []byte, ref pdf.Ref) []string {
	t.Helper()
	var out []string
	for _, r := range []pdf.Ref{ref, {Number: ref.Number + 1}} {
		span, _, err := f.ObjectSpan(r)
		require.NoError(t, err)
		locked := readAlone(t, r, whole[span.Start:span.End])
		for _, o := range locked {
			out = append(out, string(o.(pdf.String)))
		}
	}
	require.Len(t, out, 3)
	return out
}

// readAlone reads an object in a file that is not encrypted.
func readAlone(t *testing.T, r pdf.Ref, object []byte) pdf.Array {
	t.Helper()
	b := newBuilder().onePage()
	b.places[int(r.Number)] = place{1, b.Len(), 0}
	b.size = int(r.Number) + 1
	b.Write(object)
	b.WriteByte('\n')
	a, err := open(t, b.table("").Bytes()).Array(r)
	require.NoError(t, err)
	return a
}

// A stream that becomes another object is encrypted again, since keys depend on
// the number.
func TestCopyStreamOfEncryptedFile(t *testing.T) {
	for name, k := range locks(t) {
		b := k.start().stream(10, "/S "+k.text(10, "of a stream"), k.data(10, "its data"))
		data := b.table(lockTrailer).Bytes()
		f := open(t, data)
		s, err := f.Stream(pdf.Ref{Number: 10})
		require.NoError(t, err)
		u := pdf.NewUpdate(f)
		ref := u.Add(s)
		again, _ := updated(t, data, u, "")
		for _, r := range []pdf.Ref{ref, {Number: 10}} {
			s, err := again.Stream(r)
			require.NoError(t, err)
			got, err := again.Decode(s)
			require.NoError(t, err, name)
			require.Equal(t, "its data", string(got), name)
			require.Equal(t, pdf.String("of a stream"), s.Dict["S"], name)
		}
	}
}

// Streams say by filter and type that they are not encrypted, or how.
func TestUpdateChoosesTheFilterOfAStream(t *testing.T) {
	k := newLock(t, 4, "AESV2")
	k.entries["EncryptMetadata"] = "false"
	k.entries["CF"] = "<</StdCF<</CFM/AESV2>>/Old<</CFM/V2>>>>"
	k.entries["EFF"] = "/Identity"
	k.old(t)
	data := k.start().table(lockTrailer).Bytes()
	f := open(t, data)
	u := pdf.NewUpdate(f)
	crypt := func(name pdf.Name) pdf.Dict {
		return pdf.Dict{"Filter": pdf.Array{pdf.Name("Crypt")}, "DecodeParms": pdf.Array{pdf.Dict{"Name": name}}}
	}
	refs := []pdf.Ref{
		u.Add(&pdf.Stream{Dict: crypt("Identity"), Data: []byte("clear by its filter")}),
		u.Add(&pdf.Stream{Dict: pdf.Dict{"Type": pdf.Name("Metadata")}, Data: []byte("clear metadata")}),
		u.Add(&pdf.Stream{Dict: pdf.Dict{"Type": pdf.Name("EmbeddedFile")}, Data: []byte("clear attachment")}),
		u.Add(&pdf.Stream{Dict: pdf.Dict{"Filter": pdf.Name("Crypt")}, Data: []byte("clear by default")}),
		u.Add(&pdf.Stream{Dict: crypt("Old"), Data: []byte("hidden by RC4")}),
		u.Add(&pdf.Stream{Data: []byte("hidden by AES")}),
	}
	again, tail := updated(t, data, u, "")
	require.Equal(t, 4, bytes.Count(tail, []byte("clear ")))
	require.NotContains(t, string(tail), "hidden")
	for i, ref := range refs {
		s, err := again.Stream(ref)
		require.NoError(t, err)
		got, err := again.Decode(s)
		require.NoError(t, err)
		require.Contains(t, string(got), []string{"clear", "clear", "clear", "clear", "hidden", "hidden"}[i])
	}
	u = pdf.NewUpdate(f)
	u.Add(&pdf.Stream{Dict: crypt("Unheard"), Data: []byte("x")})
	_, err := u.Bytes()
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

func TestUpdateRefusesWhatItCannotEncrypt(t *testing.T) {
	data := newLock(t, 5, "AESV3").start().table(lockTrailer).Bytes()
	var unsupported *pdf.UnsupportedError
	for _, raw := range []string{"(a) (b)", "<</A", "<</A(x)/A(y)>>", "", "1 0 obj"} {
		u := pdf.NewUpdate(open(t, data))
		u.Add(pdf.Array{pdf.Raw(raw)})
		_, err := u.Bytes()
		require.ErrorAs(t, err, &unsupported, raw)
	}
}

// An update would break the integrity code of ISO/TS 32004, of which either
// entry tells.
func TestUpdateKeepsIntegrityCodes(t *testing.T) {
	withSalt := newLock(t, 5, "AESV3")
	withSalt.entries["KDFSalt"] = "(thirty-two bytes)"
	for _, data := range [][]byte{
		newLock(t, 5, "AESV3").start().table(lockTrailer + "/AuthCode<</MACLocation/Standalone>>").Bytes(),
		withSalt.start().table(lockTrailer).Bytes(),
	} {
		f := open(t, data)
		_, err := f.Encryption()
		require.NoError(t, err)
		u := pdf.NewUpdate(f)
		u.Add(pdf.Integer(1))
		_, err = u.Bytes()
		var unsupported *pdf.UnsupportedError
		require.ErrorAs(t, err, &unsupported)
		require.Contains(t, err.Error(), "32004")
	}
}

// The encryption dictionary of a changed object is not encrypted itself, and
// identifiers that cannot be kept stay as they are.
func TestUpdateLeavesTheKeyAlone(t *testing.T) {
	k := newLock(t, 5, "AESV3")
	for _, id := range []string{"", "/ID[]", "/ID[(a) 5]", "/ID(a)"} {
		data := k.start().table("/Encrypt 9 0 R" + id).Bytes()
		f := open(t, data)
		dict, err := f.Dict(pdf.Ref{Number: 9})
		require.NoError(t, err)
		u := pdf.NewUpdate(f)
		u.Set(pdf.Ref{Number: 9}, dict)
		again, _ := updated(t, data, u, "")
		require.Equal(t, f.Trailer()["ID"], again.Trailer()["ID"])
		require.Equal(t, "0 0 m 9 9 l S", content(t, again))
	}
}

package pdf_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

// encryptionErr is why the file of a lock cannot be decrypted; opening it works.
func encryptionErr(t *testing.T, k *lock, more ...string) error {
	t.Helper()
	b := k.start()
	for i, o := range more {
		b.obj(20+i, o)
	}
	f := open(t, b.table(lockTrailer).Bytes())
	require.True(t, f.Encrypted())
	_, err := f.Encryption()
	return err
}

// Each entry of the dictionary in turn is something else.
func TestHostileEncryptionDictionary(t *testing.T) {
	long := hexText(strings.Repeat("o", 128))
	for _, c := range []struct {
		version    int
		key, value string
	}{
		{2, "Length", "0"}, {2, "Length", "5"}, {2, "Length", "44"}, {2, "Length", "136"}, {2, "Length", "-128"},
		{2, "Length", "4611686018427387904"}, {2, "Length", "/All"}, {2, "Length", "128.5"}, {2, "Length", "256"},
		{2, "P", "-2147483649"}, {2, "P", "4294967296"}, {2, "P", "null"}, {2, "P", "(x)"}, {2, "P", "-4.5"},
		{2, "O", "()"}, {2, "O", "null"}, {2, "O", "/Name"}, {2, "O", hexText(strings.Repeat("o", 31))}, {2, "O", hexText(strings.Repeat("o", 33))}, {2, "O", long},
		{2, "U", "()"}, {2, "U", "5"}, {2, "U", hexText(strings.Repeat("u", 31))}, {2, "U", long},
		{5, "O", hexText(strings.Repeat("o", 32))}, {5, "U", hexText(strings.Repeat("u", 47))}, {5, "U", hexText(strings.Repeat("u", 49))},
		{5, "OE", hexText(strings.Repeat("o", 31))}, {5, "UE", "()"}, {5, "UE", "null"}, {5, "Perms", "(short)"}, {5, "Perms", "null"},
		{5, "Perms", hexText(strings.Repeat("p", 17))}, {5, "Perms", hexText(strings.Repeat("p", 16))},
		{4, "CF", "null"}, {4, "CF", "[]"}, {4, "CF", "<<>>"}, {4, "CF", "<</StdCF 5>>"},
		{4, "StmF", "/Unheard"}, {4, "StrF", "5"}, {4, "EFF", "/Unheard"}, {4, "EncryptMetadata", "5"},
		{4, "V", "/Four"}, {4, "R", "[]"}, {4, "Filter", "5"}, {4, "Filter", "null"},
	} {
		k := newLock(t, c.version, map[int]string{2: "V2", 4: "AESV2", 5: "AESV3"}[c.version])
		k.entries[c.key] = c.value
		require.ErrorIs(t, encryptionErr(t, k), pdf.ErrDamaged, "/%s %.80s", c.key, c.value)
	}
}

func TestUnsupportedEncryption(t *testing.T) {
	for _, c := range [][2]string{
		{"Filter", "/Adobe.PubSec"}, {"Filter", "/" + strings.Repeat("X", 5000)}, {"V", "0"}, {"V", "3"}, {"V", "6"}, {"V", "-1"}, {"R", "7"}, {"R", "0"}, {"R", "3"},
		{"CF", "<</StdCF<</CFM/AESV3>>>>"}, {"CF", "<</StdCF<</CFM/AESV9>>>>"},
	} {
		k := newLock(t, 4, "AESV2")
		k.entries[c[0]] = c[1]
		var unsupported *pdf.UnsupportedError
		err := encryptionErr(t, k)
		require.ErrorAs(t, err, &unsupported, c)
		require.Less(t, len(err.Error()), 200)
	}
	k := newLock(t, 5, "AESV3")
	k.entries["CF"] = "<</StdCF<</CFM/AESV2>>>>"
	var unsupported *pdf.UnsupportedError
	require.ErrorAs(t, encryptionErr(t, k), &unsupported)
}

func TestEncryptLeadsNowhere(t *testing.T) {
	k := newLock(t, 4, "AESV2")
	for _, c := range []struct{ encrypt, object string }{
		{"99 0 R", "null"}, {"0 0 R", "null"}, {"9 1 R", "null"}, {"[]", "null"}, {"(x)", "null"}, {"5", "null"}, {"true", "null"},
		{"20 0 R", "20 0 R"}, {"20 0 R", "9 0 R"}, {"20 0 R", "[]"}, {"20 0 R", "(x)"}, {"20 0 R", "<<>>"}, {"20 0 R", "<</Filter 20 0 R>>"},
		{"20 0 R", "<</Length 0/Filter/Standard>>stream\n\nendstream"}, {"20 0 R", "<</Filter"},
	} {
		b := k.start().obj(20, c.object)
		f := open(t, b.table("/Encrypt "+c.encrypt+"/ID[(a)(b)]").Bytes())
		require.True(t, f.Encrypted())
		_, err := f.Encryption()
		require.ErrorIs(t, err, pdf.ErrDamaged, c)
		_, err = f.Text(pdf.String("x"))
		require.ErrorIs(t, err, pdf.ErrDamaged, c)
	}
	f := open(t, k.start().table("/Encrypt null").Bytes())
	require.False(t, f.Encrypted())
}

func TestCyclicCryptFilters(t *testing.T) {
	for _, c := range []struct{ filters, object string }{
		{"9 0 R", "null"},
		{"20 0 R", "20 0 R"},
		{"20 0 R", "<</StdCF 20 0 R>>"},
		{"<</StdCF 20 0 R>>", "20 0 R"},
		{"<</StdCF 20 0 R>>", "<</CFM 20 0 R>>"},
		{"<</StdCF<</CFM 20 0 R>>>>", "[20 0 R]"},
	} {
		k := newLock(t, 4, "AESV2")
		k.entries["CF"] = c.filters
		err := encryptionErr(t, k, c.object)
		if c.object == "<</StdCF 20 0 R>>" {
			require.NoError(t, err, "a filter without a method is one that does nothing")
			continue
		}
		require.ErrorIs(t, err, pdf.ErrDamaged, c)
	}
}

// An encryption dictionary in an object stream would have to be decrypted to
// be read.
func TestEncryptionDictionaryInObjectStream(t *testing.T) {
	k := newLock(t, 4, "AESV2")
	b := k.start()
	b.objStm(20, map[int]string{21: k.dict(), 22: "<</CFM/AESV2>>", 23: "7"})
	f := open(t, b.xrefStream(30, "/Encrypt 21 0 R/ID[("+lockID+")(2)]").Bytes())
	_, err := f.Encryption()
	require.ErrorIs(t, err, pdf.ErrDamaged)

	k.entries["CF"] = "<</StdCF 22 0 R>>"
	b = k.start()
	b.objStm(20, map[int]string{21: "0", 22: "<</CFM/AESV2>>", 23: "7"})
	f = open(t, b.xrefStream(30, lockTrailer).Bytes())
	_, err = f.Encryption()
	require.ErrorIs(t, err, pdf.ErrDamaged)

	// A filter that only the stream names which has to be decrypted first.
	k = newLock(t, 4, "AESV2")
	k.entries["CF"] = "<</StdCF<</CFM/AESV2>>/Own 22 0 R>>"
	b = k.start()
	b.stream(20, "/Type/ObjStm/N 1/First 5/Filter/Crypt/DecodeParms<</Name/Own>>", k.data(20, "22 0 <</CFM/AESV2>>"))
	b.places[22] = place{2, 20, 0}
	f = open(t, b.xrefStream(30, lockTrailer).Bytes())
	_, err = f.Encryption()
	require.NoError(t, err)
	_, err = f.Get(pdf.Ref{Number: 22})
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

// Values of the dictionary may be objects of their own, whose strings are not
// encrypted when they are read for it.
func TestIndirectEntriesOfEncryption(t *testing.T) {
	k := newLock(t, 4, "AESV2")
	o, filters := k.entries["O"], k.entries["CF"]
	k.entries["O"], k.entries["CF"], k.entries["P"] = "20 0 R", "21 0 R", "22 0 R"
	require.NoError(t, encryptionErr(t, k, o, filters, "-4"))
}

func TestEncryptionEntryTwice(t *testing.T) {
	for _, twice := range []string{"/StmF/Identity", "/CF<<>>", "/P -1", "/CF<</A 1/A 2>>"} {
		k := newLock(t, 4, "AESV2")
		k.entries["R"] += twice
		require.ErrorIs(t, encryptionErr(t, k), pdf.ErrDamaged, twice)
	}
	k := newLock(t, 4, "AESV2")
	f := open(t, k.start().table("/Encrypt "+k.dict()+lockTrailer).Bytes())
	_, err := f.Encryption()
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

// /P, /EncryptMetadata and /Perms say the same, or somebody changed them.
func TestPermissionsWereChanged(t *testing.T) {
	for _, plain := range []string{
		"\xf4\xff\xff\xff\xff\xff\xff\xffTadbxxxx", "\xfc\xff\xff\xff\xff\xff\xff\xffFadbxxxx",
		"\xfc\xff\xff\xff\xff\xff\xff\xff\x00adbxxxx", "\xfc\xff\xff\xff\xff\xff\xff\xffTadcxxxx",
	} {
		k := newLock(t, 5, "AESV3")
		k.perms(t, plain)
		require.ErrorIs(t, encryptionErr(t, k), pdf.ErrDamaged)
	}
	k := newLock(t, 5, "AESV3")
	k.entries["EncryptMetadata"] = "false"
	require.ErrorIs(t, encryptionErr(t, k), pdf.ErrDamaged)
	k.perms(t, "\xfc\xff\xff\xff\xff\xff\xff\xffFadbxxxx")
	require.NoError(t, encryptionErr(t, k))
	k.entries["P"] = "4294967292" // the same without a sign
	require.NoError(t, encryptionErr(t, k))

	// Revision 6, as qpdf wrote it, with one permission more.
	file, err := pdfs.Get("encrypted-restricted.pdf")
	require.NoError(t, err)
	data := file.Bytes()
	was := fmt.Sprintf("/P %d", int32(permissionsOf(t, data)))
	changed := []byte(strings.Replace(string(data), was, fmt.Sprintf("/P %d", int32(permissionsOf(t, data)|8)), 1))
	require.NotEqual(t, data, changed)
	f := openWith(t, padTo(t, changed, len(data)), pdfs.OwnerPassword)
	_, err = f.Encryption()
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

func permissionsOf(t *testing.T, data []byte) pdf.Permissions {
	t.Helper()
	e, err := open(t, data).Encryption()
	require.NoError(t, err)
	return e.Permissions
}

// padTo checks that nothing moved.
func padTo(t *testing.T, data []byte, size int) []byte {
	t.Helper()
	require.Len(t, data, size)
	return data
}

// With another /ID the key of revisions 2 to 4 is another one; later revisions
// do not use it.
func TestWrongID(t *testing.T) {
	for version, want := range map[int]error{2: pdf.ErrEncrypted, 4: pdf.ErrEncrypted, 5: nil} {
		k := newLock(t, version, map[int]string{2: "V2", 4: "AESV2", 5: "AESV3"}[version])
		for _, id := range []string{"/ID[(another)(2)]", "/ID[()()]", ""} {
			_, err := open(t, k.start().table("/Encrypt 9 0 R"+id).Bytes()).Encryption()
			require.ErrorIs(t, err, want)
		}
		for _, id := range []string{"/ID 5", "/ID[]", "/ID[5 6]", "/ID[20 0 R]"} {
			_, err := open(t, k.start().table("/Encrypt 9 0 R"+id).Bytes()).Encryption()
			if version == 5 {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, pdf.ErrDamaged, id)
		}
	}
}

// badData is data of object n that is cut, or whose padding is none.
func badData(k *lock, n int) []string {
	whole := string(k.data(n, "its data, of more than a block"))
	out := []string{whole[:1], whole[:15], whole[:17], whole[:31], whole[:len(whole)-1], whole + "x"}
	for _, end := range []string{"\x00", "\x11", "\xff", "\x01\x02", "\x03\x04\x03"} {
		padded := string(k.data(n, "fifteen and more"[:16-len(end)]+end))
		out = append(out, padded[:len(padded)-16])
	}
	return out
}

func TestBadEncryptedData(t *testing.T) {
	for _, k := range []*lock{newLock(t, 4, "AESV2"), newLock(t, 5, "AESV3")} {
		inArray, alone := badData(k, 12), badData(k, 11)
		for i, bad := range badData(k, 10) {
			b := k.start().stream(10, "", []byte(bad)).obj(11, hexText(alone[i])).
				obj(12, "<</A[<</B "+hexText(inArray[i])+">>]>>").stream(13, "/S "+hexText(badData(k, 13)[i]), nil)
			f := open(t, b.table(lockTrailer).Bytes())
			s, err := f.Stream(pdf.Ref{Number: 10})
			require.NoError(t, err)
			_, err = f.Decode(s)
			require.ErrorIs(t, err, pdf.ErrDamaged, "%x", bad)
			raw, err := f.RawStream(s)
			require.NoError(t, err)
			require.Equal(t, bad, string(raw))
			for _, n := range []uint32{11, 12, 13} {
				_, err = f.Get(pdf.Ref{Number: n})
				require.ErrorIs(t, err, pdf.ErrDamaged, "object %d, %d bytes", n, len(bad))
			}
		}
	}
}

// Nothing, and an initialization vector alone, stand for nothing.
func TestEmptyEncryptedData(t *testing.T) {
	for _, k := range []*lock{newLock(t, 2, "V2"), newLock(t, 4, "AESV2"), newLock(t, 5, "AESV3")} {
		for _, empty := range []string{"", strings.Repeat("v", 16)} {
			if k.method == "V2" {
				empty = ""
			}
			b := k.start().stream(10, "", []byte(empty)).obj(11, hexText(empty))
			f := open(t, b.table(lockTrailer).Bytes())
			s, err := f.Stream(pdf.Ref{Number: 10})
			require.NoError(t, err)
			data, err := f.Decode(s)
			require.NoError(t, err)
			require.Empty(t, data)
			text, err := f.String(pdf.Ref{Number: 11})
			require.NoError(t, err)
			require.Empty(t, text)
		}
	}
}

// What Identity filters cover needs no password.
func TestIdentityFilters(t *testing.T) {
	k := newLock(t, 4, "AESV2")
	k.entries["U"] = hexText(strings.Repeat("u", 32)) // no password fits
	k.entries["StmF"], k.entries["StrF"] = "/Identity", "/Identity"
	plain := []byte("clear text")
	k.entries["EFF"] = "/StdCF"
	b := newBuilder().onePage().obj(9, k.dict()).obj(10, "(clear)").stream(11, "", plain).
		stream(12, "/Type/EmbeddedFile", k.data(12, "hidden")).stream(13, "/Filter/Crypt/DecodeParms<</Name/StdCF>>", k.data(13, "hidden"))
	f := open(t, b.table(lockTrailer).Bytes())
	_, err := f.Encryption()
	require.ErrorIs(t, err, pdf.ErrEncrypted)
	text, err := f.Text(pdf.Ref{Number: 10})
	require.NoError(t, err)
	require.Equal(t, "clear", text)
	require.Equal(t, "0 0 m 9 9 l S", content(t, f))
	for n, want := range map[uint32]error{11: nil, 12: pdf.ErrEncrypted, 13: pdf.ErrEncrypted} {
		s, err := f.Stream(pdf.Ref{Number: n})
		require.NoError(t, err)
		_, err = f.Decode(s)
		require.ErrorIs(t, err, want)
	}

	// Version 4 that names no filters at all encrypts nothing.
	k = newLock(t, 4, "AESV2")
	delete(k.entries, "CF")
	delete(k.entries, "StmF")
	delete(k.entries, "StrF")
	f = open(t, newBuilder().onePage().obj(9, k.dict()).obj(10, "(clear)").table(lockTrailer).Bytes())
	text, err = f.Text(pdf.Ref{Number: 10})
	require.NoError(t, err)
	require.Equal(t, "clear", text)
	require.Equal(t, "0 0 m 9 9 l S", content(t, f))
}

func TestHostileCryptFilterOfStream(t *testing.T) {
	k := newLock(t, 4, "AESV2")
	k.entries["CF"] = "<</StdCF<</CFM/AESV2>>/Bad<</CFM/AESV9>>/Loop 20 0 R>>"
	data := k.data(10, "its data")
	decode := func(k *lock, entries string) error {
		f := open(t, k.start().stream(10, entries, data).obj(20, "20 0 R").table(lockTrailer).Bytes())
		s, err := f.Stream(pdf.Ref{Number: 10})
		if err == nil {
			_, err = f.Decode(s)
		}
		return err
	}
	require.NoError(t, decode(k, "/Filter/Crypt/DecodeParms<</Name/StdCF>>"))
	require.NoError(t, decode(k, "/Filter[/Crypt]/DecodeParms[<</Name/StdCF>>]"))
	for _, entries := range []string{
		"/Filter[/ASCIIHexDecode/Crypt]", "/Filter[/ASCIIHexDecode/Crypt]/DecodeParms[null<</Name/StdCF>>]", "/Filter[/Crypt/Crypt]/DecodeParms[<</Name/StdCF>><</Name/StdCF>>]",
		"/Filter/Crypt/DecodeParms<</Name/Unheard>>", "/Filter/Crypt/DecodeParms<</Name/Loop>>", "/Filter/Crypt/DecodeParms<</Name 20 0 R>>",
		"/Filter/Crypt/DecodeParms 20 0 R", "/Filter 20 0 R", "/Filter[20 0 R]", "/Filter/Crypt/DecodeParms<</Name(StdCF)>>",
	} {
		err := decode(k, entries)
		require.True(t, errors.Is(err, pdf.ErrDamaged), "%s: %v", entries, err)
	}
	var unsupported *pdf.UnsupportedError
	require.ErrorAs(t, decode(k, "/Filter/Crypt/DecodeParms<</Name/Bad>>"), &unsupported)
	old := newLock(t, 2, "V2")
	require.ErrorIs(t, decode(old, "/Filter/Crypt"), pdf.ErrDamaged, "there are no crypt filters before version 4")
}

// The hash of revision 6 goes on for as long as its input likes, but never for
// ever: whatever is hashed ends.
func TestHashOfRevision6Ends(t *testing.T) {
	file, err := pdfs.Get("encrypted-password.pdf")
	require.NoError(t, err)
	at := strings.Index(string(file.Bytes()), "/U <")
	require.Positive(t, at)
	for i := range 60 {
		data := file.Bytes()
		copy(data[at+4+64:], fmt.Sprintf("%032x", i*0x9e3779b9)) // other salts
		_, err := openWith(t, data, fmt.Sprint("password ", i)).Encryption()
		require.ErrorIs(t, err, pdf.ErrEncrypted)
	}
}

// Each revision may have an encryption of its own, whose passwords cost time; an
// honest file has one.
func TestEncryptionOfManyRevisions(t *testing.T) {
	k := newLock(t, 5, "AESV3")
	b := newBuilder().onePage()
	for i := range 40 {
		k.entries["U"] = hexText(fmt.Sprintf("%048d", i))
		b.obj(9, k.dict()).table(lockTrailer)
	}
	for range 40 {
		b.obj(10, "10").table(lockTrailer)
	}
	f := open(t, b.Bytes())
	var limit *pdf.LimitError
	locked, refused := 0, 0
	for i := 79; i >= 0; i-- {
		old, err := f.At(i)
		require.NoError(t, err)
		_, err = old.Encryption()
		if errors.As(err, &limit) {
			refused++
			continue
		}
		require.ErrorIs(t, err, pdf.ErrEncrypted)
		locked++
	}
	require.Equal(t, 40+16, locked)
	require.Equal(t, 40-16, refused)
}

// A reader that fails while the encryption is read is no wrong password.
func TestReaderFailsInEncryption(t *testing.T) {
	file, err := pdfs.Get("encrypted-aes256.pdf")
	require.NoError(t, err)
	data := append(file.Bytes()[:0:0], file.Bytes()...)
	for limit := range 40 {
		r := &stopping{data: data, left: limit}
		f, err := pdf.Open(r, int64(len(data)), nil)
		if err != nil {
			require.ErrorIs(t, err, errStopped)
			continue
		}
		_, err = f.Encryption()
		require.NoError(t, err)
	}
}

var errStopped = errors.New("the reader stopped")

// stopping fails after some reads.
type stopping struct {
	data []byte
	left int
}

func (r *stopping) ReadAt(b []byte, off int64) (int, error) {
	if r.left--; r.left < 0 {
		return 0, errStopped
	}
	n := copy(b, r.data[min(off, int64(len(r.data))):])
	return n, nil
}

// FuzzEncryption puts an encryption dictionary of any text into a file that is
// encrypted, and its texts where something is decrypted.
func FuzzEncryption(f *testing.F) {
	for _, k := range locks(f) {
		f.Add(k.dict(), string(k.data(10, "its data")), "/Filter/Crypt/DecodeParms<</Name/StdCF>>", "")
		f.Add(k.dict(), "(x)", "/Type/Metadata", "password")
	}
	f.Add("<</Filter/Standard/V 4/R 4/CF 9 0 R/StmF/CF>>", "", "/Filter/Crypt", "\xff")
	f.Add("9 0 R", "", "/Type/EmbeddedFile", "")
	f.Fuzz(func(t *testing.T, dict, text, entries, password string) {
		b := newBuilder().onePage().obj(9, dict).obj(10, "["+hexText(text)+"<</Contents "+hexText(text)+"/ByteRange[]>>]").
			stream(11, entries, []byte(text))
		data := b.table(lockTrailer).Bytes()
		opt := fuzzLimits
		opt.Password = password
		file, err := pdf.Open(strings.NewReader(string(data)), int64(len(data)), &opt)
		if err != nil {
			return
		}
		_ = readAll(file)
		u := pdf.NewUpdate(file)
		ref := u.Add(pdf.Array{pdf.String(text), pdf.Raw(hexText(text))})
		tail, err := u.Bytes()
		if err != nil {
			return // nothing can be encrypted
		}
		data = append(data, tail...)
		file, err = pdf.Open(strings.NewReader(string(data)), int64(len(data)), &opt)
		require.NoError(t, err)
		o, err := file.Get(ref)
		require.NoError(t, err)
		require.Equal(t, pdf.Array{pdf.String(text), pdf.String(text)}, o)
	})
}

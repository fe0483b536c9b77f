package pdf_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

func openWith(t testing.TB, data []byte, password string) *pdf.File {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(data), int64(len(data)), &pdf.Options{Password: password})
	require.NoError(t, err)
	return f
}

// content is the decoded content stream of the first page.
func content(t testing.TB, f *pdf.File) string {
	t.Helper()
	page, err := f.Page(1)
	require.NoError(t, err)
	parts, err := f.Resolve(page.Dict["Contents"])
	require.NoError(t, err)
	list, ok := parts.(pdf.Array)
	if !ok {
		list = pdf.Array{parts}
	}
	var b strings.Builder
	for _, o := range list {
		s, err := f.Stream(o)
		require.NoError(t, err)
		data, err := f.Decode(s)
		require.NoError(t, err)
		b.Write(data)
	}
	return b.String()
}

// encryptedCases are the checked-in files and what they were made of.
var encryptedCases = []struct {
	name, source   string
	version, rev   int
	bits           int
	restrictedness pdf.Permissions // not permitted
}{
	{"encrypted-rc4-40.pdf", "classic.pdf", 1, 2, 40, 0},
	{"encrypted-rc4-128.pdf", "form.pdf", 2, 3, 128, 0},
	{"encrypted-metadata.pdf", "ghostscript.pdf", 4, 4, 128, 0},
	{"encrypted-aes128.pdf", "form.pdf", 4, 4, 128, 0},
	{"encrypted-r5.pdf", "form.pdf", 5, 5, 256, 0},
	{"encrypted-aes256.pdf", "classic.pdf", 5, 6, 256, 0},
	{"encrypted-password.pdf", "classic.pdf", 5, 6, 256, 0},
	{"encrypted-restricted.pdf", "classic.pdf", 5, 6, 256, pdf.PermitNewFields},
}

func TestDecryptFiles(t *testing.T) {
	for _, c := range encryptedCases {
		file, err := pdfs.Get(c.name)
		require.NoError(t, err)
		source, err := pdfs.Get(c.source)
		require.NoError(t, err)
		plain := open(t, source.Bytes())
		for _, password := range []string{file.Password, pdfs.OwnerPassword} {
			f := openWith(t, file.Bytes(), password)
			require.True(t, f.Encrypted(), c.name)
			e, err := f.Encryption()
			require.NoError(t, err, c.name)
			require.Equal(t, []int{c.version, c.rev, c.bits}, []int{e.Version, e.Revision, e.KeyBits}, c.name)
			require.Equal(t, password == pdfs.OwnerPassword, e.Owner, c.name)
			require.Equal(t, c.restrictedness, pdf.PermitNewFields&^e.Permissions, c.name)
			require.Equal(t, e.Owner || c.restrictedness == 0, e.Allows(pdf.PermitNewFields), c.name)
			require.True(t, e.Allows(pdf.PermitForms), c.name)
			require.Equal(t, content(t, plain), content(t, f), c.name)
			require.Equal(t, fieldNames(t, plain), fieldNames(t, f), c.name)
			require.Equal(t, title(t, plain), title(t, f), c.name)
		}
	}
}

func fieldNames(t *testing.T, f *pdf.File) []string {
	t.Helper()
	names := []string{}
	require.NoError(t, f.Fields(func(fd *pdf.Field) error {
		value, err := f.Resolve(fd.Value)
		require.NoError(t, err)
		s, _ := value.(pdf.String)
		names = append(names, fd.Name+"="+s.Text())
		return nil
	}))
	return names
}

// title is that of the information dictionary.
func title(t *testing.T, f *pdf.File) string {
	t.Helper()
	info, err := f.Dict(f.Trailer()["Info"])
	require.NoError(t, err)
	s, err := f.Text(info["Title"])
	require.NoError(t, err)
	return s
}

func TestPlainFilesHaveNoEncryption(t *testing.T) {
	f := openWith(t, samples()["objstm"], "a password for nothing")
	e, err := f.Encryption()
	require.NoError(t, err)
	require.Nil(t, e)
	require.False(t, f.Encrypted())
}

// Without the password the structure is there and nothing that was encrypted.
func TestWrongPassword(t *testing.T) {
	for _, name := range []string{"encrypted-password.pdf", "encrypted-metadata.pdf"} {
		file, err := pdfs.Get(name)
		require.NoError(t, err)
		for _, password := range []string{"", "hunter2", strings.Repeat("x", 500), "\xff\xfe", "kata sandi \u00e9\u4e00"} {
			f := openWith(t, file.Bytes(), password)
			_, err := f.Encryption()
			require.ErrorIs(t, err, pdf.ErrEncrypted)
			if password != "" {
				require.NotContains(t, err.Error(), password)
			}
			page, err := f.Page(1)
			require.NoError(t, err)
			s, err := f.Stream(page.Dict["Contents"])
			require.NoError(t, err)
			_, err = f.Decode(s)
			require.ErrorIs(t, err, pdf.ErrEncrypted)
			raw, err := f.RawStream(s)
			require.NoError(t, err)
			require.NotEmpty(t, raw)
			u := pdf.NewUpdate(f)
			u.Add(pdf.Array{pdf.Dict{"A": pdf.String("plain")}})
			_, err = u.Bytes()
			require.ErrorIs(t, err, pdf.ErrEncrypted)
		}
	}
}

// Metadata that is not encrypted is read without the password, and with it.
func TestMetadataInTheClear(t *testing.T) {
	file, err := pdfs.Get("encrypted-metadata.pdf")
	require.NoError(t, err)
	for _, password := range []string{"", file.Password} {
		f := openWith(t, file.Bytes(), password)
		catalog, err := f.Catalog()
		require.NoError(t, err)
		s, err := f.Stream(catalog["Metadata"])
		require.NoError(t, err)
		data, err := f.Decode(s)
		require.NoError(t, err)
		require.Contains(t, string(data), "<?xpacket")
	}
}

// The user's password opens what has one, whatever was given wrongly beside.
func TestEmptyPasswordIsTried(t *testing.T) {
	file, err := pdfs.Get("encrypted-aes256.pdf")
	require.NoError(t, err)
	e, err := openWith(t, file.Bytes(), "hunter2").Encryption()
	require.NoError(t, err)
	require.False(t, e.Owner)
}

func TestPermissions(t *testing.T) {
	for _, c := range []struct {
		revision  int
		given     pdf.Permissions
		ask       pdf.Permissions
		allowed   bool
		ownerToo  bool
		describes string
	}{
		{3, pdf.PermitChanges | pdf.PermitAnnotations, pdf.PermitNewFields, true, true, "bits 4 and 6 make fields"},
		{3, pdf.PermitAnnotations, pdf.PermitNewFields, false, true, "bit 6 alone does not"},
		{3, pdf.PermitChanges | pdf.PermitForms, pdf.PermitNewFields, false, true, "nor do bits 4 and 9"},
		{3, pdf.PermitAnnotations, pdf.PermitForms, true, true, "bit 6 fills in"},
		{3, pdf.PermitForms, pdf.PermitForms, true, true, "bit 9 fills in"},
		{2, pdf.PermitForms, pdf.PermitForms, false, true, "revision 2 has no bit 9"},
		{2, pdf.PermitAnnotations, pdf.PermitForms, true, true, "it has bit 6"},
		{6, 0, 0, true, true, "nothing needs nothing"},
	} {
		e := pdf.Encryption{Revision: c.revision, Permissions: c.given}
		require.Equal(t, c.allowed, e.Allows(c.ask), c.describes)
		e.Owner = true
		require.Equal(t, c.ownerToo, e.Allows(c.ask), c.describes)
	}
}

// Passwords of every kind, as qpdf writes them.
func TestPasswords(t *testing.T) {
	qpdf, err := exec.LookPath("qpdf")
	if err != nil {
		t.Skip("qpdf is not installed; install it to try passwords of every kind")
	}
	source, err := pdfs.Get("classic.pdf")
	require.NoError(t, err)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "out.pdf")
	require.NoError(t, os.WriteFile(in, source.Bytes(), 0o600))
	passwords := []string{"x", "kunci \u00e9\u00fc\u20ac\u2014", strings.Repeat("0123456789", 4), strings.Repeat("abcdefghij", 13)[:127]}
	for _, how := range []string{"40", "128 --use-aes=n", "128 --use-aes=y", "256 --force-R5", "256"} {
		for i, password := range passwords {
			owner := passwords[(i+1)%len(passwords)]
			args := append([]string{"--allow-weak-crypto", "--encrypt", password, owner}, strings.Fields(how)...)
			msg, err := exec.Command(qpdf, append(args, "--", in, out)...).CombinedOutput()
			require.NoError(t, err, "%s", msg)
			data, err := os.ReadFile(out)
			require.NoError(t, err)
			for _, p := range []string{password, owner} {
				if len(p) == 127 {
					p += "which nobody looks at"
				}
				e, err := openWith(t, data, p).Encryption()
				require.NoError(t, err, "%s: %s", how, p)
				require.Equal(t, strings.HasPrefix(p, owner), e.Owner, "%s: %s", how, p)
			}
			_, err = openWith(t, data, password[:len(password)-1]+"?").Encryption()
			if len(password) < 32 {
				require.ErrorIs(t, err, pdf.ErrEncrypted, how)
			}
		}
	}
}

// Every method, with strings and streams that stand where they are encrypted,
// and where they are not.
func TestDecryptWhatIsEncrypted(t *testing.T) {
	for name, k := range locks(t) {
		b := k.start().
			obj(10, "["+k.text(10, "a string")+"<</A[["+k.text(10, "a deep one")+"]]>>]").
			obj(11, k.text(11, "alone")).
			obj(12, "<</Type/Sig/Contents<30800000>/ByteRange[0 1 2 3]/Reason "+k.text(12, "why")+">>").
			obj(13, "<</FT/Sig/V<</Contents<30800000>/ByteRange[0 1 2 3]/Reason "+k.text(13, "why")+">>>>").
			obj(14, "<</Subtype/Text/Contents "+k.text(14, "a note")+">>").
			stream(15, "/S "+k.text(15, "of a stream"), k.data(15, "its data"))
		b.stream(16, "/Type/ObjStm/N 2/First 10", k.data(16, "20 0 21 8 (inner) <</A(b)>>"))
		b.places[20], b.places[21] = place{2, 16, 0}, place{2, 16, 1}
		b.size = 22
		f := open(t, b.xrefStream(30, lockTrailer).Bytes())
		_, err := f.Encryption()
		require.NoError(t, err, name)
		require.Equal(t, "0 0 m 9 9 l S", content(t, f), name)

		get := func(n uint32) pdf.Object {
			o, err := f.Get(pdf.Ref{Number: n})
			require.NoError(t, err, "%s: object %d", name, n)
			return o
		}
		list := get(10).(pdf.Array)
		require.Equal(t, pdf.String("a string"), list[0], name)
		require.Equal(t, pdf.Dict{"A": pdf.Array{pdf.Array{pdf.String("a deep one")}}}, list[1], name)
		require.Equal(t, pdf.String("alone"), get(11), name)
		require.Equal(t, pdf.String("\x30\x80\x00\x00"), get(12).(pdf.Dict)["Contents"], name)
		require.Equal(t, pdf.String("why"), get(12).(pdf.Dict)["Reason"], name)
		value := get(13).(pdf.Dict)["V"].(pdf.Dict)
		require.Equal(t, pdf.String("\x30\x80\x00\x00"), value["Contents"], name)
		require.Equal(t, pdf.String("why"), value["Reason"], name)
		require.Equal(t, pdf.String("a note"), get(14).(pdf.Dict)["Contents"], name)
		s := get(15).(*pdf.Stream)
		require.Equal(t, pdf.String("of a stream"), s.Dict["S"], name)
		plain, err := f.Decode(s)
		require.NoError(t, err)
		require.Equal(t, "its data", string(plain), name)
		require.Equal(t, pdf.String("inner"), get(20), "%s: strings in object streams are not encrypted again", name)
		require.Equal(t, pdf.Dict{"A": pdf.String("b")}, get(21), name)
		own := get(9).(pdf.Dict)
		require.Equal(t, k.entries["U"], hexText(string(own["U"].(pdf.String))), "%s: the encryption dictionary is as it stands", name)
		section := get(30).(*pdf.Stream)
		require.Equal(t, pdf.String(lockID), section.Dict["ID"].(pdf.Array)[0], "%s: nor is a cross-reference stream", name)
		_, err = f.Decode(section)
		require.NoError(t, err, name)
	}
}

// A later revision that adds or changes the encryption leaves the earlier state
// as it was.
func TestEncryptionOfEachRevision(t *testing.T) {
	k := newLock(t, 4, "AESV2")
	b := newBuilder().onePage().obj(10, "(plain)").table("/ID[(" + lockID + ")(1)]")
	b.obj(9, k.dict()).obj(11, k.text(11, "secret")).table(lockTrailer)
	f := open(t, b.Bytes())
	got, err := f.String(pdf.Ref{Number: 11})
	require.NoError(t, err)
	require.Equal(t, pdf.String("secret"), got)
	_, err = f.String(pdf.Ref{Number: 10})
	require.ErrorIs(t, err, pdf.ErrDamaged, "what was written in the clear is no data of the method")
	old, err := f.At(0)
	require.NoError(t, err)
	require.False(t, old.Encrypted())
	got, err = old.String(pdf.Ref{Number: 10})
	require.NoError(t, err)
	require.Equal(t, pdf.String("plain"), got)

	b.obj(12, "12").table(lockTrailer)
	f = open(t, b.Bytes())
	old, err = f.At(1)
	require.NoError(t, err)
	got, err = old.String(pdf.Ref{Number: 11})
	require.NoError(t, err)
	require.Equal(t, pdf.String("secret"), got)
}

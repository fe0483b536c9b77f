package sign_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/verify"
)

// encryptedFiles are the checked-in files that have an encryption dictionary.
func encryptedFiles(t *testing.T) []pdfs.File {
	t.Helper()
	var out []pdfs.File
	for _, f := range pdfs.Files() {
		if strings.HasPrefix(f.Name, "encrypted-") {
			out = append(out, f)
		}
	}
	require.Len(t, out, 8)
	return out
}

func passwordOptions(t testing.TB, password string) *sign.Options {
	opt := stampOptions(t)
	opt.Password = password
	opt.Reason = "perjanjian (asli)"
	return opt
}

// What a stamp adds to an encrypted file is encrypted with it: whoever opens
// the file reads it, and nobody else.
func TestStampEncrypted(t *testing.T) {
	number := numberOf(t, 7)
	for _, f := range encryptedFiles(t) {
		for _, password := range []string{f.Password, pdfs.OwnerPassword} {
			if f.Expect == pdfs.Restricted && password != pdfs.OwnerPassword {
				continue
			}
			t.Run(f.Name+"/"+password, func(t *testing.T) {
				src := f.Bytes()
				var buf bytes.Buffer
				res, err := open(t, src, passwordOptions(t, password)).
					Sign(context.Background(), &buf, credential(t, specimen(t).StampP256), sign.Issue{Number: number})
				require.NoError(t, err)
				out := buf.Bytes()
				require.True(t, bytes.HasPrefix(out, src))
				update := out[len(src):]
				require.NotContains(t, string(update), "perjanjian")
				require.NotContains(t, string(update), number.String())
				require.NotContains(t, string(update), "20 0 0 20")

				read, err := pdf.Open(bytes.NewReader(out), int64(len(out)), &pdf.Options{Password: f.Password})
				require.NoError(t, err)
				checkReadable(t, read, res)
			})
		}
	}
}

// checkReadable reads the stamp of a file that was opened with its password.
func checkReadable(t *testing.T, f *pdf.File, res *sign.Result) {
	t.Helper()
	var field *pdf.Field
	require.NoError(t, f.Fields(func(fd *pdf.Field) error {
		if fd.Name == res.Field {
			field = fd
		}
		return nil
	}))
	require.NotNil(t, field)
	dict, err := f.Dict(field.Value)
	require.NoError(t, err)
	reason, err := f.Text(dict["Reason"])
	require.NoError(t, err)
	require.Equal(t, "["+res.Number.String()+"] perjanjian (asli)", reason)
	require.Equal(t, pdf.String(res.Seal), dict["MeteraiSeal"])
	contents, ok := dict["Contents"].(pdf.String)
	require.True(t, ok)
	require.Equal(t, "\x30\x82", string(contents[:2]), "the signature's value is not encrypted")

	ap, err := f.Dict(field.Dict["AP"])
	require.NoError(t, err)
	form, err := f.Stream(ap["N"])
	require.NoError(t, err)
	drawn, err := f.Decode(form)
	require.NoError(t, err)
	require.Contains(t, string(drawn), " re")
	raw, err := f.RawStream(form)
	require.NoError(t, err)
	require.NotContains(t, string(raw), " re\n")
}

// The verifier opens what has no user password; of the others it judges what it
// can read, and never calls the stamp valid.
func TestVerifyEncrypted(t *testing.T) {
	for _, f := range encryptedFiles(t) {
		t.Run(f.Name, func(t *testing.T) {
			out := stamp(t, f.Bytes(), passwordOptions(t, pdfs.OwnerPassword), sign.Issue{Number: numberOf(t, 8)})
			report := verified(t, out)
			if f.Password != "" {
				require.NotEqual(t, verify.TotalPassed, report.Indication)
				return
			}
			require.Equal(t, verify.TotalPassed, report.Indication, "%s", report.Text())
			require.True(t, report.Signatures[0].Stamp.DocumentBound)

			again := stamp(t, out, passwordOptions(t, pdfs.OwnerPassword), sign.Issue{Number: numberOf(t, 9)})
			report = verified(t, again)
			require.Len(t, report.Signatures, 2)
			require.Equal(t, verify.TotalPassed, report.Indication, "%s", report.Text())
		})
	}
}

func TestTheSameUpdateOfAnEncryptedFile(t *testing.T) {
	for _, f := range encryptedFiles(t) {
		cred := credential(t, specimen(t).StampRSA)
		is := sign.Issue{Number: numberOf(t, 5), Time: time.Unix(1795248000, 0)}
		opt := passwordOptions(t, pdfs.OwnerPassword)
		opt.Stamp.Seal = specimen(t).SealEd25519
		first, err := open(t, f.Bytes(), opt).Prepare(context.Background(), cred, is)
		require.NoError(t, err)
		second, err := open(t, f.Bytes(), opt).Prepare(context.Background(), cred, is)
		require.NoError(t, err)
		require.Equal(t, first.Update, second.Update, f.Name)
	}
}

func TestEncryptedRefusals(t *testing.T) {
	refused := func(name, password string) error {
		src := fileBytes(t, name)
		_, err := sign.Open(bytes.NewReader(src), int64(len(src)), passwordOptions(t, password))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
		return err
	}
	require.ErrorIs(t, refused("encrypted-password.pdf", ""), pdf.ErrEncrypted)
	require.Equal(t, pdf.ErrEncrypted, refused("encrypted-r5.pdf", ""), "that comes first, whatever else cannot be read")
	require.ErrorIs(t, refused("encrypted-password.pdf", "hunter2"), pdf.ErrEncrypted)
	require.ErrorIs(t, refused("encrypted-metadata.pdf", "hunter2"), pdf.ErrEncrypted)
	var access *sign.AccessError
	require.ErrorAs(t, refused("encrypted-restricted.pdf", "hunter2"), &access)
	require.Equal(t, pdf.PermitNewFields, access.Need)
	require.Zero(t, access.Permissions&pdf.PermitAnnotations)
	require.NotZero(t, access.Permissions&pdf.PermitForms)
	require.Contains(t, access.Error(), "new form fields")
	require.Contains(t, access.Error(), "owner password")
}

// A field that is there may be signed with no more than bit 9 of /P.
func TestSignFieldOfRestrictedFile(t *testing.T) {
	src, err := os.ReadFile(encrypted(t, program(t, "qpdf"), "form.pdf", "", "256 --modify=form"))
	require.NoError(t, err)
	_, err = sign.Open(bytes.NewReader(src), int64(len(src)), stampOptions(t))
	var access *sign.AccessError
	require.ErrorAs(t, err, &access)
	opt := &sign.Options{Field: "tandatangan"}
	report := verified(t, stamp(t, src, opt, sign.Issue{}))
	require.Equal(t, verify.TotalPassed, report.Indication, "%s", report.Text())
	require.Equal(t, "tandatangan", report.Signatures[0].Field)

	src, err = os.ReadFile(encrypted(t, program(t, "qpdf"), "form.pdf", "", "256 --modify=none"))
	require.NoError(t, err)
	_, err = sign.Open(bytes.NewReader(src), int64(len(src)), opt)
	require.ErrorAs(t, err, &access)
	require.Equal(t, pdf.PermitForms, access.Need)
	require.Contains(t, access.Error(), "to be signed")
}

// Validation data and a document timestamp go into encrypted files too.
func TestExtendEncrypted(t *testing.T) {
	a := newAuthority(t)
	for _, f := range encryptedFiles(t) {
		var out bytes.Buffer
		_, err := open(t, f.Bytes(), &sign.Options{Password: pdfs.OwnerPassword}).
			Sign(t.Context(), &out, credential(t, a.pki.StampP256), sign.Issue{})
		require.NoError(t, err)
		opt := &sign.ExtendOptions{Data: a.collector, Timestamp: a.client, Password: pdfs.OwnerPassword}
		whole, res := a.extend(t, out.Bytes(), opt)
		require.Empty(t, res.Missing, f.Name)
		if f.Password == "" {
			r := a.judged(t, whole, time.Time{})
			require.Equal(t, verify.TotalPassed, r.Indication, "%s: %s", f.Name, r.Text())
		}
		if f.Expect != pdfs.Stampable {
			opt.Password = ""
			_, _, err = sign.Extend(t.Context(), bytes.NewReader(out.Bytes()), int64(out.Len()), opt)
			require.Error(t, err, f.Name)
		}
	}
}

// encryptions are what qpdf can encrypt a file with.
var encryptions = map[string]string{
	"rc4-40":            "40",
	"rc4-128":           "128 --use-aes=n",
	"rc4-v4":            "128 --use-aes=n --force-V4",
	"rc4-v4-metadata":   "128 --use-aes=n --force-V4 --cleartext-metadata",
	"aes-128":           "128 --use-aes=y",
	"aes-128-metadata":  "128 --use-aes=y --cleartext-metadata",
	"aes-256-r5":        "256 --force-R5",
	"aes-256-r6":        "256",
	"aes-256-metadata":  "256 --cleartext-metadata",
	"rc4-128-no-forms":  "128 --use-aes=n --form=n --annotate=y",
	"aes-256-few-right": "256 --print=none --extract=n",
}

// encrypted has qpdf encrypt a checked-in file.
func encrypted(t *testing.T, qpdf, name, user, how string, more ...string) string {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "out.pdf")
	require.NoError(t, os.WriteFile(in, fileBytes(t, name), 0o600))
	args := append([]string{"--allow-weak-crypto", "--encrypt", user, pdfs.OwnerPassword}, strings.Fields(how)...)
	args = append(append(args, "--"), more...)
	msg, err := exec.Command(qpdf, append(args, in, out)...).CombinedOutput()
	require.NoError(t, err, "%s", msg)
	return out
}

// Every way in which qpdf encrypts, with tables and with object streams: what
// was stamped is read by qpdf, Poppler and MuPDF with either password.
func TestStampEveryEncryption(t *testing.T) {
	qpdf := program(t, "qpdf")
	for name, how := range encryptions {
		for _, source := range []string{"surat-pernyataan.pdf", "form.pdf", "object-streams.pdf"} {
			t.Run(name+"/"+source, func(t *testing.T) {
				more := []string{"--object-streams=preserve"}
				if source == "form.pdf" {
					more = []string{"--object-streams=generate", "--linearize"}
				}
				path := encrypted(t, qpdf, source, "rahasia", how, more...)
				src, err := os.ReadFile(path)
				require.NoError(t, err)
				for _, password := range []string{"rahasia", pdfs.OwnerPassword} {
					out := stamp(t, src, passwordOptions(t, password), sign.Issue{Number: numberOf(t, 3)})
					require.NoError(t, os.WriteFile(path, out, 0o600))
					readByOthers(t, path)
				}
			})
		}
	}
}

// readByOthers opens a stamped file with the user's password "rahasia" and with
// the owner's.
func readByOthers(t *testing.T, path string) {
	t.Helper()
	for _, args := range [][]string{
		{"qpdf", "--check", "--password=rahasia", path},
		{"qpdf", "--check", "--password=" + pdfs.OwnerPassword, path},
		{"pdfsig", "-nocert", "-upw", "rahasia", path},
		{"pdfsig", "-nocert", "-opw", pdfs.OwnerPassword, path},
		{"mutool", "draw", "-q", "-p", "rahasia", "-F", "text", "-o", "/dev/null", path},
	} {
		tool, err := exec.LookPath(args[0])
		if err != nil {
			t.Logf("%s is not installed: it does not check the encrypted stamp", args[0])
			continue
		}
		out, err := exec.Command(tool, args[1:]...).CombinedOutput()
		require.NoError(t, err, "%s: %s", args, out)
		said := strings.ReplaceAll(strings.ToLower(string(out)), "warning: icc support is not available", "") // a mutool without it
		require.NotContains(t, said, "warning", args)
		require.NotContains(t, said, "error:", args)
		if args[0] == "pdfsig" {
			require.Contains(t, string(out), "Signature is Valid.", args)
			require.Contains(t, string(out), "Total document signed", args)
		}
	}
}

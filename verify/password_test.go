package verify_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/verify"
)

// An encrypted document is opened with either password; without one nothing is
// said of it but why.
func TestPassword(t *testing.T) {
	w := newWorld(t)
	cred, err := sign.NewCredential(w.pki.StampP256.Cert, w.pki.StampP256.Chain, w.pki.StampP256.Key, nil)
	require.NoError(t, err)
	with := func(password string) *verify.Options {
		return with(w.opt, func(o *verify.Options) { o.Password = password })
	}
	files := 0
	for _, f := range pdfs.Files() {
		if !strings.HasPrefix(f.Name, "encrypted-") {
			continue
		}
		files++
		src := f.Bytes()
		d, err := sign.Open(bytes.NewReader(src), int64(len(src)), &sign.Options{Password: pdfs.OwnerPassword})
		require.NoError(t, err)
		var out bytes.Buffer
		_, err = d.Sign(t.Context(), &out, cred, sign.Issue{})
		require.NoError(t, err)
		for _, password := range []string{f.Password, pdfs.OwnerPassword} {
			r := check(t, out.Bytes(), with(password))
			require.Equal(t, verify.TotalPassed, r.Indication, "%s: %s", f.Name, r.Text())
		}
		r := check(t, out.Bytes(), with("hunter2"))
		if f.Password == "" {
			require.Equal(t, verify.TotalPassed, r.Indication, "the empty password is tried: %s", r.Text())
			continue
		}
		require.Equal(t, r, check(t, out.Bytes(), w.opt))
		require.Equal(t, verify.Unreadable, r.Indication, r.Text())
		require.Equal(t, []string{"the document is encrypted: the password is missing or wrong"}, r.Reasons)
		require.Empty(t, r.Signatures)
	}
	require.Positive(t, files)
}

package cms_test

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	digitorus "github.com/digitorus/pkcs7"
	"github.com/stretchr/testify/require"
	mozilla "go.mozilla.org/pkcs7"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// openssl runs the witness in dir; without one on the PATH the test is skipped.
func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl on the PATH to compare with")
	}
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "openssl %v\n%s", args, out)
}

// laidOut writes certificate, key, CA and document for openssl.
func laidOut(t *testing.T, c *credential) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) {
		b := der
		if kind != "" {
			b = pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	write("cert.pem", "CERTIFICATE", c.cert.Raw)
	write("ca.pem", "CERTIFICATE", authority().cert.Raw)
	write("key.pem", "PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(c.key)))
	write("doc", "", document)
	return dir
}

func TestOpenSSLVerifiesOurs(t *testing.T) {
	for _, c := range algorithmCases() {
		t.Run(c.name, func(t *testing.T) {
			cred := certified(c.key())
			dir := laidOut(t, cred)
			b := built(t, cred, c.alg)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "sig"), b, 0o600))
			if c.alg == cms.Ed25519 {
				// OpenSSL 3.0 cannot verify Ed25519 in CMS; that it reads the structure
				// is checked here, the signature value in TestSignCallsTheSignerOnce.
				openssl(t, dir, "cms", "-cmsout", "-noout", "-print", "-inform", "DER", "-in", "sig")
				return
			}
			args := []string{"cms", "-verify", "-inform", "DER", "-binary", "-in", "sig", "-content", "doc",
				"-CAfile", "ca.pem", "-purpose", "any", "-out", "out"}
			openssl(t, dir, args...)
			openssl(t, dir, append(args, "-cades")...)
			got, err := os.ReadFile(filepath.Join(dir, "out"))
			require.NoError(t, err)
			require.Equal(t, document, got)
		})
	}
}

func TestWeVerifyOpenSSL(t *testing.T) {
	legacy := &cms.VerifyOptions{AcceptLegacy: true}
	cases := map[string]struct {
		key    func() crypto.Signer
		args   []string
		algo   string
		opt    *cms.VerifyOptions
		ess    int
		direct bool
		loose  bool
	}{
		"RSA SHA-256":      {keyRSA2048, []string{"-md", "sha256"}, "RSA with SHA-256", nil, 0, false, false},
		"RSA SHA-1":        {keyRSA2048, []string{"-md", "sha1"}, "RSA with SHA-1", legacy, 0, false, false},
		"RSA MD5":          {keyRSA2048, []string{"-md", "md5"}, "RSA with MD5", legacy, 0, false, false},
		"RSA SHA-224":      {keyRSA2048, []string{"-md", "sha224"}, "RSA with SHA-224", nil, 0, false, false},
		"RSA SHA3-256":     {keyRSA2048, []string{"-md", "sha3-256"}, "RSA with SHA3-256", nil, 0, false, false},
		"RSA key id":       {keyRSA2048, []string{"-md", "sha256", "-keyid"}, "RSA with SHA-256", nil, 0, false, false},
		"RSA CAdES":        {keyRSA2048, []string{"-md", "sha256", "-cades"}, "RSA with SHA-256", nil, 2, false, false},
		"RSA CAdES v1":     {keyRSA2048, []string{"-md", "sha1", "-cades"}, "RSA with SHA-1", legacy, 1, false, false},
		"RSA no attrs":     {keyRSA2048, []string{"-md", "sha256", "-noattr"}, "RSA with SHA-256", nil, 0, true, false},
		"RSA streamed":     {keyRSA2048, []string{"-md", "sha256", "-stream", "-nodetach"}, "RSA with SHA-256", nil, 0, false, true},
		"RSA-PSS SHA-256":  {keyRSA2048, []string{"-md", "sha256", "-keyopt", "rsa_padding_mode:pss"}, "RSA-PSS with SHA-256", nil, 0, false, false},
		"RSA-PSS salt 20":  {keyRSA2048, []string{"-md", "sha256", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:20"}, "RSA-PSS with SHA-256", nil, 0, false, false},
		"RSA-PSS salt 0":   {keyRSA2048, []string{"-md", "sha256", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:0"}, "RSA-PSS with SHA-256", nil, 0, false, false},
		"RSA-PSS SHA-512":  {keyRSA3072, []string{"-md", "sha512", "-keyopt", "rsa_padding_mode:pss"}, "RSA-PSS with SHA-512", nil, 0, false, false},
		"ECDSA SHA-256":    {keyP256, []string{"-md", "sha256"}, "ECDSA with SHA-256", nil, 0, false, false},
		"ECDSA SHA-512":    {keyP521, []string{"-md", "sha512", "-cades"}, "ECDSA with SHA-512", nil, 2, false, false},
		"ECDSA streamed":   {keyP256, []string{"-md", "sha256", "-stream", "-nodetach"}, "ECDSA with SHA-256", nil, 0, false, true},
		"RSA no certs":     {keyRSA2048, []string{"-md", "sha256", "-nocerts"}, "RSA with SHA-256", nil, 0, false, false},
		"RSA with content": {keyRSA2048, []string{"-md", "sha256", "-nodetach"}, "RSA with SHA-256", nil, 0, false, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cred := certified(c.key())
			dir := laidOut(t, cred)
			args := []string{"cms", "-sign", "-binary", "-in", "doc", "-signer", "cert.pem", "-inkey", "key.pem", "-outform", "DER", "-out", "sig"}
			openssl(t, dir, append(args, c.args...)...)
			b, err := os.ReadFile(filepath.Join(dir, "sig"))
			require.NoError(t, err)
			sd, err := cms.Parse(b, nil)
			require.NoError(t, err)
			require.Equal(t, len(b), sd.Length)
			require.Equal(t, !c.loose, sd.DER)
			if sd.HasContent {
				require.Equal(t, document, sd.Content)
			}
			res, err := verified(b, cred.cert, c.opt)
			require.NoError(t, err)
			require.Equal(t, c.algo, res.Algorithm)
			require.Equal(t, c.ess, res.SigningCertificate)
			require.Equal(t, !c.direct, res.Attributes)
			require.Equal(t, c.opt != nil, len(res.Legacy) > 0)
			if c.opt != nil {
				_, err = verified(b, cred.cert, nil)
				requireReason(t, err, cms.ReasonLegacy)
			}
		})
	}
}

// TestPKCS7LibrariesReadOurs holds what we build to two libraries of the field,
// as far as they go: neither knows RSA-PSS.
func TestPKCS7LibrariesReadOurs(t *testing.T) {
	for _, c := range algorithmCases() {
		switch c.alg {
		case cms.RSAPSSSHA256, cms.RSAPSSSHA384, cms.RSAPSSSHA512:
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			b := built(t, certified(c.key()), c.alg)
			theirs, err := digitorus.Parse(b)
			require.NoError(t, err)
			require.Len(t, theirs.Certificates, 2)
			theirs.Content = document
			require.NoError(t, theirs.Verify())
			theirs.Content = []byte("other")
			require.Error(t, theirs.Verify())
			if c.alg == cms.Ed25519 { // the older library does not know it
				return
			}
			old, err := mozilla.Parse(b)
			require.NoError(t, err)
			old.Content = document
			require.NoError(t, old.Verify())
		})
	}
}

func TestWeReadPKCS7Libraries(t *testing.T) {
	for _, key := range []func() crypto.Signer{keyRSA2048, keyP256} {
		cred := certified(key())
		for _, detached := range []bool{true, false} {
			old, err := mozilla.NewSignedData(document)
			require.NoError(t, err)
			old.SetDigestAlgorithm(mozilla.OIDDigestAlgorithmSHA256)
			require.NoError(t, old.AddSigner(cred.cert, cred.key, mozilla.SignerInfoConfig{}))
			if detached {
				old.Detach()
			}
			b, err := old.Finish()
			require.NoError(t, err)
			requireTheirs(t, b, cred, detached)

			newer, err := digitorus.NewSignedData(document)
			require.NoError(t, err)
			newer.SetDigestAlgorithm(digitorus.OIDDigestAlgorithmSHA256)
			require.NoError(t, newer.AddSigner(cred.cert, cred.key, digitorus.SignerInfoConfig{}))
			if detached {
				newer.Detach()
			}
			b, err = newer.Finish()
			require.NoError(t, err)
			requireTheirs(t, b, cred, detached)
		}
	}
}

func requireTheirs(t *testing.T, b []byte, cred *credential, detached bool) {
	t.Helper()
	sd, err := cms.Parse(b, nil)
	require.NoError(t, err)
	require.Equal(t, !detached, sd.HasContent)
	if !detached {
		require.Equal(t, document, sd.Content)
	}
	_, err = verified(b, cred.cert, nil)
	require.NoError(t, err)
}

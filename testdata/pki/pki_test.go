package pki_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/testdata/pki"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func newPKI(t *testing.T, opt *pki.Options) *pki.PKI {
	t.Helper()
	p, err := pki.New(opt)
	require.NoError(t, err)
	return p
}

func identities(p *pki.PKI) map[string]pki.Identity {
	return map[string]pki.Identity{"rsa": p.StampRSA, "p256": p.StampP256, "tsa": p.TSA, "ocsp": p.OCSP}
}

func TestEveryIdentityChainsToTheRoot(t *testing.T) {
	p := newPKI(t, &pki.Options{Now: noon, TSAValidity: pki.TSAValidity})
	usage := map[string]x509.ExtKeyUsage{
		"rsa": x509.ExtKeyUsageAny, "p256": x509.ExtKeyUsageAny,
		"tsa": x509.ExtKeyUsageTimeStamping, "ocsp": x509.ExtKeyUsageOCSPSigning,
	}
	validity := map[string]time.Duration{"rsa": pki.LeafValidity, "p256": pki.LeafValidity, "tsa": pki.TSAValidity, "ocsp": pki.LeafValidity}
	serials := map[string]bool{}
	for name, id := range identities(p) {
		t.Run(name, func(t *testing.T) {
			chains, err := id.Cert.Verify(x509.VerifyOptions{
				Roots: p.Roots(), Intermediates: p.Intermediates(), CurrentTime: noon,
				KeyUsages: []x509.ExtKeyUsage{usage[name]},
			})
			require.NoError(t, err)
			require.Len(t, chains, 1)
			require.Len(t, chains[0], 3)
			require.Equal(t, []*x509.Certificate{p.Issuing.Cert}, id.Chain)
			require.Contains(t, id.Cert.Subject.String(), "SPECIMEN")
			require.Equal(t, p.Issuing.Cert.SubjectKeyId, id.Cert.AuthorityKeyId)
			require.Len(t, id.Cert.SubjectKeyId, 20)
			require.Equal(t, noon.Add(-time.Hour), id.Cert.NotBefore)
			require.Equal(t, noon.Add(validity[name]), id.Cert.NotAfter)
			require.False(t, serials[id.Cert.SerialNumber.String()], "a serial number twice")
			serials[id.Cert.SerialNumber.String()] = true
		})
	}
}

func TestProfiles(t *testing.T) {
	p := newPKI(t, &pki.Options{Now: noon})
	seal := x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	require.Equal(t, seal, p.StampRSA.Cert.KeyUsage)
	require.Equal(t, seal, p.StampP256.Cert.KeyUsage)
	require.Empty(t, p.StampP256.Cert.ExtKeyUsage)
	require.Equal(t, 2048, p.StampRSA.Cert.PublicKey.(*rsa.PublicKey).N.BitLen())
	require.Equal(t, "P-256", p.StampP256.Cert.PublicKey.(*ecdsa.PublicKey).Params().Name)

	require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}, p.TSA.Cert.ExtKeyUsage)
	require.True(t, extension(p.TSA.Cert, "2.5.29.37").critical)
	require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, p.OCSP.Cert.ExtKeyUsage)
	require.True(t, extension(p.OCSP.Cert, "1.3.6.1.5.5.7.48.1.5").found)
	require.True(t, p.Issuing.Cert.MaxPathLenZero)
	require.False(t, extension(p.StampRSA.Cert, "2.5.29.31").found, "no addresses unless asked for")

	require.IsType(t, ed25519.PrivateKey{}, p.SealEd25519)
	require.IsType(t, &ecdsa.PrivateKey{}, p.SealP256)
}

type ext struct{ found, critical bool }

func extension(c *x509.Certificate, oid string) ext {
	for _, e := range c.Extensions {
		if e.Id.String() == oid {
			return ext{true, e.Critical}
		}
	}
	return ext{}
}

func TestURLs(t *testing.T) {
	p := newPKI(t, &pki.Options{URL: "http://127.0.0.1:8318"})
	require.Equal(t, []string{"http://127.0.0.1:8318/issuing.crl"}, p.StampP256.Cert.CRLDistributionPoints)
	require.Equal(t, []string{"http://127.0.0.1:8318/issuing.crt"}, p.StampP256.Cert.IssuingCertificateURL)
	require.Equal(t, []string{"http://127.0.0.1:8318/ocsp"}, p.StampP256.Cert.OCSPServer)
	require.Equal(t, []string{"http://127.0.0.1:8318/root.crl"}, p.Issuing.Cert.CRLDistributionPoints)
	require.Empty(t, p.OCSP.Cert.OCSPServer)
	require.Empty(t, p.Root.Cert.CRLDistributionPoints)
}

func TestIssueEveryKindOfKey(t *testing.T) {
	p := newPKI(t, &pki.Options{Now: noon, Name: "Uji"})
	kinds := []pki.KeyType{pki.P256, pki.P384, pki.P521, pki.Ed25519, pki.RSA2048, pki.RSA3072, pki.RSA4096}
	if testing.Short() {
		kinds = kinds[:5]
	}
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			id, err := p.Issue(&pki.Request{CommonName: "X", Key: kind})
			require.NoError(t, err)
			require.Equal(t, "SPECIMEN Uji X", id.Cert.Subject.CommonName)
			msg, opts := []byte("meterai"), crypto.SignerOpts(crypto.Hash(0))
			algo := x509.PureEd25519
			switch id.Key.(type) {
			case *ecdsa.PrivateKey:
				algo = x509.ECDSAWithSHA256
			case *rsa.PrivateKey:
				algo = x509.SHA256WithRSA
			}
			digest := msg
			if algo != x509.PureEd25519 {
				sum := sha256.Sum256(msg)
				digest, opts = sum[:], crypto.SHA256
			}
			sig, err := id.Key.Sign(rand.Reader, digest, opts)
			require.NoError(t, err)
			require.NoError(t, id.Cert.CheckSignature(algo, msg, sig))
		})
	}
	_, err := p.Issue(&pki.Request{Key: pki.KeyType(99)})
	require.ErrorContains(t, err, "KeyType(99)")
	_, err = p.Issue(&pki.Request{Use: pki.Use(99)})
	require.ErrorContains(t, err, "no such use")
}

func TestIssueForAKeyAndAValidityOfOnesOwn(t *testing.T) {
	p := newPKI(t, &pki.Options{Now: noon, Authorities: pki.RSA2048})
	key, err := pki.NewKey(pki.P256)
	require.NoError(t, err)
	id, err := p.Issue(&pki.Request{
		CommonName: "expired", Signer: key, NotBefore: noon.AddDate(-2, 0, 0), NotAfter: noon.AddDate(-1, 0, 0),
	})
	require.NoError(t, err)
	require.Same(t, key, id.Key)
	_, err = id.Cert.Verify(x509.VerifyOptions{
		Roots: p.Roots(), Intermediates: p.Intermediates(), CurrentTime: noon,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	var invalid x509.CertificateInvalidError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, x509.Expired, invalid.Reason)
}

func TestRevoke(t *testing.T) {
	p := newPKI(t, &pki.Options{Now: noon})
	before := p.CRLs
	require.Equal(t, []string{"root 1 0", "issuing 1 0"}, describe(t, p))

	require.NoError(t, p.Revoke(p.StampRSA.Cert, pki.KeyCompromise, noon.Add(-time.Minute)))
	require.Equal(t, []string{"root 1 0", "issuing 2 1"}, describe(t, p))
	require.NotEqual(t, before[1], p.CRLs[1], "slices handed out earlier stay as they were")

	require.NoError(t, p.Revoke(p.StampRSA.Cert, pki.Superseded, noon), "again: the first entry stays")
	require.NoError(t, p.Revoke(p.Issuing.Cert, pki.CACompromise, noon))
	require.Equal(t, []string{"root 2 1", "issuing 3 1"}, describe(t, p))

	crl := p.RevocationLists()[1]
	require.Equal(t, p.CRLs[1], crl.Raw)
	require.Equal(t, p.StampRSA.Cert.SerialNumber, crl.RevokedCertificateEntries[0].SerialNumber)
	require.Equal(t, int(pki.KeyCompromise), crl.RevokedCertificateEntries[0].ReasonCode)
	require.Equal(t, noon.Add(-time.Minute), crl.RevokedCertificateEntries[0].RevocationTime)
	require.Equal(t, noon, crl.ThisUpdate)
	require.Equal(t, noon.Add(pki.CRLValidity), crl.NextUpdate)

	other := newPKI(t, nil)
	var unknown *pki.UnknownIssuerError
	require.ErrorAs(t, p.Revoke(other.StampP256.Cert, pki.Unspecified, noon), &unknown)
	require.Contains(t, unknown.Subject, "E-Seal P-256")
}

func describe(t *testing.T, p *pki.PKI) []string {
	t.Helper()
	var out []string
	for i, a := range []*pki.Authority{p.Root, p.Issuing} {
		crl := parseCRL(t, p.CRLs[i])
		require.NoError(t, crl.CheckSignatureFrom(a.Cert))
		out = append(out, []string{"root", "issuing"}[i]+" "+crl.Number.String()+" "+
			big.NewInt(int64(len(crl.RevokedCertificateEntries))).String())
	}
	return out
}

func parseCRL(t *testing.T, der []byte) *x509.RevocationList {
	t.Helper()
	crl, err := x509.ParseRevocationList(der)
	require.NoError(t, err)
	return crl
}

// requireSameKey compares private keys by their values: what a key precomputes
// may be written with or without leading zeros.
func requireSameKey(t *testing.T, want, got crypto.Signer) {
	t.Helper()
	key, ok := want.(interface{ Equal(crypto.PrivateKey) bool })
	require.True(t, ok)
	require.True(t, key.Equal(got))
}

func TestWriteAndLoad(t *testing.T) {
	p := newPKI(t, &pki.Options{Now: noon})
	require.NoError(t, p.Revoke(p.StampRSA.Cert, pki.KeyCompromise, noon))
	dir := filepath.Join(t.TempDir(), "deep", "pki")
	require.NoError(t, p.Write(dir))

	st, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), st.Mode().Perm())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 6+8+2)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		if filepath.Ext(e.Name()) == ".key" {
			require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), e.Name())
		}
	}
	siblings, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	require.Len(t, siblings, 1, "nothing temporary stays")

	q, err := pki.Load(dir, &pki.Options{Now: noon.Add(time.Hour)})
	require.NoError(t, err)
	for name, id := range identities(p) {
		require.True(t, id.Cert.Equal(identities(q)[name].Cert), name)
		requireSameKey(t, id.Key, identities(q)[name].Key)
		require.Equal(t, id.PEM(), identities(q)[name].PEM(), name)
	}
	require.Equal(t, p.CRLs, q.CRLs)
	requireSameKey(t, p.SealEd25519, q.SealEd25519)
	requireSameKey(t, p.SealP256, q.SealP256)
	require.Equal(t, p.RootsPEM(), q.RootsPEM())

	// What was loaded goes on where it was: numbers count up, entries stay.
	require.NoError(t, q.Revoke(q.TSA.Cert, pki.CessationOfOperation, noon))
	require.Equal(t, []string{"root 1 0", "issuing 3 2"}, describe(t, q))
	require.NoError(t, q.WriteCRLs(dir))
	again, err := pki.Load(dir, nil)
	require.NoError(t, err)
	require.Equal(t, q.CRLs, again.CRLs)
}

func TestWriteNeverOverwrites(t *testing.T) {
	p := newPKI(t, nil)
	dir := t.TempDir()
	require.NoError(t, p.Write(dir), "an empty directory is taken")
	before, err := os.ReadFile(filepath.Join(dir, pki.RootFile))
	require.NoError(t, err)
	require.ErrorIs(t, newPKI(t, nil).Write(dir), pki.ErrExists)
	after, err := os.ReadFile(filepath.Join(dir, pki.RootFile))
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestLoadRefuses(t *testing.T) {
	p, other := newPKI(t, nil), newPKI(t, nil)
	foreign := filepath.Join(t.TempDir(), "other")
	require.NoError(t, other.Write(foreign))
	swap := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			b, err := os.ReadFile(filepath.Join(foreign, name))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
		}
	}
	both := func(a, b string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { swap(a)(t, dir); swap(b)(t, dir) }
	}
	for _, c := range []struct {
		name, file string
		damage     func(t *testing.T, dir string)
	}{
		{"a key is missing", "tsa.key", func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "tsa.key")))
		}},
		{"a certificate is empty", "ocsp.pem", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "ocsp.pem"), nil, 0o600))
		}},
		{"a key is no key", "root.key", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "root.key"), []byte("x"), 0o600))
		}},
		{"another's key", "stamp-rsa.pem", swap("stamp-rsa.key")},
		{"another's identity", "stamp-p256.pem", both("stamp-p256.key", "stamp-p256.pem")},
		{"another's issuing authority", "issuing.pem", both("issuing.key", "issuing.pem")},
		{"another's CRL", "issuing.crl", swap("issuing.crl")},
		{"a file beyond reason", "seal-p256.key", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "seal-p256.key"), bytes.Repeat([]byte{'\n'}, 1<<20+1), 0o600))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "pki")
			require.NoError(t, p.Write(dir))
			c.damage(t, dir)
			_, err := pki.Load(dir, nil)
			var bad *pki.FileError
			require.ErrorAs(t, err, &bad)
			require.Equal(t, filepath.Join(dir, c.file), bad.File)
		})
	}
	_, err := pki.Load(filepath.Join(t.TempDir(), "none"), nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// TestOpenSSL has OpenSSL as witness for the chains and the CRLs.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed; install it to have it check the chains and CRLs")
	}
	p := newPKI(t, nil)
	require.NoError(t, p.Revoke(p.StampRSA.Cert, pki.KeyCompromise, time.Now().Add(-time.Minute)))
	dir := filepath.Join(t.TempDir(), "pki")
	require.NoError(t, p.Write(dir))
	in := func(name string) string { return filepath.Join(dir, name) }

	var crls []byte
	for _, name := range []string{pki.RootCRL, pki.IssuingCRL} {
		out, err := exec.Command(openssl, "crl", "-inform", "DER", "-in", in(name)).Output()
		require.NoError(t, err)
		crls = append(crls, out...)
	}
	require.NoError(t, os.WriteFile(in("crls.pem"), crls, 0o600))
	verify := func(leaf, purpose string) (string, error) {
		out, err := exec.Command(openssl, "verify", "-x509_strict", "-crl_check_all", "-purpose", purpose,
			"-CAfile", in(pki.RootFile), "-untrusted", in(pki.IssuingFile), "-CRLfile", in("crls.pem"), in(leaf)).CombinedOutput()
		return string(out), err
	}
	for leaf, purpose := range map[string]string{
		"stamp-p256.pem": "any", "tsa.pem": "timestampsign", "ocsp.pem": "ocsphelper",
	} {
		out, err := verify(leaf, purpose)
		require.NoError(t, err, out)
		require.Contains(t, out, "OK")
	}
	out, err := verify("stamp-rsa.pem", "any")
	var exit *exec.ExitError
	require.True(t, errors.As(err, &exit), "the revoked certificate must not verify")
	require.Contains(t, out, "certificate revoked")
}

// TestIssuedIsRemembered: what a responder has to know to say "unknown".
func TestIssuedIsRemembered(t *testing.T) {
	p, other := newPKI(t, &pki.Options{Now: noon}), newPKI(t, nil)
	require.Equal(t, noon, p.Now())
	for name, id := range identities(p) {
		require.True(t, p.Issued(id.Cert.SerialNumber), name)
		require.False(t, other.Issued(id.Cert.SerialNumber), name)
	}
	later, err := p.Issue(&pki.Request{CommonName: "Later"})
	require.NoError(t, err)
	require.True(t, p.Issued(later.Cert.SerialNumber))
	require.False(t, p.Issued(p.Issuing.Cert.SerialNumber), "the root issued it")
	require.False(t, p.Issued(big.NewInt(1)))
	require.False(t, p.Issued(nil))

	dir := filepath.Join(t.TempDir(), "pki")
	require.NoError(t, p.Write(dir))
	q, err := pki.Load(dir, nil)
	require.NoError(t, err)
	for name, id := range identities(q) {
		require.True(t, q.Issued(id.Cert.SerialNumber), name)
	}
	require.False(t, q.Issued(later.Cert.SerialNumber), "it is not in the directory")
}

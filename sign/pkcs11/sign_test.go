//go:build cgo

package pkcs11_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/pkcs11"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

func TestSignsWithEveryKindOfKey(t *testing.T) {
	m := openModule(t, softHSM(t), nil)
	for _, label := range []string{"rsa", "p256", "p384", "p521", "ed"} {
		t.Run(label, func(t *testing.T) {
			s := openSigner(t, m, config(label, "one"))
			opts := crypto.SignerOpts(crypto.SHA256)
			if label == "ed" {
				opts = crypto.Hash(0)
			}
			for i := range 5 {
				sig, err := s.Sign(rand.Reader, digest(i), opts)
				require.NoError(t, err)
				checkSignature(t, s.Public(), digest(i), sig)
			}
			message := []byte("a message")
			sig, err := crypto.SignMessage(s, rand.Reader, message, opts)
			require.NoError(t, err)
			if sum := sha256.Sum256(message); label == "ed" {
				checkSignature(t, s.Public(), message, sig)
			} else {
				checkSignature(t, s.Public(), sum[:], sig)
			}
		})
	}
	require.Equal(t, uint64(1), m.Figures().Tokens[0].Logins, "all signers share the login")
}

func TestPSS(t *testing.T) {
	m := openModule(t, softHSM(t), nil)
	s := openSigner(t, m, config("rsa", "one"))
	pub := s.Public().(*rsa.PublicKey)
	for _, salt := range []int{rsa.PSSSaltLengthEqualsHash, rsa.PSSSaltLengthAuto, 20, 0x7fffffff} {
		for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			h := hash.New()
			h.Write([]byte("x"))
			sum := h.Sum(nil)
			sig, err := s.Sign(nil, sum, &rsa.PSSOptions{SaltLength: salt, Hash: hash})
			if salt == 0x7fffffff {
				require.Error(t, err)
				continue
			}
			require.NoError(t, err)
			require.NoError(t, rsa.VerifyPSS(pub, hash, sum, sig, &rsa.PSSOptions{SaltLength: salt}))
		}
	}
	sum := sha512.Sum512([]byte("x"))
	sig, err := s.Sign(nil, sum[:], crypto.SHA512)
	require.NoError(t, err)
	require.NoError(t, rsa.VerifyPKCS1v15(pub, crypto.SHA512, sum[:], sig))
}

func TestRefusesWhatItCannotSign(t *testing.T) {
	m := openModule(t, softHSM(t), nil)
	p256, ed := openSigner(t, m, config("p256", "one")), openSigner(t, m, config("ed", "one"))
	for _, c := range []struct {
		name  string
		s     *pkcs11.Signer
		input []byte
		opts  crypto.SignerOpts
	}{
		{"no options", p256, digest(0), nil},
		{"no hash", p256, digest(0), crypto.Hash(0)},
		{"weak hash", p256, make([]byte, 20), crypto.SHA1},
		{"short digest", p256, digest(0)[1:], crypto.SHA256},
		{"prehashed", ed, make([]byte, 64), crypto.SHA512},
	} {
		_, err := c.s.Sign(nil, c.input, c.opts)
		require.Error(t, err, c.name)
		_, err = c.s.SignMessage(nil, c.input, c.opts)
		require.Equal(t, c.name != "short digest", err != nil, c.name)
	}
	require.Equal(t, uint64(1), m.Figures().Tokens[0].Operations, "nothing went to the token but the message")
}

func TestThirtyTwoCallersOnFourSessions(t *testing.T) {
	m := openModule(t, softHSM(t), &pkcs11.Options{Sessions: 4})
	s := openSigner(t, m, config("p256", "one"))
	burst(t, s, 32, 20)
	f := m.Figures().Tokens[0]
	require.Equal(t, uint64(640), f.Signatures)
	require.Equal(t, f.Operations, f.Signatures)
	require.LessOrEqual(t, f.SessionsOpened, uint64(5))
	require.Zero(t, f.Busy)
	require.Zero(t, f.Waiting)
}

// burst signs from many goroutines and demands that every signature verifies.
func burst(t testing.TB, s *pkcs11.Signer, callers, each int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), guard)
	defer cancel()
	var wg sync.WaitGroup
	errs := make(chan error, callers*each)
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				d := digest(c*each + i)
				sig, err := s.SignContext(ctx, d, crypto.SHA256)
				if err != nil {
					errs <- err
					continue
				}
				checkSignature(t, s.Public(), d, sig)
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}

func TestStampWithAKeyInAToken(t *testing.T) {
	m := openModule(t, softHSM(t), nil)
	p, err := pki.New(nil)
	require.NoError(t, err)
	file, err := pdfs.Get("classic.pdf")
	require.NoError(t, err)
	source := file.Bytes()
	for _, c := range []struct {
		label string
		alg   cms.Algorithm
	}{{"rsa", 0}, {"rsa", cms.RSAPSSSHA256}, {"p256", 0}, {"p384", 0}, {"p521", 0}, {"ed", 0}} {
		label, alg := c.label, c.alg
		t.Run(label, func(t *testing.T) {
			s := openSigner(t, m, config(label, "one"))
			id, err := p.Issue(&pki.Request{CommonName: "HSM " + label, Signer: s})
			require.NoError(t, err)
			cred, err := sign.NewCredential(id.Cert, id.Chain, s, &sign.CredentialOptions{Algorithm: alg})
			require.NoError(t, err)
			doc, err := sign.Open(bytes.NewReader(source), int64(len(source)),
				&sign.Options{Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: p.SealP256}})
			require.NoError(t, err)
			scheme, err := serial.NewScheme('0', "ZZ", [32]byte{1})
			require.NoError(t, err)
			n, err := scheme.Number(1)
			require.NoError(t, err)
			var out bytes.Buffer
			_, err = doc.Sign(context.Background(), &out, cred, sign.Issue{Number: n})
			require.NoError(t, err)
			checkStamp(t, out.Bytes(), p)
		})
	}
}

// checkStamp has the verifier judge the signature of a stamped file.
func checkStamp(t testing.TB, b []byte, p *pki.PKI) {
	t.Helper()
	carrier := sha256.Sum256(p.Issuing.Cert.Raw)
	key, err := seal.NewKey(p.SealP256.Public())
	require.NoError(t, err)
	trust, err := verify.NewSealTrust(verify.SealTrustEntry{
		PublicKey: base64.StdEncoding.EncodeToString(key.SPKI()), Algorithm: key.Algorithm().String(),
		Issuers: []string{"ZZ"}, Epochs: []string{"0"}, NotBefore: p.Root.Cert.NotBefore,
		Currency: "IDR", Specimen: true, Certificates: []string{hex.EncodeToString(carrier[:])},
	})
	require.NoError(t, err)
	opt := &verify.Options{Roots: p.Roots(), SealTrust: trust}
	for _, der := range p.CRLs {
		crl, err := x509.ParseRevocationList(der)
		require.NoError(t, err)
		opt.CRLs = append(opt.CRLs, crl)
	}
	report, err := verify.Document(context.Background(), bytes.NewReader(b), int64(len(b)), opt)
	require.NoError(t, err)
	require.Len(t, report.Signatures, 1)
	require.Equal(t, verify.TotalPassed, report.Signatures[0].Indication, "%+v", report.Signatures[0])
}

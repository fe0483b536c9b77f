package tsa_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/tsa"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

// guard ends a test that would hang; nothing is timed by it.
const guard = 60 * time.Second

var specimenPKI = sync.OnceValues(func() (*pki.PKI, error) { return pki.New(nil) })

// specimen is one PKI for all tests of the package.
func specimen(t testing.TB) *pki.PKI {
	t.Helper()
	p, err := specimenPKI()
	require.NoError(t, err)
	return p
}

// serve starts a service of the specimen PKI for one test.
func serve(t testing.TB) *pkiserver.Running {
	t.Helper()
	srv, err := pkiserver.Start(specimen(t), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	return srv
}

// httpClient keeps no connections, so that a service can end at once.
func httpClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}}
}

// client asks the given addresses and trusts the specimen.
func client(t testing.TB, change func(*tsa.Options), urls ...string) *tsa.Client {
	t.Helper()
	opt := &tsa.Options{HTTP: httpClient(), Roots: specimen(t).Roots()}
	for _, u := range urls {
		opt.Servers = append(opt.Servers, tsa.Server{URL: u, Timeout: guard})
	}
	if change != nil {
		change(opt)
	}
	c, err := tsa.New(opt)
	require.NoError(t, err)
	return c
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), guard)
	t.Cleanup(cancel)
	return ctx
}

func digest() []byte {
	sum := sha256.Sum256([]byte("what is stamped"))
	return sum[:]
}

// info is what an honest token says.
func info() *cms.TimestampInfo {
	return &cms.TimestampInfo{
		Policy: pkiserver.DefaultPolicy(), Hash: cms.Digest(crypto.SHA256), Imprint: digest(), Serial: big.NewInt(7),
		Time: time.Now().UTC().Truncate(time.Second), Accuracy: time.Second, Nonce: big.NewInt(99),
	}
}

// token is an honest token, but for what change does to it.
func token(t testing.TB, id *pki.Identity, change func(*cms.TimestampInfo)) []byte {
	t.Helper()
	i := info()
	if change != nil {
		change(i)
	}
	der, err := pkiserver.Token(id, i, true)
	require.NoError(t, err)
	return der
}

// tlv encodes an element with a tag of one octet.
func tlv(tag byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	n := len(body)
	switch {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, body...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, body...)
	case n < 0x10000:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
	}
	return append([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

// issued makes an end entity of the specimen PKI.
func issued(t testing.TB, req *pki.Request) *pki.Identity {
	t.Helper()
	id, err := specimen(t).Issue(req)
	require.NoError(t, err)
	return &id
}

// loneTSA is an authority that signed its own certificate: quick to make, for fuzzing,
// where making a whole PKI takes most of the time.
func loneTSA(t testing.TB) *pki.Identity {
	t.Helper()
	key, err := pki.NewKey(pki.P256)
	require.NoError(t, err)
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "SPECIMEN"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &pki.Identity{Cert: cert, Key: key}
}

// looseTSA has the extended key usage, but not critical.
func looseTSA(t testing.TB) *pki.Identity {
	t.Helper()
	p := specimen(t)
	key, err := pki.NewKey(pki.P256)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(4711), Subject: p.TSA.Cert.Subject, NotBefore: p.TSA.Cert.NotBefore, NotAfter: p.TSA.Cert.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	}
	der, err := x509.CreateCertificate(nil, template, p.Issuing.Cert, key.Public(), p.Issuing.Key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &pki.Identity{Cert: cert, Chain: p.TSA.Chain, Key: key}
}

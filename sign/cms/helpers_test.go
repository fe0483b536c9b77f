package cms_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

var (
	document = []byte("a document to be stamped, of no particular content")

	keyRSA2048 = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	keyRSA3072 = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 3072)) })
	keyRSA1024 = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 1024)) })
	keyP256    = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	keyP384    = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	keyP521    = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	keyEd25519 = sync.OnceValue(func() crypto.Signer {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return must(k, err)
	})

	authority = sync.OnceValue(func() *credential {
		k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		template := certificateTemplate("Test Issuing Authority", 1)
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage = x509.KeyUsageCertSign
		der := must(x509.CreateCertificate(rand.Reader, template, template, k.Public(), k))
		return &credential{cert: must(x509.ParseCertificate(der)), key: k}
	})
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

type credential struct {
	cert  *x509.Certificate
	chain []*x509.Certificate
	key   crypto.Signer
}

func certificateTemplate(name string, serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{Organization: []string{"Specimen"}, CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		SubjectKeyId: []byte{1, 2, 3, 4, byte(serial >> 8), byte(serial)},
	}
}

// certified gives the key a certificate of the test authority. The serial number
// has its top bit set, so that its DER needs a leading zero.
func certified(key crypto.Signer) *credential {
	return issue(certificateTemplate("Specimen Signer", 0x8001), key)
}

func issue(template *x509.Certificate, key crypto.Signer) *credential {
	ca := authority()
	der := must(x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key))
	return &credential{cert: must(x509.ParseCertificate(der)), chain: []*x509.Certificate{ca.cert}, key: key}
}

func digestOf(h crypto.Hash, message []byte) []byte {
	w := h.New()
	w.Write(message)
	return w.Sum(nil)
}

// built is a signature over document, made by the package.
func built(t testing.TB, c *credential, alg cms.Algorithm, unsigned ...cms.Attribute) []byte {
	t.Helper()
	tpl, err := cms.NewTemplate(c.cert, c.chain, alg)
	require.NoError(t, err)
	attrs := tpl.SignedAttributes(digestOf(alg.Hash(), document))
	require.NotNil(t, attrs)
	sig, err := tpl.Sign(c.key, attrs)
	require.NoError(t, err)
	require.NoError(t, tpl.Check(attrs, sig))
	out, err := tpl.Finish(attrs, sig, unsigned...)
	require.NoError(t, err)
	require.LessOrEqual(t, len(out), tpl.MaxSize()+len(out)*min(len(unsigned), 1))
	return out
}

// tlv encodes an element; written apart from the package under test.
func tlv(tag byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	var length []byte
	switch n := len(body); {
	case n < 0x80:
		length = []byte{byte(n)}
	case n < 0x100:
		length = []byte{0x81, byte(n)}
	case n < 0x10000:
		length = []byte{0x82, byte(n >> 8), byte(n)}
	case n < 0x1000000:
		length = []byte{0x83, byte(n >> 16), byte(n >> 8), byte(n)}
	default:
		length = []byte{0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	}
	return slices.Concat([]byte{tag}, length, body)
}

// indefinite encodes a constructed element of indefinite length.
func indefinite(tag byte, parts ...[]byte) []byte {
	return slices.Concat([]byte{tag, 0x80}, slices.Concat(parts...), []byte{0, 0})
}

func oid(arcs ...int) []byte { return must(asn1.Marshal(asn1.ObjectIdentifier(arcs))) }

func attr(id []byte, values ...[]byte) []byte { return tlv(0x30, id, tlv(0x31, values...)) }

var (
	null          = []byte{5, 0}
	oidData       = oid(1, 2, 840, 113549, 1, 7, 1)
	oidSigned     = oid(1, 2, 840, 113549, 1, 7, 2)
	oidTST        = oid(1, 2, 840, 113549, 1, 9, 16, 1, 4)
	oidCT         = oid(1, 2, 840, 113549, 1, 9, 3)
	oidMD         = oid(1, 2, 840, 113549, 1, 9, 4)
	oidProtection = oid(1, 2, 840, 113549, 1, 9, 52)
	oidESS        = oid(1, 2, 840, 113549, 1, 9, 16, 2, 12)
	oidESS2       = oid(1, 2, 840, 113549, 1, 9, 16, 2, 47)
	idSHA1        = tlv(0x30, oid(1, 3, 14, 3, 2, 26))
	idSHA256      = tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 1))
	idSHA384      = tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 2))
	idSHA512      = tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 3))
	idECDSA       = tlv(0x30, oid(1, 2, 840, 10045, 4, 3, 2)) // with SHA-256
	idRSA         = tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 1), null)
)

// spec is a SignedData written by hand, honest in every field that is not set.
type spec struct {
	cred       *credential
	digestID   []byte   // AlgorithmIdentifier
	sigID      []byte   // AlgorithmIdentifier
	attrs      [][]byte // signed attributes in their order; nil: the honest ones
	direct     bool     // no signed attributes
	hash       crypto.Hash
	opts       crypto.SignerOpts // of the signature, hash when nil
	sid        []byte
	encap      []byte
	certs      [][]byte
	crls       [][]byte
	signers    [][]byte // nil: the honest one
	signature  []byte
	signedForm []byte // what is signed, when it is not the attributes as sent
	sentForm   []byte // signed attributes as sent, with tag 0xa0
}

func (s spec) withDefaults() spec {
	if s.cred == nil {
		s.cred = certified(keyP256())
	}
	if s.hash == 0 {
		s.hash = crypto.SHA256
	}
	if s.digestID == nil {
		s.digestID = idSHA256
	}
	if s.sigID == nil {
		s.sigID = idECDSA
	}
	if s.opts == nil {
		s.opts = s.hash
	}
	if s.attrs == nil {
		s.attrs = [][]byte{attr(oidCT, oidData), attr(oidMD, tlv(4, digestOf(s.hash, document)))}
	}
	if s.sid == nil {
		s.sid = tlv(0x30, s.cred.cert.RawIssuer, must(asn1.Marshal(s.cred.cert.SerialNumber)))
	}
	if s.encap == nil {
		s.encap = tlv(0x30, oidData)
	}
	if s.certs == nil {
		s.certs = [][]byte{s.cred.cert.Raw}
	}
	return s
}

func (s spec) signer() []byte {
	set := tlv(0x31, s.attrs...)
	if s.direct {
		set = document
	}
	if s.signedForm != nil {
		set = s.signedForm
	}
	if s.signature == nil {
		message := set
		if h := s.opts.HashFunc(); h != 0 {
			message = digestOf(h, set)
		}
		s.signature = must(s.cred.key.Sign(rand.Reader, message, s.opts))
	}
	sent := s.sentForm
	if sent == nil && !s.direct {
		sent = tlv(0xa0, s.attrs...)
	}
	return tlv(0x30, []byte{2, 1, 1}, s.sid, s.digestID, sent, s.sigID, tlv(4, s.signature))
}

func (s spec) build() []byte {
	s = s.withDefaults()
	if s.signers == nil {
		s.signers = [][]byte{s.signer()}
	}
	var crls []byte
	if s.crls != nil {
		crls = tlv(0xa1, s.crls...)
	}
	data := tlv(0x30, []byte{2, 1, 1}, tlv(0x31, s.digestID), s.encap, tlv(0xa0, s.certs...), crls, tlv(0x31, s.signers...))
	return tlv(0x30, oidSigned, tlv(0xa0, data))
}

// verified parses and verifies the first signature over document.
func verified(b []byte, cert *x509.Certificate, opt *cms.VerifyOptions) (*cms.Result, error) {
	sd, err := cms.Parse(b, nil)
	if err != nil {
		return nil, err
	}
	si := &sd.Signers[0]
	if !si.DigestAlgorithm.Available() {
		return si.VerifyWith(cert, digestOf(crypto.SHA256, document), opt)
	}
	return si.VerifyWith(cert, digestOf(si.DigestAlgorithm, document), opt)
}

// requireReason checks why a signature was refused.
func requireReason(t testing.TB, err error, reason cms.Reason) {
	t.Helper()
	var v *cms.VerifyError
	require.ErrorAs(t, err, &v)
	require.Equal(t, reason, v.Reason, v.Detail)
	require.NotEmpty(t, v.Detail)
}

func ess2(cert *x509.Certificate, issuerSerial []byte) []byte {
	sum := sha256.Sum256(cert.Raw)
	return attr(oidESS2, tlv(0x30, tlv(0x30, tlv(0x30, tlv(4, sum[:]), issuerSerial))))
}

package tsa

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// Token is a timestamp token whose signature has been verified.
type Token struct {
	// Raw is the ContentInfo as received, the value of a signature timestamp
	// attribute (ETSI EN 319 122-1, 5.3) and the /Contents of a document timestamp.
	Raw  []byte
	Hash crypto.Hash // of Imprint; zero when not known
	// Imprint is the digest of what was stamped.
	Imprint  []byte
	Time     time.Time     // genTime, UTC
	Accuracy time.Duration // by how much Time may be off; zero when not stated
	Ordering bool          // tokens of this authority can be ordered by Time alone
	Policy   asn1.ObjectIdentifier
	Serial   *big.Int // unique for the authority
	Nonce    *big.Int // nil without
	// Certificate is the authority's; Certificates are all readable ones of the
	// token in their order, it among them.
	Certificate  *x509.Certificate
	Certificates []*x509.Certificate
}

// Covers says whether the token is over this digest made with this function.
func (t *Token) Covers(hash crypto.Hash, digest []byte) bool {
	return t.Hash != 0 && t.Hash == hash && bytes.Equal(t.Imprint, digest)
}

// Parse reads a token and checks all that can be checked without the request:
// structure, signature, the signer's certificate and its use, its validity at the
// token's time. Nothing may follow it. The error is a *[TokenError]. Whether the
// authority is to be trusted is not asked.
func Parse(raw []byte) (*Token, error) {
	sd, err := cms.Parse(raw, &cms.Limits{
		Size: max(len(raw), 1), Certificates: maxCertificates, Revocations: maxRevocations, Signers: 2,
	})
	if err != nil {
		return nil, bad(ReasonMalformed, err, "the token cannot be read")
	}
	switch {
	case sd.Length != len(raw):
		return nil, bad(ReasonMalformed, nil, "%d bytes follow the token", len(raw)-sd.Length)
	case !sd.ContentType.Equal(cms.TSTInfo()) || !sd.HasContent:
		return nil, bad(ReasonMalformed, nil, "it does not contain a TSTInfo")
	case len(sd.Signers) != 1:
		return nil, bad(ReasonMalformed, nil, "it has %d signers, not one", len(sd.Signers))
	}
	info, err := cms.ParseTimestampInfo(sd.Content)
	if err != nil {
		return nil, bad(ReasonMalformed, err, "the TSTInfo cannot be read")
	}
	t := &Token{
		Raw: raw, Imprint: info.Imprint, Time: info.Time, Accuracy: info.Accuracy, Ordering: info.Ordering,
		Policy: info.Policy, Serial: info.Serial, Nonce: info.Nonce,
	}
	if info.Hash < cms.SHAKE256 {
		t.Hash = crypto.Hash(info.Hash)
	}
	if err := t.verify(sd); err != nil {
		return nil, err
	}
	for _, e := range info.Extensions {
		if e.Critical {
			return nil, bad(ReasonExtension, nil, "extension %v is critical", e.Id)
		}
	}
	return t, nil
}

// verify finds the signer's certificate and checks the signature with it.
func (t *Token) verify(sd *cms.SignedData) error {
	si := &sd.Signers[0]
	if !si.Digest().Available() {
		return bad(ReasonSignature, nil, "its digest algorithm is not known")
	}
	h := si.Digest().New()
	h.Write(sd.Content)
	sum := h.Sum(nil)
	// A certificate that cannot be read is not the signer's as far as is known
	// here; without another that is, the token is refused below.
	t.Certificates, _ = sd.Certificates()
	failed := bad(ReasonCertificate, nil, "the authority's certificate is not inside")
	for _, cert := range t.Certificates {
		if !si.Matches(cert) {
			continue
		}
		res, err := si.VerifyWith(cert, sum, nil)
		switch {
		case err != nil:
			failed = signatureError(err)
		case !res.Attributes || res.SigningCertificate == 0:
			failed = bad(ReasonCertificate, nil, "the signature does not bind it with an ESS attribute")
		default:
			t.Certificate = cert
			return t.checkCertificate()
		}
	}
	return failed
}

func signatureError(err error) *TokenError {
	var v *cms.VerifyError
	if errors.As(err, &v) && (v.Reason == cms.ReasonSigningCertificate || v.Reason == cms.ReasonCertificate) {
		return bad(ReasonCertificate, err, "the signature binds another one")
	}
	return bad(ReasonSignature, err, "it does not verify")
}

// checkCertificate holds the authority's certificate to RFC 3161, 2.3, and its
// validity to the token's time.
func (t *Token) checkCertificate() error {
	c := t.Certificate
	if why := notForTimestamps(c); why != "" {
		return bad(ReasonCertificate, nil, "%s", why)
	}
	if t.Time.Before(c.NotBefore) || t.Time.After(c.NotAfter) {
		return bad(ReasonTime, nil, "%s is outside of the certificate's validity, %s to %s",
			stamp(t.Time), stamp(c.NotBefore), stamp(c.NotAfter))
	}
	return nil
}

func notForTimestamps(c *x509.Certificate) string {
	if c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return "the key usage of the authority's certificate does not allow signatures"
	}
	if len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(c.UnknownExtKeyUsage) != 0 {
		return "the authority's certificate is not for timestamps alone"
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 37}) && e.Critical {
			return ""
		}
	}
	return "the extended key usage of the authority's certificate is not critical"
}

// path is a chain that was built. An authority answers with the same certificates for years, and the signatures in its
// chain stay good; when all of it is valid is the only thing to look at again. A constraint that the pool of roots has for
// one of them is asked when the chain is built.
type path struct {
	certificates [sha256.Size]byte // of the token: another set may not lead to a root
	from, to     time.Time
}

// leads reports whether the chain is one of the token's authority, valid at the token's time.
func (p *path) leads(t *Token) bool {
	return p != nil && !t.Time.Before(p.from) && !t.Time.After(p.to) && p.certificates == t.certificates()
}

// certificates names the authority's certificate and those that came with it.
func (t *Token) certificates() (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(t.Certificate.Raw)
	for _, c := range t.Certificates {
		h.Write(c.Raw) // DER, which says where it ends
	}
	h.Sum(sum[:0])
	return sum
}

// newPath is the path of a token with a chain.
func newPath(t *Token, chain []*x509.Certificate) *path {
	p := &path{t.certificates(), chain[0].NotBefore, chain[0].NotAfter}
	for _, c := range chain[1:] {
		if c.NotBefore.After(p.from) {
			p.from = c.NotBefore
		}
		if c.NotAfter.Before(p.to) {
			p.to = c.NotAfter
		}
	}
	return p
}

// findPath builds a chain from the authority to a root, valid at the token's time.
func (t *Token) findPath(roots *x509.CertPool, more []*x509.Certificate) (*path, error) {
	pool := x509.NewCertPool()
	for _, list := range [][]*x509.Certificate{t.Certificates, more} {
		for _, c := range list {
			if k, ok := c.PublicKey.(*rsa.PublicKey); !ok || k.N.BitLen() <= maxRSABits {
				pool.AddCert(c)
			}
		}
	}
	chains, err := t.Certificate.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: pool, CurrentTime: t.Time,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	})
	if err != nil {
		return nil, bad(ReasonPath, err, "no chain to a trusted root")
	}
	return newPath(t, chains[0]), nil
}

// checkTime compares with the clock before and after the request.
func (t *Token) checkTime(before, after time.Time, tolerance time.Duration) error {
	slack := tolerance + t.Accuracy
	switch {
	case t.Time.Before(before.Add(-slack)):
		return bad(ReasonTime, nil, "%s is %v before the local clock", stamp(t.Time), before.Sub(t.Time).Round(time.Second))
	case t.Time.After(after.Add(slack)):
		return bad(ReasonTime, nil, "%s is %v after the local clock", stamp(t.Time), t.Time.Sub(after).Round(time.Second))
	case t.Accuracy > tolerance:
		return bad(ReasonTime, nil, "its accuracy of %v is worse than the tolerance of %v", t.Accuracy, tolerance)
	}
	return nil
}

func stamp(t time.Time) string { return fmt.Sprint(t.UTC().Format(time.RFC3339)) }

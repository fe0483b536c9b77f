package verify

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"time"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// tstInfo is TSTInfo of RFC 3161, 2.4.2.
type tstInfo struct {
	Version        int
	Policy         asn1.ObjectIdentifier
	MessageImprint struct {
		HashAlgorithm pkix.AlgorithmIdentifier
		HashedMessage []byte
	}
	SerialNumber *big.Int
	GenTime      asn1.RawValue
}

// token is a parsed timestamp token whose own signature is still to be checked.
type token struct {
	sd      *cms.SignedData
	si      *cms.SignerInfo
	hash    cms.Digest // of the imprint
	imprint []byte
	time    time.Time
	cert    *x509.Certificate
	bag     []*x509.Certificate
	verified
}

// parseToken reads a token from its CMS.
func parseToken(sd *cms.SignedData) (*token, error) {
	if sd.ContentType.String() != oidTSTInfo || !sd.HasContent {
		return nil, say("the timestamp token does not contain a TSTInfo")
	}
	var seq asn1.RawValue
	if rest, err := asn1.Unmarshal(sd.Content, &seq); err != nil || len(rest) != 0 || seq.Tag != asn1.TagSequence {
		return nil, say("the TSTInfo of the timestamp token cannot be read")
	}
	var info tstInfo
	rest := seq.Bytes
	var err error
	for _, field := range []any{&info.Version, &info.Policy, &info.MessageImprint, &info.SerialNumber, &info.GenTime} {
		if rest, err = asn1.Unmarshal(rest, field); err != nil {
			return nil, say("the TSTInfo of the timestamp token cannot be read: %v", err)
		}
	}
	t := &token{sd: sd, si: &sd.Signers[0], imprint: info.MessageImprint.HashedMessage}
	t.hash = cms.Digest(hashByOID(info.MessageImprint.HashAlgorithm.Algorithm.String()))
	if t.time, err = generalizedTime(info.GenTime); err != nil {
		return nil, err
	}
	return t, nil
}

// generalizedTime reads genTime, which may have a fraction of a second.
func generalizedTime(v asn1.RawValue) (time.Time, error) {
	if v.Tag == asn1.TagGeneralizedTime && v.Class == asn1.ClassUniversal {
		for _, layout := range []string{"20060102150405Z", "20060102150405.999999999Z"} {
			if t, err := time.Parse(layout, string(v.Bytes)); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, say("the time of the timestamp token cannot be read")
}

// hashByOID names the digest of an imprint; zero when it is not known.
func hashByOID(oid string) crypto.Hash {
	switch oid {
	case "1.3.14.3.2.26":
		return crypto.SHA1
	case "2.16.840.1.101.3.4.2.1":
		return crypto.SHA256
	case "2.16.840.1.101.3.4.2.2":
		return crypto.SHA384
	case "2.16.840.1.101.3.4.2.3":
		return crypto.SHA512
	case "2.16.840.1.101.3.4.2.7":
		return crypto.SHA3_224
	case "2.16.840.1.101.3.4.2.8":
		return crypto.SHA3_256
	case "2.16.840.1.101.3.4.2.9":
		return crypto.SHA3_384
	case "2.16.840.1.101.3.4.2.10":
		return crypto.SHA3_512
	}
	return 0
}

// check verifies the token over a digest made with its imprint's hash, and its
// own signature. The sub-indication is empty when both are right.
func (t *token) check(digest []byte, dssCerts func() []*x509.Certificate) (SubIndication, error) {
	if !bytes.Equal(digest, t.imprint) {
		return HashFailure, say("the timestamp is over other bytes")
	}
	if !usable(t.si.Digest()) {
		return CryptoConstraintsFailure, say("the digest algorithm of the timestamp is not known")
	}
	h := t.si.Digest().New()
	h.Write(t.sd.Content)
	sum := h.Sum(nil)
	t.bag, _ = t.sd.Certificates()
	var err error
	t.cert, t.verified, err = verifySigner(t.si, t.bag, sum)
	if t.cert == nil {
		t.cert, t.verified, err = verifySigner(t.si, dssCerts(), sum)
	}
	if t.cert == nil {
		return NoSigningCertificateFound, say("the certificate of the timestamp authority is not in the document")
	}
	var v *cms.VerifyError
	switch {
	case err == nil:
		return "", nil
	case errors.As(err, &v) && v.Reason == cms.ReasonUnsupported:
		return CryptoConstraintsFailure, say("the timestamp cannot be verified here: %s", technical(v.Detail))
	}
	return SigCryptoFailure, say("the signature of the timestamp does not verify: %v", err)
}

// openToken prepares a document timestamp (ISO 32000-2, 12.8.5).
func (c *candidate) openToken() bool {
	t, err := parseToken(c.sd)
	if err != nil {
		c.fail(FormatFailure, say("%s", err))
		return false
	}
	if !usable(t.hash) {
		c.doubt(CryptoConstraintsFailure, say("the digest algorithm of the timestamp is not known"))
		return false
	}
	c.token, c.hash, c.legacy = t, t.hash, weakImprint(t)
	return true
}

func (c *candidate) checkDocTimestamp(digest []byte, dssCerts func() []*x509.Certificate) {
	sub, err := c.token.check(digest, dssCerts)
	c.bag, c.cert, c.Algorithm = c.token.bag, c.token.cert, algorithmName(c.si)
	if c.cert != nil {
		c.Signer = cleanText(subject(c.cert))
	}
	switch {
	case err == nil:
		c.accepted(c.token.verified)
		at := c.token.time
		c.Timestamp = &at
	case sub == NoSigningCertificateFound || sub == CryptoConstraintsFailure:
		c.doubt(sub, say("%s", err))
	default:
		c.fail(sub, say("%s", err))
	}
}

// signatureTimestamps checks the tokens over the signature value. One that is
// broken or belongs to another signature fails the signature: its holder put
// it there to be believed.
func (c *candidate) signatureTimestamps(doc *document) {
	n := 0
	for i := range c.si.UnsignedAttributes {
		a := &c.si.UnsignedAttributes[i]
		if a.Type.String() != oidTimestamp {
			continue
		}
		for _, raw := range a.Values {
			if n++; n > tokensMax {
				c.fail(FormatFailure, say("the signature has more than %d timestamps", tokensMax))
				return
			}
			if doc.stopped() {
				return
			}
			c.signatureTimestamp(doc, raw)
		}
	}
}

func (c *candidate) signatureTimestamp(doc *document, raw []byte) {
	sd, err := parseCMS(raw, doc.lim)
	if err != nil {
		c.fail(FormatFailure, say("the signature timestamp is broken: %s", err))
		return
	}
	t, err := parseToken(sd)
	if err != nil {
		c.fail(FormatFailure, say("the signature timestamp is broken: %s", err))
		return
	}
	if !usable(t.hash) {
		c.note(say("the digest algorithm of the signature timestamp is not known: it proves nothing"))
		return
	}
	h := t.hash.New()
	h.Write(c.si.Signature)
	if sub, err := t.check(h.Sum(nil), doc.dssCerts); err != nil {
		if sub == NoSigningCertificateFound || sub == CryptoConstraintsFailure {
			c.note(say("the signature timestamp proves nothing: %s", err))
			return
		}
		c.fail(sub, say("the signature timestamp is broken: %s", err))
		return
	}
	c.tokens = append(c.tokens, t)
}

// weakImprint says whether all that binds a token to what it stamps is SHA-1 or
// RIPEMD-160.
func weakImprint(t *token) bool {
	return t.hash == cms.Digest(crypto.SHA1) || t.hash == cms.Digest(crypto.RIPEMD160)
}

// doubtful says what keeps a token whose signature verified from being relied
// on: its certificate must be bound (RFC 3161, 2.4.1 with RFC 5816), and have
// been valid at the token's time, which must have come.
func (t *token) doubtful(latest time.Time) (SubIndication, *phrase) {
	switch {
	case !hasSigned(t.si, oidSigningCert, oidSigningCertV2):
		return SigConstraintsFailure, say("the timestamp does not bind its certificate (signing-certificate)")
	case t.cert != nil && (t.time.Before(t.cert.NotBefore) || t.time.After(t.cert.NotAfter)):
		return OutOfBoundsNoPOE, say("the time of the timestamp lies outside the validity of the certificate of its authority")
	case t.time.After(latest):
		return OutOfBoundsNoPOE, say("the time of the timestamp lies in the future")
	}
	return "", nil
}

// believe takes the time of a token over a signature as proof of its existence
// when the authority is trusted; in a check of integrity alone every sound token
// is shown.
func (d *document) believe(c *candidate, t *token) {
	since := c.since() // for the token as well, which stands in the signature
	stamp := stampedAt{at: t.time}
	if d.opt.IntegrityOnly {
		c.existed(stamp, true)
		return
	}
	at := d.proofs.time(since)
	if t.deviation != "" || d.outdated(t.age(), at) {
		c.note(say("the signature timestamp is of a kind no longer relied on: it proves nothing"))
		return
	}
	if _, why := t.doubtful(d.opt.Time.Add(d.lim.ClockSkew)); why != nil {
		c.note(say("the signature timestamp proves nothing: %s", why))
		return
	}
	res := d.trust().path(&question{cert: t.cert, bag: t.bag, at: at, since: since, bound: true, accept: stampUsage})
	if d.disordered(t, &res, since) {
		res.sub, res.why = TimestampOrderFailure, say("its time is later than that of a timestamp over it")
	}
	if res.sub != "" {
		c.note(say("the signature timestamp proves nothing: %s", res.why))
		return
	}
	stamp.chain = res.chain
	c.existed(stamp, false)
}

// age is outmoded for a token.
func (t *token) age() algorithmAge {
	switch {
	case broken(t.legacy):
		return ageBroken
	case t.legacy != "" || weakImprint(t):
		return ageLegacy
	}
	return ageCurrent
}

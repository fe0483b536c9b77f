package verify

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"time"
)

// weakKeys is when keys below 112 bits of strength stopped being acceptable
// (NIST SP 800-131A: disallowed after 2013). What is proved to be older may have
// been made with RSA of 1,024 bits.
var weakKeys = time.Date(2014, 1, 1, 0, 0, 0, 0, time.UTC)

// weakKey says why the key of a certificate was too weak at a time, or "".
func weakKey(c *x509.Certificate, at time.Time) *phrase {
	rsaBits, curveBits := 2048, 256
	if at.Before(weakKeys) {
		rsaBits, curveBits = 1024, 160
	}
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < rsaBits {
			return say("an RSA key of %d bits", n)
		}
	case *ecdsa.PublicKey:
		if n := k.Curve.Params().BitSize; n < curveBits {
			return say("a key on a curve of %d bits", n)
		}
	}
	return nil
}

// documentUses are the extended key usages with which verifiers accept a
// certificate for signing documents: RFC 9336, those of Adobe and Microsoft, and
// the ones that personal certificates have.
var documentUses = []string{
	"1.3.6.1.5.5.7.3.36",      // id-kp-documentSigning
	"1.2.840.113583.1.1.5",    // Adobe, authentic documents
	"1.3.6.1.4.1.311.10.3.12", // Microsoft, document signing
}

// signerUsage accepts certificates whose key may sign documents: digital
// signature or content commitment, or no key usage extension at all; and if
// there are extended key usages, one of those for documents and people, not
// only, say, for a web server.
func signerUsage(c *x509.Certificate) *phrase {
	if why := mayIdentify(c); why != nil {
		return why
	}
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 {
		return nil
	}
	for _, use := range c.ExtKeyUsage {
		switch use {
		case x509.ExtKeyUsageAny, x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageCodeSigning:
			return nil
		}
	}
	if slices.ContainsFunc(c.UnknownExtKeyUsage, func(use asn1.ObjectIdentifier) bool {
		return slices.Contains(documentUses, use.String())
	}) {
		return nil
	}
	return say("the extended key usages of the signing certificate are for something else than documents")
}

// mayIdentify asks the key usage alone (RFC 5280, 4.2.1.3).
func mayIdentify(c *x509.Certificate) *phrase {
	if c.KeyUsage == 0 || c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) != 0 {
		return nil
	}
	return say("the key usage of the signing certificate does not allow signatures")
}

// stampUsage accepts certificates of timestamp authorities: RFC 3161, 2.3
// wants id-kp-timeStamping alone and critical.
func stampUsage(c *x509.Certificate) *phrase {
	if why := mayIdentify(c); why != nil {
		return why
	}
	if len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(c.UnknownExtKeyUsage) != 0 {
		return say("the certificate of the timestamp authority is not for timestamps alone")
	}
	for _, e := range c.Extensions {
		if e.Id.String() == oidExtKeyUsage && e.Critical {
			return nil
		}
	}
	return say("the extended key usage of the timestamp authority is not critical")
}

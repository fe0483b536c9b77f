package verify

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"

	"github.com/seed-574216e4/meterai/sign/seal"
)

// TrustKey begins the entry of a seal key, Ed25519 or ECDSA P-256: it fills in
// PublicKey, Algorithm and the fingerprints of the certificates whose PDF
// signatures may carry the key's seals: signing certificates, or those of their
// issuing authorities, which vouch for every e-seal that they issue. Issuers, Epochs, NotBefore and Currency are still to be
// given, and Specimen where it applies.
func TrustKey(pub crypto.PublicKey, carriers ...*x509.Certificate) (SealTrustEntry, error) {
	key, err := seal.NewKey(pub)
	if err != nil {
		return SealTrustEntry{}, err
	}
	e := SealTrustEntry{
		PublicKey: base64.StdEncoding.EncodeToString(key.SPKI()),
		Algorithm: key.Algorithm().String(),
	}
	for _, c := range carriers {
		sum := sha256.Sum256(c.Raw)
		e.Certificates = append(e.Certificates, hex.EncodeToString(sum[:]))
	}
	return e, nil
}

// Key gives the seal key of the entry. An entry that is wrong is a *TrustError.
func (e *SealTrustEntry) Key() (*seal.Key, error) {
	key, err := parseSealKey(e.PublicKey)
	if err != nil {
		return nil, &TrustError{Entry: -1, Field: "public_key", Reason: err.Error()}
	}
	return key, nil
}

package seal

import (
	"crypto"
	"crypto/rand"
	"strings"
)

// SignDetached signs a message that is no seal, such as a list that an issuer
// publishes, and gives the signature as a seal has it: 64 bytes, for P-256 r || s
// with the low s. It makes one call of signer, which holds the private key of k,
// and verifies the result. The message begins with a domain of its own, ended by
// a zero byte, so that the signature means nothing anywhere else; one that
// begins with the domain of seals is a *FormatError.
func (k *Key) SignDetached(signer crypto.Signer, message []byte) ([64]byte, error) {
	if strings.HasPrefix(string(message), domain) {
		return [64]byte{}, &FormatError{0, "message", "has the domain of seals"}
	}
	hash := crypto.Hash(0)
	if k.algorithm == P256 {
		hash = crypto.SHA256
	}
	signature, err := crypto.SignMessage(signer, rand.Reader, message, hash)
	if err != nil {
		return [64]byte{}, err
	}
	return k.canonical(message, signature)
}

// VerifyDetached checks a signature of [Key.SignDetached]: nil or ErrSignature.
// There is one signature form, so one that is not canonical is none.
func (k *Key) VerifyDetached(message []byte, signature [64]byte) error {
	if strings.HasPrefix(string(message), domain) ||
		checkSignature(k.algorithm, &signature, 0) != nil || !k.verify(message, &signature) {
		return ErrSignature
	}
	return nil
}

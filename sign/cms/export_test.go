package cms

import "crypto/x509"

// VerifyMessage is how signatures whose message is not hashed before, Ed25519 and
// Ed448, are checked over the signed attributes.
func VerifyMessage(cert *x509.Certificate, message, signature []byte) error {
	id, err := identify(cert)
	if err != nil {
		return err
	}
	pub, only, err := id.publicKey()
	if err != nil {
		return err
	}
	for _, k := range []kind{kindEd25519, kindEd448} {
		if s := (scheme{kind: k}); s.accepts(pub, only) == nil {
			return s.verify(pub, message, signature)
		}
	}
	return refuse(ReasonUnsupported, "a key of type %T", pub)
}

package cms

import (
	"crypto"
	"encoding/asn1"

	// The hash functions a signature may name; linking them in is what makes
	// crypto.Hash.Available true for the caller that hashes the document.
	_ "crypto/md5"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"

	//lint:ignore SA1019 only to read old signatures, which are always reported as legacy
	_ "golang.org/x/crypto/ripemd160"
)

// Object identifiers, as the contents octets of their DER encoding.
const (
	oidData       = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
	oidSignedData = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"

	oidContentType         = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03"
	oidSigningTime         = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x05"
	oidMessageDigest       = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04"
	oidAlgorithmProtection = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x34"
	oidSigningCert         = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x0c"
	oidSigningCertV2       = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x2f"

	oidOCSPResponse = "\x2b\x06\x01\x05\x05\x07\x10\x02"
	oidOCSPBasic    = "\x2b\x06\x01\x05\x05\x07\x30\x01\x01"

	oidMD5       = "\x2a\x86\x48\x86\xf7\x0d\x02\x05"
	oidSHA1      = "\x2b\x0e\x03\x02\x1a"
	oidRIPEMD160 = "\x2b\x24\x03\x02\x01"
	oidNISTHash  = "\x60\x86\x48\x01\x65\x03\x04\x02" // followed by one octet

	oidRSA        = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
	oidMGF1       = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"
	oidRSAPSS     = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"
	oidPKCS1      = "\x2a\x86\x48\x86\xf7\x0d\x01\x01" // followed by one octet
	oidNISTSig    = "\x60\x86\x48\x01\x65\x03\x04\x03" // followed by one octet
	oidOIWSHA1RSA = "\x2b\x0e\x03\x02\x1d"
	oidRSARIPEMD  = "\x2b\x24\x03\x03\x01\x02"

	oidECPublicKey = "\x2a\x86\x48\xce\x3d\x02\x01"
	oidECDSASHA1   = "\x2a\x86\x48\xce\x3d\x04\x01"
	oidECDSASHA2   = "\x2a\x86\x48\xce\x3d\x04\x03"         // followed by one octet
	oidPlainECDSA  = "\x04\x00\x7f\x00\x07\x01\x01\x04\x01" // followed by one octet

	oidEd25519 = "\x2b\x65\x70"
	oidEd448   = "\x2b\x65\x71"
	oidDSA     = "\x2a\x86\x48\xce\x38\x04\x01"
	oidDSASHA1 = "\x2a\x86\x48\xce\x38\x04\x03"

	oidBrainpool = "\x2b\x24\x03\x03\x02\x08\x01\x01" // followed by one octet
)

// TimestampToken is the type of the unsigned attribute that carries a signature
// timestamp, id-aa-timeStampToken (RFC 3161, appendix A).
func TimestampToken() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}
}

// TSTInfo is the content type of a timestamp token, id-ct-TSTInfo (RFC 3161, 2.4.2).
func TSTInfo() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
}

// hashOID gives the contents octets of the identifier of h, "" when h is none of
// the hash functions known here.
func hashOID(h crypto.Hash) string {
	switch h {
	case crypto.MD5:
		return oidMD5
	case crypto.SHA1:
		return oidSHA1
	case crypto.RIPEMD160:
		return oidRIPEMD160
	case crypto.SHA256:
		return oidNISTHash + "\x01"
	case crypto.SHA384:
		return oidNISTHash + "\x02"
	case crypto.SHA512:
		return oidNISTHash + "\x03"
	}
	return ""
}

// hashOf is the hash function an identifier names, zero when it is not known.
func hashOf(oid []byte) crypto.Hash {
	switch string(oid) {
	case oidMD5:
		return crypto.MD5
	case oidSHA1:
		return crypto.SHA1
	case oidRIPEMD160:
		return crypto.RIPEMD160
	}
	last, ok := lastArc(oid, oidNISTHash)
	if !ok {
		return 0
	}
	switch last {
	case 1:
		return crypto.SHA256
	case 2:
		return crypto.SHA384
	case 3:
		return crypto.SHA512
	case 4:
		return crypto.SHA224
	case 5:
		return crypto.SHA512_224
	case 6:
		return crypto.SHA512_256
	case 7, 8, 9, 10:
		return crypto.SHA3_224 + crypto.Hash(last-7)
	}
	return 0
}

// hash is the hash function that a names, zero when it is not known or comes
// with parameters.
func (a AlgorithmIdentifier) hash() crypto.Hash {
	if !a.plain() {
		return 0
	}
	return hashOf(a.oid)
}

// lastArc reports the last arc of an identifier that is prefix and one octet.
func lastArc(oid []byte, prefix string) (byte, bool) {
	n := len(prefix)
	if len(oid) != n+1 || string(oid[:n]) != prefix || oid[n] >= 0x80 {
		return 0, false
	}
	return oid[n], true
}

// decodeOID turns contents octets into arcs; nil when an arc does not fit an int
// or the octets are no identifier.
func decodeOID(b []byte) asn1.ObjectIdentifier {
	if len(b) == 0 || b[len(b)-1]&0x80 != 0 {
		return nil
	}
	out := make(asn1.ObjectIdentifier, 0, len(b)+1)
	arc := 0
	for i, c := range b {
		if arc > (1<<31-1)>>7 || arc == 0 && c == 0x80 && (i == 0 || b[i-1]&0x80 == 0) {
			return nil
		}
		arc = arc<<7 | int(c&0x7f)
		if c&0x80 != 0 {
			continue
		}
		if len(out) == 0 {
			first := min(arc/40, 2)
			out = append(out, first)
			arc -= 40 * first
		}
		out = append(out, arc)
		arc = 0
	}
	return out
}

// appendOIDContents is the inverse of decodeOID; nil when oid has no encoding.
func appendOIDContents(dst []byte, oid asn1.ObjectIdentifier) []byte {
	if len(oid) < 2 || oid[0] < 0 || oid[0] > 2 || oid[1] < 0 || oid[0] < 2 && oid[1] >= 40 {
		return nil
	}
	dst = appendBase128(dst, uint64(oid[0])*40+uint64(oid[1]))
	for _, arc := range oid[2:] {
		if arc < 0 {
			return nil
		}
		dst = appendBase128(dst, uint64(arc))
	}
	return dst
}

func appendBase128(dst []byte, v uint64) []byte {
	n := 1
	for x := v >> 7; x != 0; x >>= 7 {
		n++
	}
	for i := n - 1; i >= 0; i-- {
		c := byte(v>>(7*i)) & 0x7f
		if i > 0 {
			c |= 0x80
		}
		dst = append(dst, c)
	}
	return dst
}

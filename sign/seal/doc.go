// Package seal makes, reads and checks the signed seal of an electronic stamp:
// what the stamp's QR symbol carries, and what anyone who holds the issuer's
// public seal key can verify offline, from paper or from the file.
//
// A seal says which serial number was stamped, when, for what value, and on
// which document (length and SHA-256 of the document before stamping). The two
// calls to make are [Seal.Sign] on the issuer's side and [ParseText] followed
// by [Seal.Verify] on the reader's:
//
//	encoded, err := (&seal.Seal{Serial: number, Issued: now, Value: 10000,
//		DocumentLength: size, DocumentDigest: digest}).Sign(signer)
//	text, err := seal.Text("HTTPS://STAMP.EXAMPLE/S/", encoded)
//
//	s, _, err := seal.ParseText(scanned)
//	err = s.Verify(key)
//
// A seal key that lives elsewhere is served by [Seal.Message] and
// [Seal.Finish] in place of Sign.
//
// # Format
//
// All integers are big-endian. There is one encoding of a seal; anything else,
// trailing bytes included, is refused with a [FormatError].
//
//	offset  size
//	     0     1  version 1 in the high nibble; algorithm in the low one
//	     1     1  flags: bit 0 specimen, bit 1 TLVs follow, the others zero
//	     2     4  key id: first bytes of SHA-256 over the SubjectPublicKeyInfo
//	     6    14  serial number: 22 symbols of 5 bits, last 2 bits zero
//	    20     5  issued: seconds since 1970-01-01 UTC
//	    25     4  value in whole units of the currency the trust entry names
//	    29     5  document length in bytes, not zero
//	    34    32  SHA-256 of the document's first length bytes
//	    66        TLVs if flagged: type 1, length 1, value; ascending types,
//	              each once; types from 128 up are critical
//	            64  signature
//
// The signature (Ed25519 of RFC 8032, or ECDSA of FIPS 186-5 on P-256 with
// SHA-256, as r || s with the low s) is over "meterai seal v1", a zero byte,
// SHA-256 of the SubjectPublicKeyInfo and all bytes before the signature.
//
// The text form, see [Text], is made of digits behind an optional URL prefix,
// so that the symbol needs only the numeric and alphanumeric modes of
// ISO/IEC 18004 and no reader has to guess a character set.
//
// # What is left out
//
// The package decides no trust: which keys may seal what is the caller's list.
// A seal that verifies is genuine, which is not the same as a valid stamp: it
// can be photocopied. Only comparing DocumentLength and DocumentDigest with the
// document at hand binds the two.
package seal

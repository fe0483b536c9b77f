// Package cms builds, reads and checks the Cryptographic Message Syntax
// SignedData (RFC 5652) that a PDF signature carries in /Contents, as PAdES
// wants it (ETSI EN 319 142-1, 6.3): detached, one signer, signed attributes
// content-type, message-digest and ESS signing-certificate-v2 (RFC 5035) and no
// signing-time, unless [Template.WithSigningTime] asks for it.
//
// To sign, make a [Template] once per credential with [NewTemplate]; then, per
// document, [Template.SignedAttributes], [Template.Sign] and [Template.Finish].
// To verify, call [Parse] and [SignerInfo.Verify].
//
// Left out: chains, revocation and time (the verify package's matter), any
// content type but SignedData, countersignatures, and curves written out.
//
// # Digest
//
// The package never sees the document. The caller hashes it with
// [Algorithm.Hash] when signing, with [SignerInfo.Digest] when verifying, and
// passes the digest. Ed25519 and ML-DSA go with SHA-512, Ed448 with SHAKE256 (RFC 8419, 3.1).
//
// # What is read
//
// [Parse] reads BER as well as DER: indefinite lengths, constructed strings,
// lengths that are not minimal. It reads every byte at most once, whatever the
// nesting, and holds to [Limits]. Signed attributes are verified as they were
// received. Only where they were not received in DER does [SignerInfo.Verify]
// also try their DER encoding, which is what RFC 5652, 5.4 says was signed.
//
// # What is accepted
//
// RSA PKCS #1 v1.5 and PSS, ECDSA (also in the plain format of BSI TR-03111) and
// Ed25519, with SHA-2 and SHA-3, and ML-DSA (RFC 9882) in programs built with Go
// 1.27 or later; to verify, also ECDSA with the curves
// brainpoolP256r1, P384r1 and P512r1 (RFC 5639), Ed448 and DSA. MD5, SHA-1,
// RIPEMD-160, RSA keys below 2,048 bits, P-224 and all of DSA are legacy:
// [SignerInfo.Verify] refuses them with [ReasonLegacy] after all else has been
// found right, and [SignerInfo.VerifyWith] can accept and list them. Any other
// algorithm is answered with [ReasonUnsupported].
// Certificates with the encoding faults that issuers are known for can be read
// too; see [ParseCertificate].
//
// # Concurrency
//
// A Template and a parsed SignedData are read-only once made, and safe for use
// by several goroutines.
package cms

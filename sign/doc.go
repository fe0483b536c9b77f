// Package sign stamps and signs PDF documents: a signed QR seal, its visible
// appearance and a PAdES signature (ETSI EN 319 142-1, level B-B or B-T), all in one
// incremental update (ISO 32000-2, 7.5.6). The bytes of the source are never
// rewritten.
//
// Two calls do the main job:
//
//	doc, err := sign.Open(r, size, &sign.Options{Stamp: &sign.Stamp{Value: 10000, Seal: sealKey}})
//	result, err := doc.Sign(ctx, w, credential, sign.Issue{Number: number})
//
// [Open] is the preflight: it answers, with a typed error, whatever can make a
// document refuse a stamp, before a serial number is taken for it.
//
// # Keys
//
// A [Credential] takes any [crypto.Signer]: RSA of 2048 bits and more (PKCS #1
// v1.5 or PSS), ECDSA P-256, P-384 and P-521, Ed25519, and ML-DSA in programs
// built with Go 1.27 or later. The key is used exactly once for a document, and the
// signature is checked with the certificate's public key before it is embedded. When
// the key is somewhere else, [Document.Prepare] gives the message to be signed and
// [Prepared.Finish] takes the signature, possibly in another process
// ([Prepared.WriteTo], [ReadPrepared]); a seal key that is somewhere else is served
// by [Document.NewSeal] before that.
//
// Package sign/pkcs11 makes a signer of keys in tokens, package sign/remote one of
// keys in services. Both are [ContextSigner]s: a caller whose context ends does not
// wait for them.
//
// # Many documents
//
// [Batch] stamps any number of documents from a ledger, several at a time, so that a
// key with latency is never idle. Run again after a crash it goes on where it was.
//
// # Kinds of signature
//
// A signature is an approval signature that permits whatever the document permits;
// with [Options.Certify] it is the author's certification, which must come first.
// What earlier certifications and locks forbid is refused by [Open]: a new field is
// locked like any other (see [FieldError]). [Options.Profile] has a form for old
// consumers.
//
// # Tagged documents
//
// The new widget of a tagged document gets its place in the structure tree, and
// words that are read aloud for it, so that PDF/UA files stay what they are. Trees
// of documents with earlier signatures, and those that are broken or larger than
// any honest one, are left alone; [Document.Warnings] tells of the latter. An
// existing field has the place that its author gave it.
//
// # Timestamps
//
// [Options.Timestamp] adds a signature timestamp (level B-T). Its room in /Contents
// is reckoned before anything is signed, and the authority is asked after the key was
// used: one that is down, or whose token does not fit, leaves by policy a document of
// level B-B that says what it owes, or a *[TimestampError] with which the document is
// completed later. There is never a second signature.
//
// # Years later
//
// [Extend] appends validation data and document timestamps to a signed document
// (levels B-LT and B-LTA), at once or later, and renews them before they expire. It
// uses no key and takes no serial number.
//
// # Cost
//
// The source is read once: the same pass copies it, gives the digest in the
// seal and starts the digest of the signature (credentials on SHA-256; others
// keep a second hash in the same pass). Memory does not grow with the source
// beyond its cross-reference data.
//
// # What is left out
//
// Broken files are refused; [Options.AllowRepair] stamps those whose cross-reference
// data alone is broken. Encrypted files are stamped as far as their author permits
// and a password opens them; those encrypted for certificates, or with an integrity
// code (ISO/TS 32004), are refused.
package sign

// Package verify decides, with reasons, whether a signed or stamped PDF, or a
// printed seal, is genuine.
//
// Two calls are all most callers need:
//
//	report, err := verify.Document(ctx, file, size, &verify.Options{Roots: roots, CRLs: crls, SealTrust: seals})
//	seal, err := verify.Seal(textReadByAPhone, &verify.Options{SealTrust: seals})
//
// Document follows ETSI EN 319 102-1 in its answers: every signature of the
// file, broken ones included, is TOTAL-PASSED, TOTAL-FAILED or INDETERMINATE
// with a sub-indication, and the file is as good as the worst of them.
// Nothing is valid by default: only a complete proof gives TOTAL-PASSED, and
// whatever could not be checked is said in the reasons.
//
// # What is checked
//
// Structure: the byte range (ISO 32000-2, 12.8.1) must leave out exactly the
// hexadecimal string of this signature and end where a revision ends.
// Cryptography: one SignerInfo, attributes verified as received (RFC 5652).
// Later changes: every revision after a signature is compared with the one
// before it, object by object, under a named [Policy]; what is not on the
// policy's list of harmless changes makes the signature TOTAL-FAILED. So does
// what readers are known to understand differently ([pdf.File.Oddities], keys
// given twice, an object under another generation), and what changes objects
// that the revision does not list: a replaced object stream, or bytes that
// complete an object which the signed revision left incomplete. When an object
// of the signed revision cannot be read, nothing added later counts as unused.
// Trust: a path to a given root, through cross-certificates if need be; key
// usage, extended key usage, strength of keys, validity at Options.Time, and
// revocation by the CRLs and OCSP responses that the caller, the document or
// the signature brings, each only for what it speaks of (RFC 5280, 6.3.3; RFC
// 6960, 4.2.2.2) and not when it was made after the certificate had expired.
// The stamp: a seal in the signature dictionary must be of a trusted key, name
// the serial that the field and the reason name, be bound to the very bytes
// that the stamp was put on, and be the one that the symbol on the page shows.
// The revision that holds the stamp may put it there and do nothing else:
// otherwise content could be exchanged while stamping, which neither the seal
// nor the signature would show.
//
// # Time
//
// Options.Time is now. A signature is judged for the earliest time at which a
// timestamp proves that it existed: one inside it, or a document timestamp over it
// (EN 319 142-1, 6.3). Timestamps are judged from the newest back, each for the
// time that those after it prove, and the newest by what is valid now. So a
// document that was renewed in time stays good when all certificates of its
// beginning have expired, and when the signer was revoked later (EN 319 102-1, 5.5
// and 5.6).
//
// What an authority signed counts while somebody guards its key. When it has
// expired or was revoked, its CRLs, its OCSP responses and the certificates that it
// issued must be proved to be older than that, by a document timestamp over them;
// what is only dated so is NO_POE. Revocation data must be current now, be newer
// than what they are to prove, or have been current when a timestamp was made over
// both. A revocation that is older than the proof of existence counts wherever it
// is found. Timestamps over each other whose times run backwards are
// TIMESTAMP_ORDER_FAILURE.
//
// Of each signature the report names the level that it has reached, from B-B to
// B-LTA, as far as its timestamps are valid at that time.
//
// # Damaged documents
//
// A document whose cross-reference data is missing or wrong is read by repair, as
// package pdf describes. Then one signature over every byte of the file can be
// TOTAL-PASSED, with the reason "read by repair": nothing was added after it. Any other
// signature of such a file cannot, nor one of a file that readers which repair it are
// known to read in different ways.
//
// A stamp on a document that was damaged before makes it readable for everybody, by a
// table of all objects. Its seal is bound to the damaged bytes, and its revision is
// held against the repaired reading of them: objects must stay where the repair finds
// them, and nothing but the stamp may be new. The report says that readers may have
// shown something else before the stamp.
//
// # What became of a serial
//
// A seal in a document is judged by the earliest time at which a timestamp proves
// that it existed: then its key must have been valid and not yet revoked. Where
// nothing is proved, and on paper, the time counts that the seal claims; of a revoked
// key no claim counts, since a thief can write any time, and only the ledger helps.
//
// Options.Lists are what the issuer publishes, signed: void serials, which make a
// stamp TOTAL-FAILED (REVOKED), and revoked seal keys. Options.Ledger is the issuer's
// ledger itself, of package serial or a service: it knows on which document a serial
// was stamped. When it cannot be asked, or has not stamped the serial, the answer is
// INDETERMINATE; nothing is passed over in silence.
//
// Several documents together may prove that a serial was used twice: [Uses].
//
// # Stamps of older kinds
//
// Stamps made by others have no seal. With Options.StampSigners a signature by one of
// those certificates is such a stamp, whose serial stands at the beginning of its
// /Reason. It is genuine when the signature is intact and its certificate trusted,
// and nothing binds it to the document but that signature.
//
// # What is left out
//
// There is no network access, but for what the caller's Options.Ledger does: missing
// revocation data is INDETERMINATE (TRY_LATER). Evidence records, attribute
// certificates and signature policies are not evaluated. Images are not read here:
// package verify/scan finds the texts of printed seals in them.
//
// Encrypted documents are opened with Options.Password or the empty password. One
// that no password opens is UNREADABLE, as is one with a handler of another kind
// (public keys).
//
// # Languages
//
// Reports speak English: their JSON is for machines and stays the same in every
// country. [Report.TextIn], [SealReport.TextIn] and [SetReport.TextIn] say the same to
// people in Indonesian. The names of EN 319 102-1 stay as they are, and so do the
// details that other packages give of a file that is damaged or cannot be read, marked as
// technical. What was read back from JSON is known in English only.
//
// # Caveats
//
// The reader must give the same bytes at every read. A file is read several times, to
// take it apart, to hash it and to compare its revisions, and nothing can be told of one that
// shows the parser other bytes than the hash: hand over what nobody else can write
// to, such as a copy, not a file in a folder that others share.
//
// What counts of a stamp is the seal in the signature dictionary. The symbol on
// the page is compared with it when it is drawn as package seal draws it; of
// other artwork the report says that it was not. What else the stamp shows, and
// how large it is, rests on the holder of the certificate that signed it, so a
// seal trust list should name signing certificates rather than their authorities.
//
// A form field that was part of the signed document may be filled in later, where
// nothing forbids it, and shows what its new appearance draws, within the rectangle
// that was signed, however large that is. The report names such fields; [Strict]
// allows none.
//
// A list that is older than another one and still current is accepted: keep the
// newest.
//
// A check of integrity alone ([Options.IntegrityOnly]) sets the trust in seals,
// lists and the ledger aside as well: [Stamp.Genuine] is false then, whatever the
// indication. A seal that contradicts its signature or its document fails there too.
//
// A printed seal can be photocopied. [Seal] therefore never says that a stamp
// is valid; only [SealForDocument], with the file at hand, decides that.
package verify

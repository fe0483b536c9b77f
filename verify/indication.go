package verify

// Indication is the main answer for a signature or a file (EN 319 102-1,
// 5.1.3, and two answers for files that have nothing to judge).
type Indication string

const (
	TotalPassed   Indication = "TOTAL-PASSED"  // every check succeeded
	TotalFailed   Indication = "TOTAL-FAILED"  // proof that it is not good
	Indeterminate Indication = "INDETERMINATE" // neither could be proved
	NoSignature   Indication = "NO-SIGNATURE"  // a readable file without any signature
	Unreadable    Indication = "UNREADABLE"    // the file could not be read
)

// SubIndication says why a signature is not TOTAL-PASSED, by the names of
// EN 319 102-1, 5.1.3. It is empty for TOTAL-PASSED.
type SubIndication string

const (
	FormatFailure                  SubIndication = "FORMAT_FAILURE"                    // structure wrong, or the document was modified
	HashFailure                    SubIndication = "HASH_FAILURE"                      // bytes differ from those signed
	SigCryptoFailure               SubIndication = "SIG_CRYPTO_FAILURE"                // the signature value is wrong
	SigConstraintsFailure          SubIndication = "SIG_CONSTRAINTS_FAILURE"           // the format or an attribute is not accepted
	ChainConstraintsFailure        SubIndication = "CHAIN_CONSTRAINTS_FAILURE"         // the path breaks a constraint such as key usage
	CertificateChainGeneralFailure SubIndication = "CERTIFICATE_CHAIN_GENERAL_FAILURE" // the path could not be built for another reason
	CryptoConstraintsFailure       SubIndication = "CRYPTO_CONSTRAINTS_FAILURE"        // an algorithm or key size is unknown or no longer safe
	NoSigningCertificateFound      SubIndication = "NO_SIGNING_CERTIFICATE_FOUND"      // the certificate is not there
	NoCertificateChainFound        SubIndication = "NO_CERTIFICATE_CHAIN_FOUND"        // no path to a trusted root or seal key
	Revoked                        SubIndication = "REVOKED"                           // the certificate had been revoked when it signed
	RevokedNoPOE                   SubIndication = "REVOKED_NO_POE"                    // revoked; no proof that the signature is older
	RevokedCANoPOE                 SubIndication = "REVOKED_CA_NO_POE"                 // an issuer of the path is revoked
	OutOfBoundsNoPOE               SubIndication = "OUT_OF_BOUNDS_NO_POE"              // outside the validity; no proof of existence within
	SignedDataNotFound             SubIndication = "SIGNED_DATA_NOT_FOUND"             // the signed bytes are not there
	TryLater                       SubIndication = "TRY_LATER"                         // no usable revocation data
	NotYetValid                    SubIndication = "NOT_YET_VALID"                     // proved to have existed before the certificate was valid
	NoPOE                          SubIndication = "NO_POE"                            // validation data not proved to be from when its issuer could be relied on
	TimestampOrderFailure          SubIndication = "TIMESTAMP_ORDER_FAILURE"           // timestamps contradict each other
)

// Modification says what later revisions did to a signed document.
type Modification string

const (
	ModificationNone    Modification = "none"     // nothing was added after the signature
	ModificationAllowed Modification = "allowed"  // only changes that the policy and the signer allow
	ModificationFailed  Modification = "modified" // anything else: TOTAL-FAILED
)

// Coverage says which bytes a signature covers.
type Coverage string

const (
	CoverageWhole    Coverage = "whole-file"     // the file but for the signature itself
	CoverageRevision Coverage = "whole-revision" // everything up to the end of its revision
	CoverageUnclear  Coverage = "unclear"        // the byte range is not acceptable
)

// exitCode is the exit code of the command line for an indication.
func (i Indication) exitCode() int {
	switch i {
	case TotalPassed:
		return 0
	case TotalFailed:
		return 1
	case NoSignature:
		return 4
	case Indeterminate:
		return 5
	default:
		return 3
	}
}

// rank orders the indications of signatures from good to bad.
func (i Indication) rank() int {
	switch i {
	case TotalPassed:
		return 0
	case Indeterminate:
		return 1
	default:
		return 2
	}
}

func (m Modification) rank() int {
	switch m {
	case ModificationNone:
		return 0
	case ModificationAllowed:
		return 1
	default:
		return 2
	}
}

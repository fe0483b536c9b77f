package cms

// Limits bounds what Parse reads. A field that is zero has its default; a nil
// *Limits is all defaults. Beyond a limit the answer is a *LimitError.
type Limits struct {
	// Size is the largest encoding in bytes, what follows it not counted. The
	// largest honest signatures carry CRLs of some hundred kilobytes. Default 4 MiB.
	Size int
	// Depth is how many elements may be open at once. A SignedData needs 10, a
	// timestamp token inside it is opened by a Parse of its own. Default 64.
	Depth int
	// Certificates is the number of certificates of any kind. Default 1,000.
	Certificates int
	// Revocations is the number of CRLs and other revocation data. Default 1,000.
	Revocations int
	// Signers is the number of SignerInfos. Default 64.
	Signers int
	// Attributes is the number of attributes in one set and of values in one
	// attribute. Default 256.
	Attributes int
}

const (
	defaultSize         = 4 << 20
	defaultDepth        = 64
	defaultCertificates = 1000
	defaultRevocations  = 1000
	defaultSigners      = 64
	defaultAttributes   = 256

	// maxSerial is the longest serial number or version, in octets: RFC 5280
	// allows 20, some issuers take more.
	maxSerial = 256
	// maxTime is the longest time of a timestamp in octets, nine digits of a
	// second's fraction and some to spare.
	maxTime = 32
	// maxAccuracy is the largest accuracy of a timestamp in seconds, a year: an
	// authority that is less sure says nothing.
	maxAccuracy = 366 * 24 * 3600
	// maxRSABits bounds the work of one RSA verification, about 0.3 ms.
	maxRSABits = 8192
	// minRSABits is what crypto/rsa verifies at all.
	minRSABits = 1024
	// minDSABits and maxDSABits are what FIPS 186-4 has, 4.2; all of it is legacy.
	minDSABits, maxDSABits = 1024, 3072
	// maxExponent is the largest public exponent that crypto/rsa takes.
	maxExponent = 1<<31 - 1
	// soundRSABits is where keys stop being reported as legacy.
	soundRSABits = 2048
)

func (l *Limits) orDefault() Limits {
	var out Limits
	if l != nil {
		out = *l
	}
	set := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	set(&out.Size, defaultSize)
	set(&out.Depth, defaultDepth)
	set(&out.Certificates, defaultCertificates)
	set(&out.Revocations, defaultRevocations)
	set(&out.Signers, defaultSigners)
	set(&out.Attributes, defaultAttributes)
	return out
}

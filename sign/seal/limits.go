package seal

// Limits of the format. They keep the symbol on paper small enough to print
// and every step on hostile input short.
const (
	// MaxSize is the greatest length in bytes of an encoded seal. A seal
	// without TLVs has 130 bytes; 512 make a symbol of version 18 at level M,
	// 40 mm wide at the usual module, and larger ones do not read well.
	MaxSize = 512

	// MaxPrefix is the greatest length of a text's URL prefix: with it a seal
	// without TLVs still fits version 8 at level M (and 10 at level Q).
	MaxPrefix = 28

	// maxDigits is the number of decimal digits of 0x01 and MaxSize bytes
	// (below 2 to the power of 8 x 512 + 1, which has 1234 digits).
	maxDigits = 1234

	// maxText bounds what ParseText looks at: prefix and digits, and as much
	// white space again around them.
	maxText = 2 * (MaxPrefix + maxDigits)

	// maxVersion is the largest symbol version that is drawn: MaxSize bytes
	// behind the longest prefix need 18 at level M and 22 at level Q.
	maxVersion = 22

	// maxPixels bounds the edge of a PNG.
	maxPixels = 4096

	// maxSPKI bounds a SubjectPublicKeyInfo before it is parsed; those of the
	// two algorithms have 44 and 91 bytes.
	maxSPKI = 1024

	// maxSignature bounds the signature given to Finish: the longest DER form
	// of a P-256 signature has 72 bytes.
	maxSignature = 72
)

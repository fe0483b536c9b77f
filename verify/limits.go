package verify

import "time"

// Limits bounds what one call may use. A zero field means its default; a
// document that passes a limit is reported as such, never as good.
type Limits struct {
	// Signatures is the number of signature dictionaries looked at: 1,000.
	Signatures int
	// Fields is the number of form fields walked in one revision: 100,000.
	Fields int
	// Revisions is the number of revisions compared: 1,024.
	Revisions int
	// Objects is the number of objects read for comparisons in one call:
	// 4,000,000.
	Objects int
	// CMS is the size in bytes of one decoded /Contents: 4 MiB.
	CMS int
	// Depth is the nesting of objects that a comparison follows: 64.
	Depth int
	// Chains is the number of candidate paths tried for one certificate: 16.
	Chains int
	// Certificates is the number of certificates taken from one signature
	// and from the DSS: 256.
	Certificates int
	// Revocations is the number of CRLs and OCSP responses, each, that are
	// read from one document: 256.
	Revocations int
	// RevocationSize is the size in bytes of one embedded CRL or OCSP
	// response: 16 MiB.
	RevocationSize int
	// Reasons is the number of reasons kept for one signature: 32.
	Reasons int
	// ClockSkew is how far a CRL or OCSP response may lie in the future:
	// five minutes.
	ClockSkew time.Duration
}

// Fixed bounds: nothing a caller would want to change.
const (
	bufferSize    = 64 << 10  // one read of the hashing pass
	pathBuilds    = 4096      // certification paths of one document
	reasonBytes   = 64 << 10  // bytes of /Reason that are looked at for a serial number
	nameParts     = 1 << 12   // parts of a field's name that are looked at for a serial number
	tokensMax     = 16        // signature timestamps of one signature
	momentsMax    = 64        // timestamps over something for whose time its path is checked
	checksMax     = 4096      // checks of paths as of earlier times, in one document
	storesRead    = 64        // document timestamps whose security stores are read beside that of the last revision
	levelsTried   = 16        // timestamps of which it is asked whether they make a signature B-LTA
	dssBytes      = 128 << 20 // decoded bytes of the DSS of one document
	workPerObject = 32        // values that one object counted against Limits.Objects may hold
	keptWeight    = 64        // values, or 64 bytes of a string each, from which an object is kept once read
	keptObjects   = 32        // objects kept
	usualStamp    = 50_000    // square units up to which a stamp may cover its page: four of the natural size
	symbolBytes   = 512 << 10 // bytes of an appearance in which a symbol is looked for
	treeNodes     = 1 << 20   // entries of structure trees compared in one document
	pagesNamed    = 200       // pages that reasons can name by number
	soloJobs      = 4         // signatures whose hash function needs a pass of its own
	trailingWhite = 496       // bytes of white space after the last revision; readers look for its end in the last 1,024
	textLimit     = 256       // runes of a string taken from the file into a report
	sealTextLimit = 4096      // bytes of a seal's text, far above any QR symbol
	trustSize     = 4 << 20   // bytes of a seal trust file
	trustEntries  = 10000     // entries of a seal trust file
	revokedMax    = 1 << 16   // revoked keys in a status list
	voidMax       = 1 << 24   // void serials in a status list: 224 MB
	usesMax       = 1 << 20   // serials that Uses remembers
	usesNamed     = 1000      // double uses that Uses names
)

func pick[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// withDefaults returns the limits with every zero field filled in.
func (l *Limits) withDefaults() Limits {
	var v Limits
	if l != nil {
		v = *l
	}
	v.Signatures = pick(v.Signatures, 1000)
	v.Fields = pick(v.Fields, 100_000)
	v.Revisions = pick(v.Revisions, 1024)
	v.Objects = pick(v.Objects, 4_000_000)
	v.CMS = pick(v.CMS, 4<<20)
	v.Depth = pick(v.Depth, 64)
	v.Chains = pick(v.Chains, 16)
	v.Certificates = pick(v.Certificates, 256)
	v.Revocations = pick(v.Revocations, 256)
	v.RevocationSize = pick(v.RevocationSize, 16<<20)
	v.Reasons = pick(v.Reasons, 32)
	v.ClockSkew = pick(v.ClockSkew, 5*time.Minute)
	return v
}

const (
	maxRSA  = 8192     // bits of an RSA key in a path
	maxOCSP = 16 << 10 // bytes of an OCSP response: bounds the keys in it as well

	revocationWork = 1 << 28 // entries of revocation lists looked at in one document: seconds
	ocspWork       = 1 << 14 // entries that reading an OCSP response takes as long as
)

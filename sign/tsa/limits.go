package tsa

import "time"

const (
	// defaultMaxResponse bounds an answer in bytes. Tokens with the certificates
	// of their path take 2 to 7 KB; some authorities put CRLs inside.
	defaultMaxResponse = 1 << 20
	// defaultTimeout bounds one try at one server. Authorities answer in well
	// below a second; what takes longer is in trouble.
	defaultTimeout = 15 * time.Second
	// defaultTolerance is how far the local clock may differ from an authority's.
	defaultTolerance = 5 * time.Minute
	// defaultRest is how long a server that failed is tried last.
	defaultRest = 30 * time.Second
	// maxRest bounds what a server may ask for with Retry-After.
	maxRest = time.Hour

	// DefaultSize is the room for a token in bytes as long as none has been seen:
	// more than any of the usual authorities' tokens takes with its path inside.
	DefaultSize = 12 << 10
	// sizeMargin is added to the largest token seen: certificates are renewed,
	// ECDSA signatures and serial numbers differ by some bytes.
	sizeMargin = 512
	// sizeStep is what a room is rounded up to.
	sizeStep = 256

	maxServers      = 16   // of one client
	maxCertificates = 64   // in one token
	maxRevocations  = 64   // in one token
	maxRSABits      = 8192 // of a certificate used to build a path; crypto/x509 has no bound
	maxText         = 256  // runes of an authority's text kept for an error
	nonceBytes      = 8    // 64 bits, which every authority takes
)

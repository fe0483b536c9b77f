package ltv

import "time"

// Limits on what comes from the network and from documents.
const (
	maxPath       = 10               // certificates from a leaf to its root
	maxCandidates = 256              // certificates that are looked at to build paths
	maxAddresses  = 4                // of one kind in one certificate
	maxRedirects  = 3                // for one request
	maxCache      = 4096             // answers kept
	maxDepth      = 3                // responders of responders
	defaultBytes  = 20 << 20         // of one answer: CRLs of large authorities have some megabytes
	defaultWait   = 20 * time.Second // for one answer
	skew          = 5 * time.Minute  // that clocks may differ
	defaultAge    = time.Hour        // after which an answer is asked for again
)

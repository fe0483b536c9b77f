package main

import "time"

// limits bound what people can make the portal keep or do. A zero field of the
// configuration is the default here.
type limits struct {
	// Upload is the size of a PDF in bytes: 20 MB holds a scanned contract.
	Upload int64 `json:"upload"`
	// Uploads is how many may be on their way at a time, over all accounts.
	// Each holds a connection and a buffer of 32 KB; the file goes to disk.
	Uploads int `json:"uploads"`
	// AccountUploads is how many of them may be of one account.
	AccountUploads int `json:"account_uploads"`
	// Waiting is how many documents of an account may lie unstamped. The oldest
	// that is not in work makes room.
	Waiting int `json:"waiting"`
	// Records is how many documents of an account are listed. Stamped ones that
	// leave the list stay in the ledger and in its history.
	Records int `json:"records"`
	// Stored is how many bytes of uploads are kept over all accounts: 4 GB.
	Stored int64 `json:"stored"`
	// Keep is how long an upload is kept that nobody stamps, in hours: 24.
	Keep int `json:"keep_hours"`
	// Orders is how many unpaid orders an account may have.
	Orders int `json:"orders"`
	// Accounts is how many there may be.
	Accounts int `json:"accounts"`
	// Sessions is how many people may be signed in; the one idle longest makes room.
	Sessions int `json:"sessions"`
	// Line is how many stampings may wait.
	Line int `json:"line"`
	// Workers is how many stampings run at a time, and how many documents are
	// looked at before they may be stamped. A hostile one takes some 160 MB for a while.
	Workers int `json:"workers"`

	// The rest are rates a minute. An address may be a whole school, so it gets
	// more than an account.
	SignIns        int `json:"sign_ins"`         // of a name
	AddressSignIns int `json:"address_sign_ins"` // of an address
	Posts          int `json:"posts"`            // forms and uploads of an account
	AddressPosts   int `json:"address_posts"`    // forms and uploads of an address
	Requests       int `json:"requests"`         // anything, of an address
}

// withDefaults fills in what the configuration leaves out.
func (l limits) withDefaults() limits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.Uploads, 256}, {&l.AccountUploads, 8}, {&l.Waiting, 20}, {&l.Records, 100}, {&l.Keep, 24}, {&l.Orders, 20},
		{&l.Accounts, 100_000}, {&l.Sessions, 10_000}, {&l.Line, 1024}, {&l.Workers, 8},
		{&l.SignIns, 10}, {&l.AddressSignIns, 60}, {&l.Posts, 60}, {&l.AddressPosts, 600}, {&l.Requests, 6000},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if l.Upload <= 0 {
		l.Upload = 20 << 20
	}
	if l.Stored <= 0 {
		l.Stored = 4 << 30
	}
	return l
}

const (
	maxForm       = 16 << 10 // bytes of a form without a file
	maxCallback   = 4 << 10  // bytes of a payment provider's message
	maxHeader     = 16 << 10 // bytes of a request's header
	maxPartHead   = 16 << 10 // bytes of the head of a form's part, which package multipart holds in memory
	maxFileName   = 120      // bytes of a document's name as it is shown
	maxUnits      = 100      // units in one order
	maxCancelled  = 20       // cancelled ones among the orders that an account made in a day
	minPassphrase = 8        // characters
	maxPassphrase = 256      // bytes
	maxRates      = 100_000  // names and addresses whose rate is remembered
	maxPending    = 1000     // payments of the simulated provider that are told later
	maxJobs       = 20_000   // stampings, waiting or just ended, that are remembered

	sessionIdle = 2 * time.Hour    // after which a session ends that nobody uses
	sessionLife = 12 * time.Hour   // after which any session ends
	requestTime = 20 * time.Second // for a request and its answer
	uploadTime  = 3 * time.Minute  // for an upload or a download
	uploadGrace = 15 * time.Second // for an upload, and then a second more for each uploadRate bytes
	uploadRate  = 8 << 10          // bytes a second: a slow telephone does better
	stampTime   = 2 * time.Minute  // for one stamping, its time in the line included
	jobMemory   = 10 * time.Minute // how long the end of a stamping is remembered; the ledger knows it for ever
)

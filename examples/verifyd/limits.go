package main

import "time"

// Limits of the service. Those that depend on the machine are flags.
const (
	// defaultSize is the greatest document in bytes.
	defaultSize = 64 << 20
	// defaultUploads is how many documents may be on their way in at a time. Each
	// has a temporary file and a goroutine; one more is answered 503 unread.
	defaultUploads = 128
	// defaultTimeout bounds one verification.
	defaultTimeout = 30 * time.Second

	// waitForTurn is how long an uploaded document waits for a free processor.
	waitForTurn = 5 * time.Second
	// retryAfter is what a refused client is asked to wait, in seconds.
	retryAfter = "2"

	// A client has graceTime, and then a second more for each minRate bytes. So
	// a slow one holds its place for a bounded time, whatever its length.
	graceTime = 10 * time.Second
	minRate   = 32 << 10

	// maxSealText is the longest text of a seal that is read, in bytes: a seal of
	// 512 bytes has some 1,250 digits.
	maxSealText = 4096
	// maxImage is the longest picture of a seal, in bytes.
	maxImage = 16 << 20
	// maxPixels is the largest picture: A4 at 300 dpi has 9 million pixels, and
	// most phones take 12 million. One in work takes some 16 bytes a pixel.
	maxPixels = 16 << 20
	// maxParts and maxPart bound what a multipart body has beside the document.
	maxParts = 8
	maxPart  = 4096
	// maxPartHead is the longest head of a part. Package multipart holds it in
	// memory, and would take 10 MB.
	maxPartHead = 16 << 10

	headerTimeout = 5 * time.Second
	answerTimeout = 30 * time.Second // to write an answer
	lingerTime    = time.Second      // for a body that is not read to come all the same
	idleTimeout   = time.Minute
	maxHeader     = 16 << 10
	// shutdownTimeout is how long requests in work may go on after a SIGTERM.
	shutdownTimeout = 20 * time.Second
)

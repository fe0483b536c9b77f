package pkiserver

import "time"

const (
	// maxRequest bounds the body of a request in bytes: an honest one has below 200.
	maxRequest = 16 << 10
	// maxHeader bounds the header of a request, an OCSP request by GET included.
	maxHeader = 64 << 10
	// headerTimeout and bodyTimeout are how long a client may take to send a request.
	headerTimeout = 10 * time.Second
	bodyTimeout   = 10 * time.Second
	idleTimeout   = time.Minute
	// shutdownTimeout is how long requests may go on when the service ends.
	shutdownTimeout = 5 * time.Second
	// defaultOCSPValidity is the time from thisUpdate to nextUpdate.
	defaultOCSPValidity = time.Hour
	// maxNonce is the longest nonce in octets that a timestamp request may have.
	maxNonce = 32
)

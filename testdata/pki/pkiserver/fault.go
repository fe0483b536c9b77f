package pkiserver

import (
	"net/http"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// Fault says how an address misbehaves. The zero value does not; faults combine.
type Fault struct {
	// HTTPStatus is answered, with an empty body, instead of anything else.
	HTTPStatus int
	// Header is added to the answer: Retry-After, Location.
	Header http.Header
	// Body is answered instead of what belongs there; with Size it is repeated up to
	// that many bytes.
	Body []byte
	Size int64
	// Hang gives no answer until the client goes away or the service ends.
	Hang bool
	// Drip sends one byte at a time, with this pause after each.
	Drip time.Duration

	// Reject makes the timestamp authority refuse.
	Reject *Rejection
	// Info changes what a token says before it is signed.
	Info func(*cms.TimestampInfo)
	// Token changes a token after it was signed.
	Token func([]byte) []byte
	// NoCertificate leaves the certificates out of a token.
	NoCertificate bool
	// Signer signs tokens or OCSP responses instead of who should.
	Signer *pki.Identity

	// OCSP changes what an OCSP response says before it is signed.
	OCSP func(*ocsp.Response)
}

// Rejection is a PKIStatusInfo (RFC 3161, 2.4.2).
type Rejection struct {
	Status  int    // PKIStatus
	Failure []int  // bits of PKIFailureInfo; none: the field is left out
	Text    string // "" leaves the field out
}

// SetFault makes an address, such as "/tsa", misbehave from the next request on; the
// zero Fault ends it.
func (s *Service) SetFault(path string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[path] = f
}

// send writes an answer as the fault has it.
func send(w http.ResponseWriter, r *http.Request, f *Fault, a answer) {
	if f.Hang {
		<-r.Context().Done()
		return
	}
	for name, values := range f.Header {
		w.Header()[name] = values
	}
	if a.kind != "" {
		w.Header().Set("Content-Type", a.kind)
	}
	if f.Body != nil {
		a.body = f.Body
	}
	w.WriteHeader(a.status)
	switch {
	case r.Method == http.MethodHead:
	case f.Drip > 0:
		drip(w, r, a.body, f.Drip)
	case f.Size > 0:
		repeat(w, a.body, f.Size)
	default:
		_, _ = w.Write(a.body) // a client that went away is none of our business
	}
}

func drip(w http.ResponseWriter, r *http.Request, body []byte, pause time.Duration) {
	c, t := http.NewResponseController(w), time.NewTicker(pause)
	defer t.Stop()
	for i := range body {
		if _, err := w.Write(body[i : i+1]); err != nil || c.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-t.C:
		}
	}
}

func repeat(w http.ResponseWriter, body []byte, size int64) {
	if len(body) == 0 {
		body = make([]byte, 1<<12)
	}
	for size > 0 {
		n, err := w.Write(body[:min(size, int64(len(body)))])
		if err != nil {
			return
		}
		size -= int64(n)
	}
}

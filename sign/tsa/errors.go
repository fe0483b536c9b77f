package tsa

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

var (
	// ErrRetry says that the same request may succeed later: the authority cannot
	// be reached, is too slow or too busy, or has no time at the moment.
	ErrRetry = errors.New("tsa: try again later")
	// ErrRefused says that the request as it is configured will never succeed:
	// wrong address or password, algorithm or policy that the authority does not
	// have.
	ErrRefused = errors.New("tsa: refused")
	// ErrToken says that the answer is not a good token for the request.
	ErrToken = errors.New("tsa: no good token")
)

// TransportError says that no answer came: no connection, no answer in time, or
// one that broke off. It is [ErrRetry].
type TransportError struct {
	Server string // scheme, host and path of its URL
	Err    error
}

func (e *TransportError) Error() string { return fmt.Sprintf("tsa: %s: %v", e.Server, e.Err) }

// Unwrap returns the cause.
func (e *TransportError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrRetry) true.
func (e *TransportError) Is(target error) bool { return target == ErrRetry }

// HTTPError says that the answer was an HTTP status other than 200. It is
// [ErrRetry] for 408, 425, 429 and from 500 up but 501 and 505, else
// [ErrRefused]: redirects are not followed.
type HTTPError struct {
	Server     string
	Status     int
	RetryAfter time.Duration // what the server asks for, zero when it does not
}

func (e *HTTPError) Error() string {
	what := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	switch {
	case e.Status >= 300 && e.Status < 400:
		what += ": redirects are not followed, configure the address it leads to"
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		what += ": check the user name and the password"
	}
	return fmt.Sprintf("tsa: %s: HTTP status %s", e.Server, what)
}

// Is makes errors.Is true for what the status means.
func (e *HTTPError) Is(target error) bool {
	later := e.Status >= 500 && e.Status != http.StatusNotImplemented && e.Status != http.StatusHTTPVersionNotSupported
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		later = true
	}
	if later {
		return target == ErrRetry
	}
	return target == ErrRefused
}

// Status is PKIStatus (RFC 3161, 2.4.2).
type Status int

// The states of an answer.
const (
	Granted                Status = 0
	GrantedWithMods        Status = 1
	Rejection              Status = 2
	Waiting                Status = 3
	RevocationWarning      Status = 4
	RevocationNotification Status = 5
)

var statusNames = [...]string{"granted", "granted with modifications", "rejected", "waiting", "revocation warning", "revocation notification"}

// String is the status in words.
func (s Status) String() string {
	if s < 0 || int(s) >= len(statusNames) {
		return fmt.Sprintf("status %d", int(s))
	}
	return statusNames[s]
}

// Failure is PKIFailureInfo (RFC 3161, 2.4.2): bit n of it is bit n there.
type Failure uint32

// The reasons to refuse a request.
const (
	BadAlgorithm          Failure = 1 << 0  // badAlg
	BadRequest            Failure = 1 << 2  // badRequest
	BadDataFormat         Failure = 1 << 5  // badDataFormat
	TimeNotAvailable      Failure = 1 << 14 // timeNotAvailable
	UnacceptedPolicy      Failure = 1 << 15 // unacceptedPolicy
	UnacceptedExtension   Failure = 1 << 16 // unacceptedExtension
	AdditionalInformation Failure = 1 << 17 // addInfoNotAvailable
	SystemFailure         Failure = 1 << 25 // systemFailure
)

// String lists the reasons as RFC 3161 names them.
func (f Failure) String() string {
	var out []string
	for _, known := range []struct {
		bit  Failure
		name string
	}{
		{BadAlgorithm, "badAlg"}, {BadRequest, "badRequest"}, {BadDataFormat, "badDataFormat"},
		{TimeNotAvailable, "timeNotAvailable"}, {UnacceptedPolicy, "unacceptedPolicy"},
		{UnacceptedExtension, "unacceptedExtension"}, {AdditionalInformation, "addInfoNotAvailable"},
		{SystemFailure, "systemFailure"},
	} {
		if f&known.bit != 0 {
			out = append(out, known.name)
			f &^= known.bit
		}
	}
	if f != 0 {
		out = append(out, fmt.Sprintf("failure bits %#x", uint32(f)))
	}
	if len(out) == 0 {
		return "no reason given"
	}
	return strings.Join(out, ", ")
}

// StatusError says that the authority answered, but with a status instead of a
// token. It is [ErrRetry] while waiting and with timeNotAvailable or systemFailure,
// else [ErrRefused], also when no reason was given.
type StatusError struct {
	Server  string
	Status  Status
	Failure Failure
	Text    string // of the authority, made safe to print; "" when it sent none
}

func (e *StatusError) Error() string {
	text := ""
	if e.Text != "" {
		text = fmt.Sprintf(" %q", e.Text)
	}
	return fmt.Sprintf("tsa: %s: %v (%v)%s", e.Server, e.Status, e.Failure, text)
}

// Is makes errors.Is true for what the status means.
func (e *StatusError) Is(target error) bool {
	if e.Status == Waiting || e.Failure&(TimeNotAvailable|SystemFailure) != 0 {
		return target == ErrRetry
	}
	return target == ErrRefused
}

// Reason is why an answer or a token was not accepted; its text is stable.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	ReasonSize        Reason = "size"        // of the answer: larger than Options.MaxResponse
	ReasonResponse    Reason = "response"    // no TimeStampResp, or bytes after it
	ReasonMalformed   Reason = "malformed"   // the token is no SignedData of one signer over a TSTInfo
	ReasonCertificate Reason = "certificate" // the signer's is not inside, not bound by ESS, or not for timestamps alone
	ReasonSignature   Reason = "signature"   // does not verify, or with an algorithm not relied on
	ReasonExtension   Reason = "extension"   // critical and not known
	ReasonImprint     Reason = "imprint"     // of something else
	ReasonNonce       Reason = "nonce"       // missing or another one: an old answer
	ReasonPolicy      Reason = "policy"      // another than asked for
	ReasonTime        Reason = "time"        // too far from the local clock, or outside the certificate's validity
	ReasonPath        Reason = "path"        // no chain to the given roots
)

// TokenError says what is wrong with an answer or a token. It is [ErrToken].
type TokenError struct {
	Server string // "" when the token did not come from one
	Reason Reason
	Detail string // in words; may quote the authority, safe to print
	Err    error  // may be nil
}

func (e *TokenError) Error() string {
	out := "tsa: "
	if e.Server != "" {
		out += e.Server + ": "
	}
	out += "token not accepted (" + string(e.Reason) + "): " + e.Detail
	if e.Err != nil {
		out += ": " + e.Err.Error()
	}
	return out
}

// Unwrap returns the cause.
func (e *TokenError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrToken) true.
func (e *TokenError) Is(target error) bool { return target == ErrToken }

func bad(r Reason, err error, format string, args ...any) *TokenError {
	return &TokenError{Reason: r, Detail: fmt.Sprintf(format, args...), Err: err}
}

// FailoverError holds what each authority answered when none gave a token.
type FailoverError struct {
	Errs []error // in the order in which they were tried; never empty
}

func (e *FailoverError) Error() string {
	parts := make([]string, len(e.Errs))
	for i, err := range e.Errs {
		parts[i] = err.Error()
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns all of them.
func (e *FailoverError) Unwrap() []error { return e.Errs }

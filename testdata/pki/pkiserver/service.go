package pkiserver

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/seed-574216e4/meterai/testdata/pki"
)

// Options of a [Service]. A nil *Options and the zero value are defaults.
type Options struct {
	// Policies of the timestamp authority, the first for requests that name none.
	// Empty: [DefaultPolicy].
	Policies []asn1.ObjectIdentifier
	// Accuracy is stated in tokens. Zero: one second, what the PKI's clock counts in.
	Accuracy time.Duration
	// OCSPValidity is the time from thisUpdate to nextUpdate of an OCSP response.
	// Zero: one hour.
	OCSPValidity time.Duration
	// Now is the clock. Nil: the PKI's.
	Now func() time.Time
}

// DefaultPolicy is a policy under the number that is reserved for examples
// (RFC 5612).
func DefaultPolicy() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, 1}
}

// Service answers the requests of one PKI. It is an [http.Handler] and safe for
// concurrent use. While it runs, CRLs are changed through it ([Service.Revoke],
// [Service.Refresh]) and not through the PKI.
type Service struct {
	opt Options

	mu     sync.RWMutex // of what follows
	pki    *pki.PKI
	faults map[string]Fault
	counts map[string]int
}

// New makes the service of p.
func New(p *pki.PKI, opt *Options) (*Service, error) {
	if p == nil || p.TSA.Key == nil || p.OCSP.Key == nil {
		return nil, errors.New("pkiserver: a PKI with the keys of its services is needed")
	}
	s := &Service{pki: p, faults: map[string]Fault{}, counts: map[string]int{}}
	if opt != nil {
		s.opt = *opt
	}
	if len(s.opt.Policies) == 0 {
		s.opt.Policies = []asn1.ObjectIdentifier{DefaultPolicy()}
	}
	if s.opt.Accuracy <= 0 {
		s.opt.Accuracy = time.Second
	}
	if s.opt.OCSPValidity <= 0 {
		s.opt.OCSPValidity = defaultOCSPValidity
	}
	if s.opt.Now == nil {
		s.opt.Now = p.Now
	}
	return s, nil
}

// Revoke is [pki.PKI.Revoke] while the service runs: OCSP and CRL say so at once.
func (s *Service) Revoke(cert *x509.Certificate, reason pki.Reason, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pki.Revoke(cert, reason, at)
}

// Refresh is [pki.PKI.Refresh] while the service runs.
func (s *Service) Refresh() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pki.Refresh()
}

// Requests is how many requests came for an address, such as "/tsa", so far.
func (s *Service) Requests(path string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.counts[path]
}

// An answer is what is sent when no fault changes it.
type answer struct {
	status int
	kind   string // Content-Type
	body   []byte
}

func failed(status int) answer { return answer{status: status} }

// ServeHTTP implements [http.Handler].
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if strings.HasPrefix(path, "/ocsp/") {
		path = "/ocsp"
	}
	f := s.arrive(path)
	body, err := readBody(w, r)
	switch {
	case err != nil:
		send(w, r, &f, failed(http.StatusRequestEntityTooLarge))
	case f.HTTPStatus != 0:
		send(w, r, &f, failed(f.HTTPStatus))
	default:
		send(w, r, &f, s.answer(path, r, body, &f))
	}
}

// arrive counts a request and says what is wrong with its address.
func (s *Service) arrive(path string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isPath(path) {
		s.counts[path]++
	}
	return s.faults[path]
}

// readBody reads a bounded body, which is no time to dawdle in.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// A recorder of a test has no deadlines, which is as well.
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	_ = c.SetReadDeadline(time.Time{})
	return body, err
}

func isPath(path string) bool {
	switch path {
	case "/tsa", "/ocsp", "/root.crl", "/issuing.crl", "/root.crt", "/issuing.crt":
		return true
	}
	return false
}

// answer routes. The path is compared as it is: http.ServeMux would redirect where
// the base64 of an OCSP request has two slashes.
func (s *Service) answer(path string, r *http.Request, body []byte, f *Fault) answer {
	if !isPath(path) {
		return failed(http.StatusNotFound)
	}
	post, get := r.Method == http.MethodPost, r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case path == "/tsa" && post:
		return s.timestamp(body, f)
	case path == "/ocsp" && post && r.URL.Path == path:
		return s.status(body, f)
	case path == "/ocsp" && get:
		return s.statusByGet(r, f)
	case path == "/tsa" || path == "/ocsp" || !get:
		return failed(http.StatusMethodNotAllowed)
	}
	return s.file(path)
}

// file is a CRL (RFC 5280, 4.2.1.13; RFC 2585) or a certificate (4.2.2.1).
func (s *Service) file(path string) answer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch path {
	case "/root.crl":
		return answer{http.StatusOK, "application/pkix-crl", s.pki.CRLs[0]}
	case "/issuing.crl":
		return answer{http.StatusOK, "application/pkix-crl", s.pki.CRLs[1]}
	case "/root.crt":
		return answer{http.StatusOK, "application/pkix-cert", s.pki.Root.Cert.Raw}
	}
	return answer{http.StatusOK, "application/pkix-cert", s.pki.Issuing.Cert.Raw}
}

// Serve answers on l until ctx is done, and closes l. It returns nil when ctx ended
// it, after the requests in work have been answered or five seconds have passed.
func (s *Service) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler: s, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("pkiserver: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := srv.Shutdown(grace)
	if err != nil {
		err = srv.Close()
	}
	<-ended
	if err != nil {
		return fmt.Errorf("pkiserver: %w", err)
	}
	return nil
}

// Running is a service that [Start] started.
type Running struct {
	*Service
	PKI *pki.PKI // for reading
	URL string   // such as "http://127.0.0.1:40123", without a final slash

	stop  context.CancelFunc
	ended chan error
}

// Start serves p on a free port of the loopback interface. With nil it makes a PKI
// whose certificates carry the service's addresses.
func Start(p *pki.PKI, opt *Options) (*Running, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("pkiserver: %w", err)
	}
	r := &Running{PKI: p, URL: "http://" + l.Addr().String(), ended: make(chan error, 1)}
	if p == nil {
		r.PKI, err = pki.New(&pki.Options{URL: r.URL})
	}
	if err == nil {
		r.Service, err = New(r.PKI, opt)
	}
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.ended <- r.Serve(ctx, l) }()
	return r, nil
}

// Close ends the service and waits for it. It is called once.
func (r *Running) Close() error {
	r.stop()
	return <-r.ended
}

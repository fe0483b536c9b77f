package remote

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	mathrand "math/rand/v2"
	"sync"
	"time"
)

// How long a caller waits before it tries the same endpoint again: a random part of
// the first, doubled each time up to the last.
const (
	firstBackoff = 20 * time.Millisecond
	lastBackoff  = time.Second
)

var (
	_ ContextSigner        = (*Signer)(nil)
	_ crypto.MessageSigner = (*Signer)(nil)
)

// A Signer signs with one key through one endpoint or several. It is safe for
// concurrent use.
type Signer struct {
	opt     Options
	pub     crypto.PublicKey
	closing chan struct{} // closed by Close
	idle    chan struct{} // closed when no call is left after that

	mu        sync.Mutex // never held during a call of an endpoint
	endpoints []*endpoint
	turn      int // where to begin among endpoints that are equally busy
	waiters   []*waiter
	alarm     *time.Timer // of the next probe, while somebody waits for it
	running   int         // calls that have not returned
	budget    float64
	closed    bool
	figures   Figures
}

// New makes a signer of endpoints that have the same key.
func New(endpoints []Endpoint, opt *Options) (*Signer, error) {
	var public crypto.PublicKey
	if opt != nil {
		public = opt.Public
	}
	public, inFlight, err := validate(endpoints, public)
	if err != nil {
		return nil, err
	}
	o, err := opt.withDefaults(inFlight)
	if err != nil {
		return nil, err
	}
	s := &Signer{opt: o, pub: public, budget: float64(o.RetryBurst), closing: make(chan struct{}), idle: make(chan struct{})}
	for _, e := range endpoints {
		s.endpoints = append(s.endpoints, newEndpoint(e, &o))
	}
	return s, nil
}

// Public is the public key: *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
func (s *Signer) Public() crypto.PublicKey { return s.pub }

// Sign is SignContext that takes at most [Options.Tries] times [Options.Timeout]. The
// reader is not used: the service has its own randomness.
func (s *Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	most := time.Duration(math.MaxInt64) // a product may be more than that
	if s.opt.Timeout <= most/time.Duration(s.opt.Tries) {
		most = time.Duration(s.opt.Tries) * s.opt.Timeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	return s.SignContext(ctx, digest, opts)
}

// SignMessage hashes a message with the hash that opts name and signs that; with
// Ed25519 it signs the message.
func (s *Signer) SignMessage(random io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, ok := s.pub.(ed25519.PublicKey); ok || opts == nil {
		return s.Sign(random, msg, opts)
	}
	hash := opts.HashFunc()
	if !hashed(hash) {
		return nil, fmt.Errorf("remote: hash %v is not supported", hash)
	}
	h := hash.New()
	h.Write(msg)
	return s.Sign(random, h.Sum(nil), opts)
}

// SignContext signs a digest made with the hash that opts name, or a message with
// Ed25519. It gives up when ctx ends. ECDSA signatures are in DER.
func (s *Signer) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	// A call that is left behind goes on reading its input.
	digest = bytes.Clone(digest)
	check, err := newCheck(s.pub, digest, opts)
	if err != nil {
		return nil, err
	}
	s.deposit()
	var failed *endpoint
	for try := 1; ; try++ {
		p, pickErr := s.acquire(ctx, failed)
		if pickErr != nil {
			return nil, both(pickErr, err)
		}
		var sig []byte
		sig, err = s.try(ctx, p, func(ctx context.Context, signer crypto.Signer) ([]byte, error) {
			return signWith(ctx, signer, digest, opts, check)
		})
		if err == nil {
			return sig, nil
		}
		if try == s.opt.Tries || !errors.Is(err, ErrUnavailable) || !s.withdraw() {
			return nil, err
		}
		failed = p.endpoint
		if err := s.backoff(ctx, try, failed); err != nil {
			return nil, err
		}
	}
}

// signWith makes a signature and checks it.
func signWith(ctx context.Context, signer crypto.Signer, digest []byte, opts crypto.SignerOpts, check func([]byte) bool) ([]byte, error) {
	var sig []byte
	var err error
	if c, ok := signer.(ContextSigner); ok {
		sig, err = c.SignContext(ctx, digest, opts)
	} else {
		sig, err = signer.Sign(rand.Reader, digest, opts)
	}
	if err == nil && !check(sig) {
		return nil, ErrSignature
	}
	return sig, err
}

// both gives the reason of a call that has no endpoint left, with what it met before.
func both(err, before error) error {
	if before == nil {
		return err
	}
	return fmt.Errorf("%w; before that: %w", err, before)
}

// deposit counts an operation and adds its share to the budget of retries.
func (s *Signer) deposit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.figures.Asked++
	s.budget = min(s.budget+s.opt.RetryShare, float64(s.opt.RetryBurst))
}

// withdraw takes a retry from the budget and says whether there was one.
func (s *Signer) withdraw() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.budget < 1 {
		s.figures.Denied++
		return false
	}
	s.budget--
	s.figures.Retries++
	return true
}

// backoff waits before the next try, unless there is another endpoint for it.
func (s *Signer) backoff(ctx context.Context, try int, failed *endpoint) error {
	if s.another(failed) {
		return nil
	}
	d := min(firstBackoff<<min(try-1, 10), lastBackoff)
	timer := time.NewTimer(d/2 + mathrand.N(d/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("remote: %w", ctx.Err())
	case <-s.closing:
		return ErrClosed
	}
}

// Close ends the signer. Callers that wait get [ErrClosed]; operations that run are
// waited for, at most [Options.Timeout]. Its error says how many calls have not
// returned even then: nobody can end them, and nothing else is left over.
func (s *Signer) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.closing)
	if s.alarm != nil {
		s.alarm.Stop()
	}
	s.dispatch()
	if s.running == 0 {
		close(s.idle)
	}
	s.mu.Unlock()
	timer := time.NewTimer(s.opt.Timeout)
	defer timer.Stop()
	select {
	case <-s.idle:
		return nil
	case <-timer.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == 0 {
		return nil
	}
	return fmt.Errorf("remote: %d calls have not returned", s.running)
}

//go:build cgo

package pkcs11

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	p11 "github.com/miekg/pkcs11"
)

// maxTries is how often one signature is tried, over all tokens.
const maxTries = 4

// ContextSigner is a crypto.Signer whose signatures have a deadline. *Signer is one.
type ContextSigner interface {
	crypto.Signer
	// SignContext signs a digest, or a message with Ed25519, and gives up when ctx
	// ends.
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

var (
	_ ContextSigner        = (*Signer)(nil)
	_ crypto.MessageSigner = (*Signer)(nil)
)

// A Signer signs with one key, in one token or in several. It is safe for
// concurrent use.
type Signer struct {
	module *Module
	key    *key
	tokens []*token
	turn   atomic.Uint64 // where to begin among tokens that are equally busy
	closed atomic.Bool
}

// Public is the public key: *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
func (s *Signer) Public() crypto.PublicKey { return s.key.pub() }

// Sign is SignContext that takes at most four times [Options.Timeout]. The reader
// is not used: the token has its own randomness.
func (s *Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), maxTries*s.module.opt.Timeout)
	defer cancel()
	return s.SignContext(ctx, digest, opts)
}

// SignMessage hashes a message with the hash that opts name and signs that; with
// Ed25519 it signs the message.
func (s *Signer) SignMessage(rand io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, ok := s.Public().(ed25519.PublicKey); ok || opts == nil {
		return s.Sign(rand, msg, opts)
	}
	hash := opts.HashFunc()
	if _, ok := hashes[hash]; !ok {
		return nil, fmt.Errorf("pkcs11: hash %v is not supported", hash)
	}
	h := hash.New()
	h.Write(msg)
	return s.Sign(rand, h.Sum(nil), opts)
}

// SignContext signs a digest made with the hash that opts name, or a message with
// Ed25519. An RSA key signs with PKCS #1 v1.5, or with PSS when opts are
// *rsa.PSSOptions; an ECDSA signature is DER. Waiting for a session ends with ctx.
// Errors are *Error where a token said something, [ErrUnavailable] when the same
// may succeed later.
func (s *Signer) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	req, err := newRequest(s.Public(), digest, opts)
	if err != nil {
		return nil, err
	}
	var failed *token
	fresh := false
	for try := 1; ; try++ {
		if s.closed.Load() {
			return nil, ErrClosed
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("pkcs11: %w", ctx.Err())
		}
		t, pickErr := s.pick(failed, err)
		if pickErr != nil {
			return nil, pickErr
		}
		if try > 1 {
			t.count(func(f *TokenFigures) { f.Retries++ })
		}
		var sig []byte
		if sig, err = s.try(ctx, t, req, fresh); err == nil {
			return sig, nil
		}
		if try == maxTries || ctx.Err() != nil || !s.worthwhile(err) {
			return nil, err
		}
		failed, fresh = nil, classOf(err) == classSession
		if !fresh && classOf(err) != classHandle && classOf(err) != classLogin {
			failed = t
		}
	}
}

// worthwhile says whether another try may succeed. A call that did not return is
// not tried again on the only token.
func (s *Signer) worthwhile(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return len(s.tokens) > 1
	}
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrSignature) ||
		errors.Is(err, ErrPIN) && len(s.tokens) > 1
}

// pick gives the token in service that is least busy, any but failed if there is
// another; else one that is being repaired.
func (s *Signer) pick(failed *token, cause error) (*token, error) {
	var best, waiting *token
	var load int
	turn := int(s.turn.Add(1) % uint64(len(s.tokens)))
	for i := range s.tokens {
		t := s.tokens[(turn+i)%len(s.tokens)]
		if t.retry() {
			waiting = t
			continue
		}
		t.mu.Lock()
		err, _ := t.available()
		busy := (t.busy + len(t.waiters)) * 1000 / t.limit
		t.mu.Unlock()
		switch {
		case err != nil:
			if cause == nil || !errors.Is(cause, ErrUnavailable) {
				cause = err
			}
		case best == nil || best == failed || t != failed && busy < load:
			best, load = t, busy
		}
	}
	if best == failed && errors.Is(cause, context.DeadlineExceeded) {
		best = nil // it would only have one more stuck call
	}
	switch {
	case best != nil && (best != failed || waiting == nil):
		return best, nil
	case waiting != nil:
		return waiting, nil
	}
	return nil, cause
}

// try signs once on a token and checks the signature.
func (s *Signer) try(ctx context.Context, t *token, req *request, fresh bool) ([]byte, error) {
	if err := t.acquire(ctx); err != nil {
		return nil, t.fail("wait for a session", err)
	}
	raw, err := t.run(ctx, "C_Sign", func() ([]byte, error) {
		defer t.release()
		return t.sign(s.key, req, fresh)
	})
	if err != nil {
		return nil, err
	}
	sig, err := req.read(raw)
	if err == nil && req.check(sig) {
		t.good()
		return sig, nil
	}
	if err == nil {
		err = ErrSignature
	}
	t.count(func(f *TokenFigures) { f.Rejected++ })
	s.module.opt.Logger.Error("pkcs11: token gave a wrong signature", "token", t.name())
	err = t.fail("verify", err)
	t.trip(err)
	return nil, err
}

// good counts a signature that is handed out.
func (t *token) good() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.figures.Signatures++
	if t.state == inService {
		t.proven, t.pause = true, firstPause
	}
}

// sign has the token sign. The caller has the right to a session.
func (t *token) sign(k *key, req *request, fresh bool) ([]byte, error) {
	generation, err := t.m.enter()
	if err != nil {
		return nil, err
	}
	defer t.m.leave()
	handle, version, err := t.ready(k, generation)
	if err != nil {
		t.learn(err, version)
		return nil, err
	}
	ses, err := t.take(fresh, generation)
	if err != nil {
		t.learn(err, version)
		return nil, err
	}
	raw, err := t.signWith(ses, req, handle)
	switch classOf(err) {
	case classNone, classLogin, classHandle:
		t.putBack(ses, generation)
	default:
		t.closeSession(ses, generation)
	}
	t.learn(err, version)
	return raw, err
}

func (t *token) signWith(ses session, req *request, handle p11.ObjectHandle) ([]byte, error) {
	if err := t.m.lib.SignInit(ses.handle, []*p11.Mechanism{req.mechanism}, handle); err != nil {
		return nil, t.fail("C_SignInit", err)
	}
	raw, err := t.m.lib.Sign(ses.handle, req.input)
	if err != nil {
		return nil, t.fail("C_Sign", err)
	}
	t.count(func(f *TokenFigures) { f.Operations++ })
	return raw, nil
}

// learn draws the consequences of an error.
func (t *token) learn(err error, version uint64) {
	switch classOf(err) {
	case classSession:
		t.flag(needSession, version)
	case classLogin:
		t.flag(needSession|needLogin, version)
	case classHandle:
		t.flag(needSession|needKeys, version)
	case classBusy:
		var e *Error
		t.shrink(errors.As(err, &e) && e.Op == "C_OpenSession")
	case classDevice, classPIN:
		t.trip(err)
	}
}

// Close ends the signer. Tokens that no other signer uses are logged out and their
// sessions closed, after the operations that run have ended. The module stays open.
func (s *Signer) Close() error {
	s.module.opening.Lock()
	defer s.module.opening.Unlock()
	s.drop()
	return nil
}

// drop gives up the tokens. The caller holds opening.
func (s *Signer) drop() {
	if s.closed.Swap(true) {
		return
	}
	for _, t := range s.tokens {
		if t.detach(s.key) {
			s.module.forget(t)
		}
	}
}

package remote_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/remote"
)

// guard ends tests that hang.
const guard = time.Minute

var errDown = errors.New("connection refused")

var newKeys = sync.OnceValue(func() [2]*ecdsa.PrivateKey {
	var keys [2]*ecdsa.PrivateKey
	for i := range keys {
		var err error
		if keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			panic(err)
		}
	}
	return keys
})

// key is that of all endpoints, wrongKey another one.
func key() *ecdsa.PrivateKey      { return newKeys()[0] }
func wrongKey() *ecdsa.PrivateKey { return newKeys()[1] }

func digest(i int) []byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return sum[:]
}

// A service is the model of one: what it does with each call is said by do, which may
// change while it is in use. It counts the calls inside of it.
type service struct {
	latency time.Duration

	mu     sync.Mutex
	do     func(ctx context.Context, n int) error // before call n is signed; nil signs
	with   crypto.Signer                          // nil: the right key
	n      int
	inside int
	most   int
}

func (s *service) Public() crypto.PublicKey { return key().Public() }

func (s *service) set(do func(ctx context.Context, n int) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.do = do
}

func (s *service) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func (s *service) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.mu.Lock()
	do, with := s.do, s.with
	n := s.n
	s.n++
	s.inside++
	s.most = max(s.most, s.inside)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inside--
	}()
	if s.latency > 0 {
		select {
		case <-time.After(s.latency):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if do != nil {
		if err := do(ctx, n); err != nil {
			return nil, err
		}
	}
	if with == nil {
		with = key()
	}
	return with.Sign(rand.Reader, digest, opts)
}

func (s *service) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.SignContext(context.Background(), digest, opts)
}

// down refuses every call.
func down(context.Context, int) error { return errDown }

// hang waits for the end of the call's context.
func hang(ctx context.Context, _ int) error {
	<-ctx.Done()
	return ctx.Err()
}

// plain is a service without contexts.
type plain struct{ crypto.Signer }

func endpoint(name string, s crypto.Signer) remote.Endpoint {
	return remote.Endpoint{Name: name, Signer: s}
}

func open(t testing.TB, opt *remote.Options, endpoints ...remote.Endpoint) *remote.Signer {
	t.Helper()
	s, err := remote.New(endpoints, opt)
	require.NoError(t, err)
	return s
}

// good signs a digest and holds the signature against the key.
func good(t testing.TB, s *remote.Signer, i int) {
	t.Helper()
	sig, err := s.SignContext(t.Context(), digest(i), crypto.SHA256)
	require.NoError(t, err)
	require.True(t, ecdsa.VerifyASN1(&key().PublicKey, digest(i), sig))
}

// balanced holds the figures of a signer at rest against each other.
func balanced(t testing.TB, s *remote.Signer) remote.Figures {
	t.Helper()
	f := s.Figures()
	require.Zero(t, f.Waiting)
	for _, e := range f.Endpoints {
		require.Zero(t, e.Busy, "%+v", e)
		require.Zero(t, e.Stuck, "%+v", e)
		require.Equal(t, e.Operations, e.Signatures+e.Rejected+e.Orphans, "%+v", e)
	}
	return f
}

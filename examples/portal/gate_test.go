package main

import (
	"bytes"
	"crypto"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// A lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A gate is a signing key that waits until it is opened, or fails.
type gate struct {
	crypto.Signer
	shut    chan struct{}
	arrived chan struct{} // somebody waits
	once    sync.Once
	mu      sync.Mutex
	err     error
	used    int
}

func (g *gate) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	select {
	case g.arrived <- struct{}{}:
	default:
	}
	<-g.shut
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.used++; g.err != nil {
		return nil, g.err
	}
	return g.Signer.Sign(rand, digest, opts)
}

// arrive waits until somebody waits, so a unit is held.
func (g *gate) arrive(t *testing.T) {
	t.Helper()
	select {
	case <-g.arrived:
	case <-time.After(guard):
		require.Fail(t, "nobody came to sign")
	}
}

// line waits until so many stampings stand in the line.
func (p *portal) line(t *testing.T, waiting int) {
	t.Helper()
	require.Eventually(t, func() bool { return p.work.queue.Stats().Waiting == waiting }, guard, 10*time.Millisecond)
}

func (g *gate) open() { g.once.Do(func() { close(g.shut) }) }

func (g *gate) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
}

func (g *gate) signatures() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.used
}

// gate puts one before the portal's signing key. It is shut at first.
func (p *portal) gate(t *testing.T) *gate {
	t.Helper()
	specimen, err := pki.Load(filepath.Join(p.config.Dir, "specimen", "pki"), nil)
	require.NoError(t, err)
	id := specimen.StampP256
	g := &gate{Signer: id.Key, shut: make(chan struct{}), arrived: make(chan struct{}, 1)}
	p.issuer.credential, err = sign.NewCredential(id.Cert, id.Chain, g, nil)
	require.NoError(t, err)
	t.Cleanup(g.open) // the portal's end waits for what is under way
	return g
}

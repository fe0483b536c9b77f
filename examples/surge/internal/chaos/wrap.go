package chaos

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed-574216e4/meterai/serial"
)

// Store is a [serial.Store] that can lose its connection for good, as a process that is killed does: what is under way
// may become durable or not, and nobody hears of it.
type Store struct {
	serial.Store
	cut atomic.Bool
}

var errCut = errors.New("connection to the store lost")

// Cut loses the connection.
func (s *Store) Cut() { s.cut.Store(true) }

// Update implements [serial.Store].
func (s *Store) Update(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) error {
	if s.cut.Load() {
		return errCut
	}
	err := s.Store.Update(ctx, q, func(snap *serial.Snapshot) (*serial.Batch, error) {
		b, err := decide(snap)
		if s.cut.Load() && rand.IntN(2) == 0 {
			return nil, errCut // before the commit
		}
		return b, err
	})
	if s.cut.Load() {
		return fmt.Errorf("%w: %w", serial.ErrUnknownOutcome, errCut)
	}
	return err
}

// View implements [serial.Store].
func (s *Store) View(ctx context.Context, q *serial.Query) (*serial.Snapshot, error) {
	if s.cut.Load() {
		return nil, errCut
	}
	return s.Store.View(ctx, q)
}

// Scan implements [serial.Store].
func (s *Store) Scan(ctx context.Context, read func(serial.Reader) error) error {
	if s.cut.Load() {
		return errCut
	}
	return s.Store.Scan(ctx, read)
}

// Sink is a [serial.ClaimSink] whose disk can be full, and that can be cut as [Store] can.
type Sink struct {
	serial.ClaimSink
	Full *atomic.Bool // may be shared
	cut  atomic.Bool
}

// Cut ends the writing for good.
func (s *Sink) Cut() { s.cut.Store(true) }

// PutClaimed implements [serial.ClaimSink]. When the disk is full a part is written before the error.
func (s *Sink) PutClaimed(ctx context.Context, n serial.Number, claim [32]byte, write func(io.Writer) error) error {
	return s.ClaimSink.PutClaimed(ctx, n, claim, func(w io.Writer) error { return write(&faulty{w: w, sink: s}) })
}

// Put implements [serial.Sink].
func (s *Sink) Put(ctx context.Context, n serial.Number, write func(io.Writer) error) error {
	return s.ClaimSink.Put(ctx, n, func(w io.Writer) error { return write(&faulty{w: w, sink: s}) })
}

type faulty struct {
	w    io.Writer
	sink *Sink
}

func (f *faulty) Write(p []byte) (int, error) {
	switch {
	case f.sink.cut.Load():
		return 0, errCut
	case f.sink.Full.Load():
		n, _ := f.w.Write(p[:len(p)/2])
		return n, fmt.Errorf("write the output: %w", syscall.ENOSPC)
	}
	return f.w.Write(p)
}

// Signer is a [crypto.Signer] whose key can be out of reach.
type Signer struct {
	crypto.Signer
	Lost atomic.Bool
}

// Sign implements [crypto.Signer].
func (s *Signer) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s.Lost.Load() {
		return nil, errors.New("the key does not answer")
	}
	return s.Signer.Sign(r, digest, opts)
}

// Clock is a clock that can be off.
type Clock struct{ off atomic.Int64 }

// Set makes the clock differ from the machine's.
func (c *Clock) Set(by time.Duration) { c.off.Store(int64(by)) }

// Now gives its time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.off.Load())) }

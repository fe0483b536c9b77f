package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

// failpoint is a moment of Update at which something outside goes wrong.
type failpoint int

const (
	beforeUpdate  failpoint = iota // nothing was begun
	afterDecide                    // decided, then refused: nothing is durable
	commitLost                     // the commit is answered with an error and is not durable
	commitDurable                  // the commit is answered with an error and is durable
	failpoints
)

var errInjected = errors.New("injected")

// failing is a store whose n-th Update goes wrong.
type failing struct {
	serial.Store
	n, at int
	how   failpoint
	hit   bool
}

func (f *failing) Update(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) error {
	f.n++
	if f.n-1 != f.at {
		return f.Store.Update(ctx, q, decide)
	}
	f.hit = true
	if f.how == beforeUpdate {
		return errInjected
	}
	err := f.Store.Update(ctx, q, func(s *serial.Snapshot) (*serial.Batch, error) {
		b, err := decide(s)
		if err == nil && f.how != commitDurable {
			err = errInjected
		}
		return b, err
	})
	if f.how != afterDecide && (err == nil || errors.Is(err, errInjected)) {
		return fmt.Errorf("%w: %w", serial.ErrUnknownOutcome, errInjected)
	}
	return err
}

// TestOutcomesOfUpdate lets each transaction of a ledger's life go wrong in each way: the caller learns of it, the same key
// gives the one answer, and no unit is used twice. (I5, I6)
func TestOutcomesOfUpdate(t *testing.T) {
	t.Parallel()
	s, f := withFailpoint(t, beforeUpdate, -1)
	require.Empty(t, s.errs)
	transactions := f.n
	require.Greater(t, transactions, len(scriptSteps()))
	for how := range failpoints {
		for _, at := range sampled(transactions, 3, 5) {
			s, f := withFailpoint(t, how, at)
			require.True(t, f.hit, "failpoint %d at transaction %d was not met", how, at)
			for _, err := range s.errs {
				if how >= commitLost && !errors.Is(err, serial.ErrUnknownOutcome) {
					require.ErrorContains(t, err, "lease", "only a lease's outcome is nobody's")
				}
			}
		}
	}
}

// withFailpoint runs the script with one failpoint, and compares the ledger with what was told.
func withFailpoint(t *testing.T, how failpoint, at int) (*script, *failing) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "l.db")
	st := open(t, path)
	f := &failing{Store: st, at: at, how: how}
	s := newScript()
	l := s.ledger(t, f)
	note := fmt.Sprintf("failpoint %d at transaction %d", how, at)
	require.NoError(t, s.run(l, 3, func() int { return 0 }), note)
	require.NoError(t, l.Close())
	require.NoError(t, st.Close())
	s.finish(t, path, note)
	return s, f
}

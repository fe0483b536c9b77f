//go:build unix

package postgres_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// As many slow readers as there are connections keep nobody from booking.
func TestSlowReadersKeepNobody(t *testing.T) {
	srv := sharedServer(t)
	s := open(t, srv.url(), newSchema(t, srv))
	l := newLedger(t, s, 16)
	credit(t, l, "a", 100)
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	reading := make(chan bool, 8)
	for range 8 { // the default pool
		readers.Go(func() {
			for range l.History(ctx, "a", 0) {
				reading <- true
				<-ctx.Done()
			}
		})
	}
	for range 4 {
		<-reading
	}
	_, err := l.Reserve(t.Context(), req("a", "1"))
	require.NoError(t, err)
	b, err := l.Balance(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, int64(1), b.Reserved)
	stop()
	readers.Wait()
}

package admission_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial/admission"
)

// TestMemoryIsBounded: when the lane is full, a hundred times as many callers as wait, each of another account, are
// refused without leaving anything behind.
func TestMemoryIsBounded(t *testing.T) {
	const places = 1000
	synctest.Test(t, func(t *testing.T) {
		q := admission.New(&admission.Options{Workers: 1, Capacity: map[admission.Lane]int{admission.Redeem: places}, MaxWait: time.Hour, Service: time.Millisecond})
		release, err := q.Enter(t.Context(), admission.Ticket{Lane: admission.Redeem, Account: "first"})
		require.NoError(t, err)
		ctx, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range places {
			wg.Go(func() {
				_, _ = q.Enter(ctx, admission.Ticket{Lane: admission.Redeem, Account: fmt.Sprint("waits ", i)})
			})
		}
		synctest.Wait()
		require.Equal(t, places, q.Stats().Waiting)
		full := heap()
		for i := range 100 * places {
			_, err := q.Enter(ctx, admission.Ticket{Lane: admission.Redeem, Account: fmt.Sprint("comes ", i)})
			require.ErrorIs(t, err, admission.ErrFull)
		}
		require.Less(t, heap(), full+full/10+64<<10)
		require.Equal(t, places, q.Stats().Waiting)
		leave()
		wg.Wait()
		release()
	})
}

// heap is what is in use after everything that nobody reaches has gone.
func heap() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

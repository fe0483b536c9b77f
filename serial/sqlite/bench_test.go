package sqlite_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

const callers = 256

// parallel runs b.N operations with 256 callers.
func parallel(b *testing.B, f func(i int64) error) {
	b.Helper()
	b.ReportAllocs()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	cpu := cpuTime()
	for range callers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := f(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "units/s")
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "cpu-µs/unit")
}

type discard struct{}

func (discard) Put(_ context.Context, _ serial.Number, write func(io.Writer) error) error {
	return write(io.Discard)
}

func (discard) Open(context.Context, serial.Number) (io.ReadCloser, error) {
	return nil, fs.ErrNotExist
}

// counted counts transactions.
type counted struct {
	serial.Store
	n atomic.Int64
}

func (c *counted) Update(ctx context.Context, q *serial.Query, decide func(*serial.Snapshot) (*serial.Batch, error)) error {
	c.n.Add(1)
	return c.Store.Update(ctx, q, decide)
}

func benchLedger(b *testing.B, sink serial.Sink) *serial.Ledger {
	l, _ := benchLedgerAt(b, filepath.Join(b.TempDir(), "l.db"), sink)
	return l
}

// benchLedgerAt opens a ledger with 16 accounts that have units enough.
func benchLedgerAt(b *testing.B, path string, sink serial.Sink) (*serial.Ledger, *counted) {
	s := open(b, path)
	c := &counted{Store: s}
	l, err := serial.Open(b.Context(), c, &serial.Options{Scheme: storetest.Scheme(b), Sink: sink})
	require.NoError(b, err)
	b.Cleanup(func() {
		b.ReportMetric(float64(b.N)/float64(c.n.Load()), "units/commit")
		require.NoError(b, l.Close())
		require.NoError(b, s.Close())
	})
	for a := range 16 {
		_, err := l.Credit(b.Context(), fmt.Sprint("account ", a), 1<<40, []byte("x"))
		require.NoError(b, err)
	}
	c.n.Store(0)
	return l, c
}

// BenchmarkReserve: one durable unit with its key and number, 256 callers on 16 accounts.
func BenchmarkReserve(b *testing.B) {
	l := benchLedger(b, nil)
	parallel(b, func(i int64) error {
		_, err := l.Reserve(context.Background(), req(fmt.Sprint("account ", i%16), fmt.Sprint(i)))
		return err
	})
}

// redeemOne is one unit from the request to "stamped"; its output is 1 KiB.
func redeemOne(l *serial.Ledger, i int64) error {
	_, err := l.Redeem(context.Background(), req(fmt.Sprint("account ", i%16), fmt.Sprint(i)), func(_ context.Context, _ serial.Reservation, w io.Writer) error {
		_, err := w.Write(make([]byte, 1024))
		return err
	})
	return err
}

func benchRedeem(b *testing.B, sink serial.Sink) {
	l := benchLedger(b, sink)
	parallel(b, func(i int64) error { return redeemOne(l, i) })
}

// BenchmarkRedeem: reserve and intent in one transaction, stamped in another; the sink costs nothing.
func BenchmarkRedeem(b *testing.B) { benchRedeem(b, discard{}) }

// BenchmarkRedeemDirSink is the same with an output of 1 KiB in its own file, which is synchronised.
func BenchmarkRedeemDirSink(b *testing.B) {
	sink, err := serial.NewDirSink(b.TempDir())
	require.NoError(b, err)
	benchRedeem(b, sink)
}

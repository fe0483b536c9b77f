//go:build unix

package postgres_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

const callers = 256

// parallel runs n operations with 256 callers.
func parallel(b *testing.B, n int, f func(i int64) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if err := f(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// discard is a sink that costs nothing.
type discard struct{}

func (discard) Put(_ context.Context, _ serial.Number, write func(io.Writer) error) error {
	return write(io.Discard)
}

func (discard) Open(context.Context, serial.Number) (io.ReadCloser, error) {
	return nil, fs.ErrNotExist
}

// floor inserts as many rows as n units cost, of the size of entries, with one batch of 256 rows for each commit and
// without any rule, and gives its rows in a second.
func floor(b *testing.B, srv *server, n int) float64 {
	b.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, srv.url())
	require.NoError(b, err)
	defer c.Close(ctx)
	_, err = c.Exec(ctx, `DROP TABLE IF EXISTS floor; CREATE TABLE floor (account text COLLATE "C", sequence bigint, a bytea, b bytea, c bytea,
		n bigint, PRIMARY KEY (account, sequence))`)
	require.NoError(b, err)
	names, numbers, blobs := make([]string, callers), make([]int64, callers), make([][]byte, callers)
	start := time.Now()
	for done := 0; done < n; done += callers {
		for i := range callers {
			names[i], numbers[i], blobs[i] = "account 1", int64(done+i), make([]byte, 32)
		}
		_, err := c.Exec(ctx, `INSERT INTO floor SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[], $3::bytea[], $3::bytea[], $2::bigint[])`,
			names, numbers, blobs)
		require.NoError(b, err)
	}
	return float64(n) / time.Since(start).Seconds()
}

// bench measures the units in a second of an operation, on one account or many, and how many rows of the floor one unit
// is worth.
func bench(b *testing.B, accounts int, op func(l *serial.Ledger, r serial.Request) error) {
	srv := sharedServer(b)
	s := open(b, srv.url(), newSchema(b, srv))
	l, err := serial.Open(b.Context(), s, &serial.Options{Scheme: storetest.Scheme(b), Sink: discard{}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, l.Close()) })
	for a := range accounts {
		_, err := l.Credit(b.Context(), fmt.Sprint("account ", a), 1<<40, []byte("x"))
		require.NoError(b, err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	parallel(b, b.N, func(i int64) error {
		return op(l, req(fmt.Sprint("account ", i%int64(accounts)), fmt.Sprint(i)))
	})
	b.StopTimer()
	units := float64(b.N) / b.Elapsed().Seconds()
	rows := floor(b, srv, max(b.N, 20*callers))
	b.ReportMetric(units, "units/s")
	b.ReportMetric(rows, "floor-rows/s")
	b.ReportMetric(rows/units, "rows/unit")
}

func reserve(l *serial.Ledger, r serial.Request) error {
	_, err := l.Reserve(context.Background(), r)
	return err
}

func redeemKiB(l *serial.Ledger, r serial.Request) error {
	_, err := l.Redeem(context.Background(), r, func(_ context.Context, _ serial.Reservation, w io.Writer) error {
		_, err := w.Write(make([]byte, 1024))
		return err
	})
	return err
}

// BenchmarkReserve: one durable unit with its key and number, 256 callers.
func BenchmarkReserve(b *testing.B) {
	b.Run("accounts=1000", func(b *testing.B) { bench(b, 1000, reserve) })
	b.Run("accounts=1", func(b *testing.B) { bench(b, 1, reserve) })
}

// BenchmarkRedeem: reserve and intent in one transaction, stamped in another; the sink costs nothing.
func BenchmarkRedeem(b *testing.B) {
	b.Run("accounts=1000", func(b *testing.B) { bench(b, 1000, redeemKiB) })
	b.Run("accounts=1", func(b *testing.B) { bench(b, 1, redeemKiB) })
}

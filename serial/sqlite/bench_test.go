package sqlite_test

import (
	"context"
	"database/sql"
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
	s := open(b, filepath.Join(b.TempDir(), "l.db"))
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
	return l
}

// BenchmarkReserve: one durable unit with its key and number, 256 callers on 16 accounts.
func BenchmarkReserve(b *testing.B) {
	l := benchLedger(b, nil)
	parallel(b, func(i int64) error {
		_, err := l.Reserve(context.Background(), req(fmt.Sprint("account ", i%16), fmt.Sprint(i)))
		return err
	})
}

func benchRedeem(b *testing.B, sink serial.Sink) {
	l := benchLedger(b, sink)
	parallel(b, func(i int64) error {
		_, err := l.Redeem(context.Background(), req(fmt.Sprint("account ", i%16), fmt.Sprint(i)), func(_ context.Context, _ serial.Reservation, w io.Writer) error {
			_, err := w.Write(make([]byte, 1024))
			return err
		})
		return err
	})
}

// BenchmarkRedeem: reserve and intent in one transaction, stamped in another; the sink costs nothing.
func BenchmarkRedeem(b *testing.B) { benchRedeem(b, discard{}) }

// BenchmarkRedeemDirSink is the same with an output of 1 KiB in its own file, which is synchronised.
func BenchmarkRedeemDirSink(b *testing.B) {
	sink, err := serial.NewDirSink(b.TempDir())
	require.NoError(b, err)
	benchRedeem(b, sink)
}

// BenchmarkFloor: rows of the size of an entry, inserted by the same driver, 256 a transaction, without any rule.
func BenchmarkFloor(b *testing.B) {
	db, err := sql.Open("sqlite", filepath.Join(b.TempDir(), "floor.db"))
	require.NoError(b, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, s := range []string{"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
		"CREATE TABLE t (account TEXT, sequence INTEGER, a BLOB, b BLOB, c BLOB, n INTEGER, PRIMARY KEY (account, sequence)) WITHOUT ROWID"} {
		_, err := db.Exec(s)
		require.NoError(b, err)
	}
	blob := make([]byte, 32)
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += callers {
		tx, err := db.Begin()
		require.NoError(b, err)
		stmt, err := tx.Prepare("INSERT INTO t VALUES (?,?,?,?,?,?)")
		require.NoError(b, err)
		for i := done; i < done+callers; i++ {
			if _, err := stmt.Exec("account 1", i, blob, blob, blob, 1725436800123456); err != nil {
				b.Fatal(err)
			}
		}
		require.NoError(b, tx.Commit())
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

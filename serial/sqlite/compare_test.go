package sqlite_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
)

// closed runs n operations with 256 callers that wait for their answers, and gives operations a second.
func closed(b *testing.B, n int64, f func(i int64) error) float64 {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	begun := time.Now()
	for range callers {
		wg.Go(func() {
			for i := next.Add(1); i <= n; i = next.Add(1) {
				if err := f(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(begun).Seconds()
}

// BenchmarkRedeemHalfLoad: arrivals that do not wait for answers, at half the rate that 256 callers reach just before. The
// time of each runs from when it was due.
func BenchmarkRedeemHalfLoad(b *testing.B) {
	l, c := benchLedgerAt(b, filepath.Join(b.TempDir(), "l.db"), discard{})
	const first = 20_000
	rate := closed(b, first, func(i int64) error { return redeemOne(l, i) })
	c.n.Store(0)
	took := make([]time.Duration, b.N)
	var wg sync.WaitGroup
	b.ResetTimer()
	begun := time.Now()
	for i := range took {
		due := begun.Add(time.Duration(float64(i) / (rate / 2) * float64(time.Second)))
		time.Sleep(time.Until(due))
		wg.Go(func() {
			if err := redeemOne(l, int64(first+1+i)); err != nil {
				b.Error(err)
			}
			took[i] = time.Since(due)
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(rate/2, "arrivals/s")
	b.ReportMetric(took[len(took)/2].Seconds()*1e3, "p50-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "p99-ms")
}

// BenchmarkCompare measures in one run: units of the ledger, the same bytes appended to a file and synchronised in groups
// of the same size, and the same rows written by hand through database/sql, without any rule. The ledger does not go
// through database/sql, so the last is what a program costs that does, and not the least that the rows can cost.
func BenchmarkCompare(b *testing.B) {
	path := filepath.Join(b.TempDir(), "l.db")
	l, c := benchLedgerAt(b, path, discard{})
	b.ResetTimer()
	units := closed(b, int64(b.N), func(i int64) error { return redeemOne(l, i) })
	b.StopTimer()
	group := max(1, b.N/int(c.n.Load()))
	const bytes = 670 // of a unit in the database file of BenchmarkSize
	logged := logUnits(b, b.N, group, bytes)
	inserted := insertUnits(b, b.N, group)
	b.ReportMetric(units, "units/s")
	b.ReportMetric(logged, "log-units/s")
	b.ReportMetric(inserted, "by-hand-units/s")
	b.ReportMetric(units/logged, "of-log")
	b.ReportMetric(units/inserted, "of-by-hand")
}

func logUnits(b *testing.B, n, group, bytes int) float64 {
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	require.NoError(b, err)
	defer f.Close()
	data := make([]byte, group*bytes)
	begun := time.Now()
	for done := 0; done < n; done += group {
		_, err := f.Write(data)
		require.NoError(b, err)
		require.NoError(b, f.Sync())
	}
	return float64(n) / time.Since(begun).Seconds()
}

// insertUnits writes the rows of n units as a program would that knows no rules: a prepared statement for each row, two
// transactions for each group.
func insertUnits(b *testing.B, n, group int) float64 {
	db, err := sql.Open("sqlite", filepath.Join(b.TempDir(), "by hand.db"))
	require.NoError(b, err)
	defer db.Close()
	db.SetMaxOpenConns(1) // on which the transaction is open
	for _, s := range []string{"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA cache_size=-65536", sqlite.Schema} {
		_, err := db.Exec(s)
		require.NoError(b, err)
	}
	prepare := func(s string) *sql.Stmt {
		p, err := db.Prepare(s)
		require.NoError(b, err)
		return p
	}
	entry := prepare("INSERT INTO entries VALUES (?,?,?,1,?,?,?,0,NULL,NULL,NULL,?,?)")
	reserve := prepare(`INSERT INTO reservations (number, account, key, sequence, state, reserved, intent, digest, length, value)
		VALUES (?,?,?,?,2,?,?,?,10,10000)`)
	stamp := prepare("UPDATE reservations SET state = 3, resolved = ?, output_digest = ?, output_length = 1024 WHERE number = ?")
	hash, when := make([]byte, 32), int64(1_725_436_800_000_000)
	var sequence [16]int64
	tx := func(first, last int, f func(i int, account string, number []byte, next func() int64) error) {
		_, err := db.Exec("BEGIN IMMEDIATE")
		require.NoError(b, err)
		for i := first; i < last; i++ {
			number := binary.BigEndian.AppendUint64(make([]byte, 6, 14), uint64(i)*0x9e3779b97f4a7c15)
			next := func() int64 { sequence[i%16]++; return sequence[i%16] }
			if err := f(i, fmt.Sprint("account ", i%16), number, next); err != nil {
				b.Fatal(err)
			}
		}
		_, err = db.Exec("COMMIT")
		require.NoError(b, err)
	}
	begun := time.Now()
	for from := 0; from < n; from += group {
		to := min(from+group, n)
		tx(from, to, func(i int, account string, number []byte, next func() int64) error {
			key, first := []byte(fmt.Sprint(i)), next()
			if _, err := entry.Exec(account, first, 8, key, number, hash, when, hash); err != nil {
				return err
			}
			if _, err := entry.Exec(account, next(), 9, nil, number, nil, when, hash); err != nil {
				return err
			}
			_, err := reserve.Exec(number, account, key, first, when, when, hash)
			return err
		})
		tx(from, to, func(_ int, account string, number []byte, next func() int64) error {
			if _, err := entry.Exec(account, next(), 10, nil, number, hash, when, hash); err != nil {
				return err
			}
			_, err := stamp.Exec(when, hash, number)
			return err
		})
	}
	return float64(n) / time.Since(begun).Seconds()
}

// BenchmarkSize: a ledger with 100 thousand entries, and with METERAI_LARGE=1 one with 10 million: the cost of a unit, how
// long Open and an audit take, and the most heap that the audit had. Keys are random, so every index is met anywhere. The
// page cache of the writer is 64 MiB; SQLite's memory is not in the heap.
func BenchmarkSize(b *testing.B) {
	sizes := []int64{100_000}
	if os.Getenv("METERAI_LARGE") == "1" {
		sizes = append(sizes, 10_000_000)
	}
	for _, entries := range sizes {
		path := filepath.Join(b.TempDir(), "l.db")
		fill(b, path, entries/3)
		b.Run(fmt.Sprint("entries=", entries), func(b *testing.B) {
			begun := time.Now()
			s := open(b, path)
			l, err := serial.Open(b.Context(), s, &serial.Options{Sink: discard{}, Scheme: scheme(b)})
			require.NoError(b, err)
			opening := time.Since(begun)
			parallel(b, func(int64) error { return redeemOne(l, rand.Int64()) })
			begun = time.Now()
			peak := peakHeap(func() {
				report, err := l.Audit(b.Context())
				require.NoError(b, err)
				require.True(b, report.Clean())
				require.GreaterOrEqual(b, report.Entries, entries)
			})
			b.ReportMetric(time.Since(begun).Seconds(), "audit-s")
			b.ReportMetric(opening.Seconds()*1e3, "open-ms")
			b.ReportMetric(float64(peak)/(1<<20), "audit-MiB")
			require.NoError(b, l.Close())
			require.NoError(b, s.Close())
		})
	}
}

func fill(b *testing.B, path string, units int64) {
	s := open(b, path)
	l, err := serial.Open(b.Context(), s, &serial.Options{Sink: discard{}, Scheme: scheme(b), Block: 1 << 20})
	require.NoError(b, err)
	for a := range 16 {
		_, err := l.Credit(b.Context(), fmt.Sprint("account ", a), 1<<40, []byte("x"))
		require.NoError(b, err)
	}
	var left atomic.Int64
	left.Store(units)
	var wg sync.WaitGroup
	for range 8 * callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := redeemOne(l, rand.Int64()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	require.NoError(b, l.Close())
	require.NoError(b, s.Close())
}

// peakHeap is the most that the heap had while f ran, as seen every 10 ms.
func peakHeap(f func()) uint64 {
	ctx, stop := context.WithCancel(context.Background())
	peak := make(chan uint64)
	go func() {
		var most uint64
		for ctx.Err() == nil {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			time.Sleep(10 * time.Millisecond)
		}
		peak <- most
	}()
	f()
	stop()
	return <-peak
}

//go:build unix

package postgres_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/postgres"
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

// arrivals starts n operations at a rate, whether or not those before have ended, and gives the time from each arrival
// to its answer, sorted.
func arrivals(b *testing.B, n int, rate float64, f func(i int64) error) []time.Duration {
	took := make([]time.Duration, n)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range n {
		at := start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		time.Sleep(time.Until(at))
		wg.Go(func() {
			if err := f(int64(i)); err != nil {
				b.Error(err)
			}
			took[i] = time.Since(at)
		})
	}
	wg.Wait()
	slices.Sort(took)
	return took
}

// discard is a sink that costs nothing.
type discard struct{}

func (discard) Put(_ context.Context, _ serial.Number, write func(io.Writer) error) error {
	return write(io.Discard)
}

func (discard) Open(context.Context, serial.Number) (io.ReadCloser, error) {
	return nil, fs.ErrNotExist
}

// plain writes by hand what n units leave in the tables, without any rule: the same columns and indexes, no checks, one
// transaction of two statements for 256 units, arrays through the driver. It gives its units in a second.
func plain(b *testing.B, srv *server, schema string, n, entries int) float64 {
	b.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, srv.url())
	require.NoError(b, err)
	defer c.Close(ctx)
	_, err = c.Exec(ctx, strings.ReplaceAll(`SET search_path = s; CREATE TABLE plain_entries (LIKE entries INCLUDING INDEXES);
		CREATE TABLE plain_reservations (LIKE reservations INCLUDING INDEXES)`, "= s", "= "+schema))
	require.NoError(b, err)
	defer func() { _, _ = c.Exec(ctx, "DROP TABLE plain_entries, plain_reservations") }()
	start := time.Now()
	for done := 0; done < n; done += callers {
		b := &pgx.Batch{}
		b.Queue("BEGIN")
		b.Queue(`INSERT INTO plain_entries SELECT * FROM unnest($1::text[], $2::bigint[], $3::smallint[], $4::bigint[], $5::bytea[],
			$6::bytea[], $7::bytea[], $8::bigint[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bytea[])`, plainEntries(done, entries)...)
		b.Queue(`INSERT INTO plain_reservations SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::bigint[], $5::bigint[],
			$6::smallint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bytea[], $11::bigint[], $12::bigint[], $13::text[], $14::text[],
			$15::text[], $16::bytea[], $17::bigint[], $18::text[])`, plainReservations(done)...)
		b.Queue("COMMIT")
		if err := c.SendBatch(ctx, b).Close(); err != nil {
			panic(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

func column[V any](n int, f func(i int) V) []V {
	out := make([]V, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

func hash(i, size int) []byte {
	h := sha256.Sum256(fmt.Append(nil, i))
	return h[:size]
}

func plainEntries(first, each int) []any {
	n := callers * each
	number := column(n, func(i int) int64 { return int64(first*each + i + 1) })
	text := column(n, func(int) string { return "" })
	unit := func(i int) int { return first + i/each }
	return []any{column(n, func(int) string { return "account 1" }), number, column(n, func(int) int16 { return 8 }), number,
		column(n, func(i int) []byte { return fmt.Append(nil, unit(i)) }), column(n, func(i int) []byte { return hash(unit(i), 14) }),
		column(n, func(i int) []byte { return hash(i, 32) }), number, text, text, column(n, func(int) *int64 { return nil }), number,
		column(n, func(i int) []byte { return hash(i, 32) })}
}

func plainReservations(first int) []any {
	const n = callers
	number := column(n, func(i int) int64 { return int64(first + i) })
	text := column(n, func(int) string { return "" })
	digest := column(n, func(i int) []byte { return hash(first+i, 32) })
	return []any{column(n, func(i int) []byte { return hash(first+i, 14) }), column(n, func(int) string { return "account 1" }),
		column(n, func(i int) []byte { return fmt.Append(nil, first+i) }), number, number, column(n, func(int) int16 { return 3 }),
		number, number, number, digest, number, number, text, text, text, digest, number, text}
}

// processorTime gives the time that this process and the processes of a server used, as far as the system tells.
func processorTime(srv *server) (client, served time.Duration) {
	var ru syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &ru) == nil {
		client = time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	}
	stats, _ := os.ReadDir("/proc")
	for _, e := range stats {
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		_, rest, ok := strings.Cut(string(stat), ") ")
		f := strings.Fields(rest)
		if err != nil || !ok || len(f) < 13 || f[1] != fmt.Sprint(srv.cmd.Process.Pid) {
			continue
		}
		var user, system int64
		_, _ = fmt.Sscan(f[11]+" "+f[12], &user, &system)
		served += time.Duration(user+system) * 10 * time.Millisecond
	}
	return client, served
}

// work is an operation that is measured, and the entries that it leaves for each unit.
type work struct {
	entries int
	do      func(l *serial.Ledger, r serial.Request) error
}

var (
	reserveWork = work{1, func(l *serial.Ledger, r serial.Request) error {
		_, err := l.Reserve(context.Background(), r)
		return err
	}}
	redeemWork = work{3, func(l *serial.Ledger, r serial.Request) error {
		_, err := l.Redeem(context.Background(), r, func(_ context.Context, _ serial.Reservation, w io.Writer) error {
			_, err := w.Write(make([]byte, 1024))
			return err
		})
		return err
	}}
)

// bench measures an operation on one account or many: units in a second with 256 callers, processor time for each unit,
// how many times as fast the hand-written inserts are, and the latency when arrivals come at half the measured rate.
func bench(b *testing.B, srv *server, opt *postgres.Options, accounts int, w work) {
	s := open(b, srv.url(), opt)
	l, err := serial.Open(b.Context(), s, &serial.Options{Scheme: storetest.Scheme(b), Sink: discard{}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, l.Close()) })
	for a := range accounts {
		_, err := l.Credit(b.Context(), fmt.Sprint("account ", a), 1<<40, []byte("x"))
		require.NoError(b, err)
	}
	one := func(kind string) func(int64) error {
		return func(i int64) error {
			return w.do(l, req(fmt.Sprint("account ", i%int64(accounts)), fmt.Sprint(kind, i)))
		}
	}
	b.ReportAllocs()
	client, served := processorTime(srv)
	b.ResetTimer()
	parallel(b, b.N, one("c"))
	b.StopTimer()
	client2, served2 := processorTime(srv)
	n := float64(b.N)
	units := n / b.Elapsed().Seconds()
	b.ReportMetric(units, "units/s")
	b.ReportMetric(float64((client2-client).Microseconds())/n, "client-µs/unit")
	b.ReportMetric(float64((served2-served).Microseconds())/n, "server-µs/unit")
	if b.N < 20*callers {
		return
	}
	took := arrivals(b, min(b.N, int(units)), units/2, one("a"))
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
	b.ReportMetric(plain(b, srv, opt.Schema, b.N, w.entries)/units, "plain/ledger")
}

// benchAll runs the four cases of an operation.
func benchAll(b *testing.B, w work) {
	for _, standby := range []bool{false, true} {
		srv := sharedServer(b)
		if standby {
			srv = ownServer(b)
			srv.synchronous(b, srv.standby(b))
		}
		for _, accounts := range []int{1000, 1} {
			b.Run(fmt.Sprintf("standby=%t/accounts=%d", standby, accounts), func(b *testing.B) {
				bench(b, srv, newSchema(b, srv), accounts, w)
			})
		}
	}
}

// BenchmarkReserve: one durable unit with its key and number.
func BenchmarkReserve(b *testing.B) { benchAll(b, reserveWork) }

// BenchmarkRedeem: reserve and intent in one transaction, stamped in another; the sink costs nothing.
func BenchmarkRedeem(b *testing.B) { benchAll(b, redeemWork) }

// BenchmarkLarge is BenchmarkRedeem on a ledger that has many entries already, and a third as many reservations.
func BenchmarkLarge(b *testing.B) {
	if os.Getenv("METERAI_LARGE") == "" {
		b.Skip("METERAI_LARGE is not set: it makes ten million entries, some 6 GB")
	}
	for _, entries := range []int{100_000, 10_000_000} {
		b.Run(fmt.Sprintf("entries=%d", entries), func(b *testing.B) {
			srv := ownServer(b)
			opt := newSchema(b, srv)
			fill(b, srv, opt.Schema, entries)
			bench(b, srv, opt, 1000, redeemWork)
		})
	}
}

// fill makes rows without a ledger.
func fill(b *testing.B, srv *server, schema string, entries int) {
	b.Helper()
	srv.exec(b, "SET search_path = "+schema, fmt.Sprintf(`INSERT INTO entries SELECT 'old ' || i %% 1000, i / 1000 + 1, 9, 0, NULL,
		substr(sha256(i::text::bytea), 1, 14), NULL, 0, '', '', NULL, i, sha256(i::text::bytea) FROM generate_series(0, %d) i`, entries-1),
		fmt.Sprintf(`INSERT INTO reservations SELECT substr(sha256(i::text::bytea), 1, 14), 'old ' || i %% 1000, i::text::bytea, i + 1,
		9223372036854775807, 3, i, i, i, sha256(i::text::bytea), 10, 10000, '', '', '', sha256(i::text::bytea), 1024, ''
		FROM generate_series(0, %d) i`, entries/3-1), "ANALYZE entries", "ANALYZE reservations", "CHECKPOINT")
}

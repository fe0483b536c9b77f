package admission_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial/admission"
)

func nothing(context.Context) error { return nil }

func BenchmarkDoUncontended(b *testing.B) {
	q := admission.New(nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := q.Do(b.Context(), admission.Ticket{Lane: admission.Redeem, Account: "a"}, nothing); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEnterReleaseUncontended(b *testing.B) {
	q := admission.New(nil)
	b.ReportAllocs()
	for b.Loop() {
		release, err := q.Enter(b.Context(), admission.Ticket{Lane: admission.Redeem, Account: "a"})
		if err != nil {
			b.Fatal(err)
		}
		release()
	}
}

// 256 goroutines, 64 accounts, 16 workers: nearly everybody waits for its turn.
func BenchmarkDo256Goroutines(b *testing.B) {
	q := admission.New(&admission.Options{MaxWait: time.Hour, Service: time.Microsecond, PerAccount: 1000})
	var accounts [64]string
	for i := range accounts {
		accounts[i] = fmt.Sprint("account ", i)
	}
	b.ReportAllocs()
	b.SetParallelism(256 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			ticket := admission.Ticket{Lane: admission.Lane(1 + i%4), Account: accounts[i%64]}
			if err := q.Do(context.Background(), ticket, func(context.Context) error { runtime.Gosched(); return nil }); err != nil {
				b.Error(err)
			}
		}
	})
}

// What a portal that is full pays for sending somebody away.
func BenchmarkRefusal(b *testing.B) {
	for _, waiting := range []int{16, 16384} {
		b.Run(fmt.Sprint("waiting=", waiting), func(b *testing.B) {
			q := admission.New(&admission.Options{Workers: 1, Capacity: map[admission.Lane]int{admission.Redeem: waiting}, PerAccount: waiting, MaxWait: time.Hour, Service: time.Microsecond})
			release, err := q.Enter(b.Context(), admission.Ticket{Lane: admission.Redeem})
			require.NoError(b, err)
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error)
			for i := range waiting {
				go func() { done <- q.Do(ctx, admission.Ticket{Lane: admission.Redeem, Account: fmt.Sprint(i)}, nothing) }()
			}
			for q.Stats().Waiting < waiting {
				time.Sleep(time.Millisecond)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := q.Do(ctx, admission.Ticket{Lane: admission.Redeem, Account: "late"}, nothing); err == nil {
					b.Fatal("admitted")
				}
			}
			cancel()
			for range waiting {
				<-done
			}
			release()
		})
	}
}

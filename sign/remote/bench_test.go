package remote_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-574216e4/meterai/sign/remote"
)

// BenchmarkSigner signs with a service of 20 ms latency that has 32 operations in
// flight: share is what part of the 1,600 signatures a second that can be had it
// reaches, of-bare what part of what the bare service gives in the same run, by turns
// in slices, and p99/latency how long the slowest of a hundred waits. With endpoints=2
// the same places are on two endpoints.
func BenchmarkSigner(b *testing.B) {
	const latency, places = 20 * time.Millisecond, 32
	for _, endpoints := range []int{1, 2} {
		b.Run(fmt.Sprintf("endpoints=%d", endpoints), func(b *testing.B) {
			var list []remote.Endpoint
			for i := range endpoints {
				list = append(list, remote.Endpoint{Name: string(rune('a' + i)), Signer: &service{latency: latency}, InFlight: places / endpoints})
			}
			s := open(b, nil, list...)
			bare := &service{latency: latency}
			var ours, theirs []time.Duration // of each signature
			var oursTook, theirsTook time.Duration
			for left := b.N; left > 0; left -= 20 * places {
				n := min(left, 20*places)
				theirsTook += sliced(b, n, places, bare, &theirs)
				oursTook += sliced(b, n, places, s, &ours)
			}
			rate := float64(b.N) / oursTook.Seconds()
			slices.Sort(ours)
			b.ReportMetric(rate, "signatures/s")
			b.ReportMetric(rate/(places/latency.Seconds()), "share")
			b.ReportMetric(theirsTook.Seconds()/oursTook.Seconds(), "of-bare")
			b.ReportMetric(ours[len(ours)*99/100].Seconds()/latency.Seconds(), "p99/latency")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// sliced makes n signatures, as many at a time as there are places. Both sides check
// what they get.
func sliced(b *testing.B, n, places int, s remote.ContextSigner, each *[]time.Duration) time.Duration {
	took := make([]time.Duration, n)
	begun := time.Now()
	var wg sync.WaitGroup
	for w := range places {
		wg.Go(func() {
			for i := w; i < n; i += places {
				from := time.Now()
				sig, err := s.SignContext(context.Background(), digest(i), crypto.SHA256)
				_, checked := s.(*remote.Signer)
				if err != nil || !checked && !ecdsa.VerifyASN1(&key().PublicKey, digest(i), sig) {
					b.Error("no signature", err)
				}
				took[i] = time.Since(from)
			}
		})
	}
	wg.Wait()
	*each = append(*each, took...)
	return time.Since(begun)
}

// BenchmarkOverhead is the cost of one signature beside that of the key and the check
// of it.
func BenchmarkOverhead(b *testing.B) {
	s := open(b, nil, endpoint("a", key()))
	d := digest(1)
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			if _, err := key().Sign(nil, d, crypto.SHA256); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("remote", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.SignContext(context.Background(), d, crypto.SHA256); err != nil {
				b.Fatal(err)
			}
		}
	})
}

package remote_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/remote"
)

func TestEveryKindOfKey(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	long := sha512.Sum512([]byte("x"))
	pss := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	for _, test := range []struct {
		name   string
		signer crypto.Signer
		input  []byte
		opts   crypto.SignerOpts
		check  func(sig []byte) bool
	}{
		{"ECDSA", key(), digest(1), crypto.SHA256, func(sig []byte) bool { return ecdsa.VerifyASN1(&key().PublicKey, digest(1), sig) }},
		{"PKCS #1", rsaKey, long[:], crypto.SHA512, func(sig []byte) bool {
			return rsa.VerifyPKCS1v15(&rsaKey.PublicKey, crypto.SHA512, long[:], sig) == nil
		}},
		{"PSS", rsaKey, digest(1), pss, func(sig []byte) bool {
			return rsa.VerifyPSS(&rsaKey.PublicKey, crypto.SHA256, digest(1), sig, pss) == nil
		}},
		{"Ed25519", edKey, []byte("message"), crypto.Hash(0), func(sig []byte) bool { return ed25519.Verify(edPublic, []byte("message"), sig) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, nil, endpoint("a", test.signer))
			sig, err := s.Sign(nil, test.input, test.opts)
			require.NoError(t, err)
			require.True(t, test.check(sig))
			require.NoError(t, s.Close())
		})
	}
	s := open(t, nil, endpoint("a", edKey))
	sig, err := crypto.SignMessage(s, nil, []byte("message"), crypto.Hash(0))
	require.NoError(t, err)
	require.True(t, ed25519.Verify(edPublic, []byte("message"), sig))
	s = open(t, nil, endpoint("a", rsaKey))
	sig, err = crypto.SignMessage(s, nil, []byte("x"), crypto.SHA512)
	require.NoError(t, err)
	require.NoError(t, rsa.VerifyPKCS1v15(&rsaKey.PublicKey, crypto.SHA512, long[:], sig))
}

func TestRefusedBeforeAServiceIsAsked(t *testing.T) {
	a := &service{}
	s := open(t, nil, endpoint("a", a))
	for _, opts := range []crypto.SignerOpts{nil, crypto.Hash(0), crypto.SHA1, crypto.SHA384} {
		_, err := s.SignContext(t.Context(), digest(1), opts)
		require.Error(t, err, "%v", opts)
		require.NotErrorIs(t, err, remote.ErrUnavailable)
	}
	_, err := s.SignMessage(nil, digest(1), crypto.SHA1)
	require.Error(t, err)
	require.Zero(t, a.calls())
}

func TestNewRefuses(t *testing.T) {
	a := endpoint("a", &service{})
	for name, list := range map[string][]remote.Endpoint{
		"none": nil, "no name": {{Signer: &service{}}}, "no signer": {{Name: "a"}}, "twice": {a, a},
		"two keys": {a, endpoint("b", wrongKey())}, "negative": {{Name: "a", Signer: &service{}, InFlight: -1}},
	} {
		_, err := remote.New(list, nil)
		require.Error(t, err, name)
	}
	_, err := remote.New([]remote.Endpoint{a}, &remote.Options{Public: wrongKey().Public()})
	require.Error(t, err)
	_, err = remote.New([]remote.Endpoint{a}, &remote.Options{Timeout: -1})
	require.Error(t, err)
}

// A time-out without end is none that has ended.
func TestLongestTimeout(t *testing.T) {
	s := open(t, &remote.Options{Timeout: math.MaxInt64}, endpoint("a", &service{}))
	_, err := s.Sign(nil, digest(1), crypto.SHA256)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

func TestFailover(t *testing.T) {
	for name, break_ := range map[string]func(*service){
		"error":     func(s *service) { s.do = down },
		"hang":      func(s *service) { s.do = hang },
		"wrong key": func(s *service) { s.with = wrongKey() },
		"busy": func(s *service) {
			s.do = func(context.Context, int) error { return &remote.BusyError{After: time.Second} }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := &service{latency: time.Millisecond}, &service{latency: time.Millisecond}
				s := open(t, nil, endpoint("a", a), endpoint("b", b))
				together(t, 200, func(i int) {
					if i == 50 {
						a.mu.Lock()
						break_(a)
						a.mu.Unlock()
					}
					good(t, s, i)
				})
				require.NoError(t, s.Close())
				f := balanced(t, s)
				require.Equal(t, uint64(200), f.Asked)
				require.Equal(t, uint64(200), f.Endpoints[0].Signatures+f.Endpoints[1].Signatures)
			})
		})
	}
}

// together calls do n times from 16 goroutines.
func together(t *testing.T, n int, do func(i int)) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < n; i += 16 {
				do(i)
			}
		})
	}
	wg.Wait()
}

func TestWrongSignatureIsNotGivenOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &service{with: wrongKey()}
		s := open(t, nil, endpoint("a", a))
		_, err := s.SignContext(t.Context(), digest(1), crypto.SHA256)
		require.ErrorIs(t, err, remote.ErrSignature)
		require.ErrorIs(t, err, remote.ErrUnavailable)
		var where *remote.Error
		require.ErrorAs(t, err, &where)
		require.Equal(t, "a", where.Endpoint)
		require.NoError(t, s.Close())
		f := balanced(t, s)
		require.Zero(t, f.Endpoints[0].Signatures)
		require.Equal(t, f.Endpoints[0].Operations, f.Endpoints[0].Rejected)
	})
}

// An endpoint that went away rests, is probed by one operation at a time, with longer
// and longer pauses, and is used again when it is back.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &service{latency: time.Millisecond}
		s := open(t, &remote.Options{Patience: -1}, endpoint("a", a))
		good(t, s, 0)
		a.set(down)
		together(t, 200, func(i int) {
			_, err := s.SignContext(t.Context(), digest(i), crypto.SHA256)
			require.ErrorIs(t, err, remote.ErrUnavailable)
		})
		before := a.calls()
		require.Less(t, before, 100, "the endpoint was not left alone")
		require.False(t, s.Figures().Endpoints[0].InService)
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			_, err := s.SignContext(t.Context(), digest(1), crypto.SHA256)
			require.ErrorIs(t, err, remote.ErrUnavailable)
		}
		require.Less(t, a.calls()-before, 15, "probes in a minute")
		a.set(nil)
		begun := time.Now()
		require.Eventually(t, func() bool {
			_, err := s.SignContext(t.Context(), digest(1), crypto.SHA256)
			return err == nil
		}, guard, 100*time.Millisecond)
		require.LessOrEqual(t, time.Since(begun), 31*time.Second)
		good(t, s, 2)
		require.NoError(t, s.Close())
		balanced(t, s)
	})
}

// A short outage of the only endpoint costs no caller an error.
func TestShortOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &service{latency: 5 * time.Millisecond}
		s := open(t, nil, endpoint("a", a))
		begun := time.Now()
		a.set(func(context.Context, int) error {
			if d := time.Since(begun); d > 200*time.Millisecond && d < 300*time.Millisecond {
				return errDown
			}
			return nil
		})
		together(t, 2000, func(i int) { good(t, s, i) })
		require.NoError(t, s.Close())
		f := balanced(t, s)
		require.NotZero(t, f.Retries)
		require.NotZero(t, f.Endpoints[0].Rests)
		require.Equal(t, uint64(2000), f.Endpoints[0].Signatures)
	})
}

// A service that fails now and then stays in service; one that fails half of the time
// rests now and then.
func TestFlapping(t *testing.T) {
	for _, test := range []struct {
		every int
		rests bool
	}{{10, false}, {2, true}} {
		t.Run(fmt.Sprint(test.every), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &service{latency: time.Millisecond, do: func(_ context.Context, n int) error {
					if n%test.every == 0 {
						return errDown
					}
					return nil
				}}
				s := open(t, &remote.Options{RetryShare: 1}, endpoint("a", a))
				for i := range 300 {
					_, _ = s.SignContext(t.Context(), digest(i), crypto.SHA256)
				}
				f := balanced(t, s)
				require.Equal(t, test.rests, f.Endpoints[0].Rests > 0, "%+v", f)
				require.Greater(t, f.Endpoints[0].Signatures, uint64(250))
			})
		})
	}
}

// Retries are a share of what is asked, whatever fails.
func TestRetryBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &service{do: func(_ context.Context, n int) error {
			if n%3 == 0 { // seldom enough to stay in service
				return errDown
			}
			return nil
		}}
		s := open(t, &remote.Options{RetryShare: 0.1, RetryBurst: 5}, endpoint("a", a))
		failed := 0
		for i := range 1000 {
			if _, err := s.SignContext(t.Context(), digest(i), crypto.SHA256); err != nil {
				failed++
			}
		}
		f := s.Figures()
		require.LessOrEqual(t, f.Retries, uint64(5+100))
		require.Greater(t, f.Retries, uint64(90))
		require.Equal(t, uint64(failed), f.Denied)
		require.NotZero(t, failed)
		s = open(t, &remote.Options{RetryBurst: -1}, endpoint("a", &service{do: down}))
		_, err := s.SignContext(t.Context(), digest(1), crypto.SHA256)
		require.ErrorIs(t, err, errDown)
		require.Zero(t, s.Figures().Retries)
	})
}

func TestRefusalIsNotTriedAgain(t *testing.T) {
	refused := fmt.Errorf("%w: key disabled", remote.ErrRefused)
	a := &service{do: func(context.Context, int) error { return refused }}
	b := &service{do: a.do}
	s := open(t, nil, endpoint("a", a), endpoint("b", b))
	for range 10 {
		_, err := s.SignContext(t.Context(), digest(1), crypto.SHA256)
		require.ErrorIs(t, err, remote.ErrRefused)
		require.NotErrorIs(t, err, remote.ErrUnavailable)
	}
	require.Equal(t, 10, a.calls()+b.calls())
	for _, e := range s.Figures().Endpoints {
		require.True(t, e.InService)
	}
}

func TestBusyService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &service{latency: 10 * time.Millisecond}
		a.do = func(context.Context, int) error {
			a.mu.Lock()
			defer a.mu.Unlock()
			if a.inside > 6 {
				return &remote.BusyError{}
			}
			return nil
		}
		s := open(t, &remote.Options{RetryShare: 1, Tries: 8}, endpoint("a", a))
		together(t, 1000, func(i int) { good(t, s, i) })
		f := balanced(t, s)
		require.Less(t, f.Endpoints[0].Limit, 16)
		require.Zero(t, f.Endpoints[0].Rests)
	})
}

func TestLeastBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fast, slow := &service{latency: 10 * time.Millisecond}, &service{latency: 40 * time.Millisecond}
		s := open(t, nil, endpoint("fast", fast), endpoint("slow", slow))
		together(t, 1000, func(i int) { good(t, s, i) })
		require.Greater(t, fast.calls(), 2*slow.calls())
		require.NotZero(t, slow.calls())
	})
}

func TestInFlightIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &service{latency: 10 * time.Millisecond}
		s := open(t, nil, remote.Endpoint{Name: "a", Signer: a, InFlight: 3})
		begun := time.Now()
		together(t, 300, func(i int) { good(t, s, i) })
		require.Equal(t, 3, a.most)
		require.Equal(t, time.Second, time.Since(begun), "some places were not used")
	})
}

func TestCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &service{latency: time.Second}
		s := open(t, nil, remote.Endpoint{Name: "a", Signer: plain{a}, InFlight: 1})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		for range 3 { // one inside, two that wait for their turn
			wg.Go(func() {
				begun := time.Now()
				_, err := s.SignContext(ctx, digest(1), crypto.SHA256)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.NotErrorIs(t, err, remote.ErrUnavailable)
				require.Equal(t, 100*time.Millisecond, time.Since(begun))
			})
		}
		wg.Wait()
		_, err := s.SignContext(ctx, digest(1), crypto.SHA256)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		good(t, s, 2) // after the call that was left behind
		require.NoError(t, s.Close())
		f := balanced(t, s)
		require.Equal(t, 2, a.calls())
		require.Equal(t, uint64(1), f.Endpoints[0].Orphans)
		require.Zero(t, f.Endpoints[0].Rests)
	})
}

// Callers whose own deadlines are shorter than that of a try do not hide an endpoint
// that hangs, and those who cancel early do not blame one that works.
func TestImpatientCallers(t *testing.T) {
	for _, test := range []struct {
		wait  time.Duration
		rests bool
	}{{6 * time.Second, true}, {time.Second, false}} {
		synctest.Test(t, func(t *testing.T) {
			a := &service{do: hang}
			s := open(t, nil, endpoint("a", a))
			for range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), test.wait)
				_, err := s.SignContext(ctx, digest(1), crypto.SHA256)
				require.Error(t, err)
				cancel()
			}
			require.Equal(t, test.rests, s.Figures().Endpoints[0].Rests > 0)
		})
	}
}

// Calls that cannot be ended are counted and capped, and come back as orphans.
func TestStuckCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		a := &service{do: func(context.Context, int) error { <-let; return nil }}
		s := open(t, &remote.Options{Timeout: time.Second, MaxStuck: 2}, endpoint("a", plain{a}))
		for range 20 {
			_, err := s.SignContext(t.Context(), digest(1), crypto.SHA256)
			require.ErrorIs(t, err, remote.ErrUnavailable)
		}
		require.Equal(t, 2, a.calls())
		f := s.Figures().Endpoints[0]
		require.Equal(t, 2, f.Stuck)
		require.Equal(t, uint64(2), f.Timeouts)
		require.False(t, f.InService)

		a.set(nil)
		close(let)
		synctest.Wait()
		time.Sleep(time.Second)
		good(t, s, 1)
		require.NoError(t, s.Close())
		require.Equal(t, uint64(2), balanced(t, s).Endpoints[0].Orphans)
	})
}

// After Close nothing runs but calls that cannot be ended; the bubble of synctest fails
// when a goroutine is left over.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &service{latency: time.Second}
		s := open(t, nil, remote.Endpoint{Name: "a", Signer: a, InFlight: 1})
		var wg sync.WaitGroup
		answers := make(chan error, 3)
		for i := range 3 {
			wg.Go(func() {
				_, err := s.SignContext(t.Context(), digest(i), crypto.SHA256)
				answers <- err
			})
		}
		synctest.Wait()
		require.NoError(t, s.Close())
		wg.Wait()
		close(answers)
		closed := 0
		for err := range answers {
			if errors.Is(err, remote.ErrClosed) {
				closed++
			} else {
				require.NoError(t, err)
			}
		}
		require.Equal(t, 2, closed)
		_, err := s.SignContext(t.Context(), digest(1), crypto.SHA256)
		require.ErrorIs(t, err, remote.ErrClosed)
		require.NoError(t, s.Close())
		balanced(t, s)
	})
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		a := &service{do: func(context.Context, int) error { <-let; return nil }}
		s := open(t, &remote.Options{Timeout: time.Second}, endpoint("a", plain{a}))
		_, err := s.SignContext(t.Context(), digest(1), crypto.SHA256)
		require.Error(t, err)
		require.ErrorContains(t, s.Close(), "have not returned")
		close(let)
	})
}

func TestClosedInBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &service{do: down}
		s := open(t, &remote.Options{Tries: 20}, endpoint("a", a))
		done := make(chan error, 1)
		go func() {
			_, err := s.SignContext(t.Context(), digest(1), crypto.SHA256)
			done <- err
		}()
		synctest.Wait()
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-done, remote.ErrClosed)
	})
}

func TestEventsCarryNoInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := &service{do: down}
		s := open(t, &remote.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, endpoint("a", a))
		_, err := s.SignContext(t.Context(), digest(1), crypto.SHA256)
		require.Error(t, err)
		a.set(nil)
		time.Sleep(time.Minute)
		good(t, s, 1)
		require.NoError(t, s.Close())
		require.Contains(t, log.String(), "endpoint rests")
		require.Contains(t, log.String(), "in service again")
		require.NotContains(t, log.String(), fmt.Sprintf("%x", digest(1)))
	})
}

// Faults of all kinds come and go; afterwards everything works again and every
// signature that was handed out is good.
func TestFaultsComeAndGo(t *testing.T) {
	faults := []func(context.Context, int) error{nil, down, hang,
		func(context.Context, int) error { return &remote.BusyError{After: 50 * time.Millisecond} },
		func(_ context.Context, n int) error {
			if n%2 == 0 {
				return errDown
			}
			return nil
		},
	}
	synctest.Test(t, func(t *testing.T) {
		services := []*service{{latency: 5 * time.Millisecond}, {latency: 9 * time.Millisecond}, {latency: 2 * time.Millisecond}}
		s := open(t, &remote.Options{Timeout: 200 * time.Millisecond},
			endpoint("a", services[0]), endpoint("b", plain{services[1]}), endpoint("c", services[2]))
		end := time.Now().Add(40 * time.Second)
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := 0; time.Now().Before(end); i++ {
				f := faults[i*7%len(faults)]
				if i%3 == 1 && i*7%len(faults) == 2 {
					f = down // a plain signer cannot hang for ever here
				}
				services[i%3].set(f)
				time.Sleep(700 * time.Millisecond)
			}
			for _, a := range services {
				a.set(nil)
			}
		})
		for w := range 8 {
			wg.Go(func() {
				for i := w; time.Now().Before(end); i += 8 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%50)*20*time.Millisecond)
					sig, err := s.SignContext(ctx, digest(i), crypto.SHA256)
					cancel()
					if err == nil && !ecdsa.VerifyASN1(&key().PublicKey, digest(i), sig) {
						t.Error("a wrong signature was handed out")
					}
					time.Sleep(25 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Minute)
		for i := range 100 {
			good(t, s, i)
		}
		require.NoError(t, s.Close())
		f := balanced(t, s)
		for _, e := range f.Endpoints {
			require.True(t, e.InService, "%+v", e)
		}
	})
}

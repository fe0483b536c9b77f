//go:build cgo

package pkcs11_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/pkcs11"
)

// pins gives the PINs of a list, the last one again and again.
func pins(list ...string) func(context.Context, pkcs11.TokenConfig) ([]byte, error) {
	var mu sync.Mutex
	return func(context.Context, pkcs11.TokenConfig) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		next := list[0]
		if len(list) > 1 {
			list = list[1:]
		}
		return []byte(next), nil
	}
}

func TestAWrongPINIsTriedOnce(t *testing.T) {
	f, m := openFaulty(t, nil)
	cfg := config("p256", "one")
	cfg.PIN = pins("9999")
	_, err := m.Signer(context.Background(), cfg)
	require.ErrorIs(t, err, pkcs11.ErrPIN)
	require.Equal(t, 1, f.count("Login"))
	signOnce(t, openSigner(t, m, config("p256", "one")))
}

// The PIN is changed while the login is there: when the login is lost, the new one
// is tried once, however many callers come.
func TestAPINThatBecameWrongIsTriedOnce(t *testing.T) {
	now := newClock()
	f, m := openFaulty(t, &pkcs11.Options{Sessions: 4, Now: now.Now})
	cfg := config("p256", "one")
	cfg.PIN = pins(pin, "9999")
	s := openSigner(t, m, cfg)
	signOnce(t, s)
	require.NoError(t, f.CloseAllSessions(f.slots()[0]))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 4 {
				_, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
				if !errors.Is(err, pkcs11.ErrPIN) && !errors.Is(err, pkcs11.ErrUnavailable) {
					t.Errorf("ErrPIN expected, got %v", err)
				}
				now.move(time.Minute)
			}
		})
	}
	wg.Wait()
	_, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
	require.ErrorIs(t, err, pkcs11.ErrPIN)
	require.Equal(t, 2, f.count("Login"))
	_, err = m.Signer(context.Background(), config("rsa", "one"))
	require.ErrorIs(t, err, pkcs11.ErrPIN, "the token takes no PIN any more")
	require.Equal(t, 2, f.count("Login"))
	require.NoError(t, s.Close())
	signOnce(t, openSigner(t, m, config("p256", "one")))
}

func TestOneLoginForAll(t *testing.T) {
	f, m := openFaulty(t, &pkcs11.Options{Sessions: 4})
	s := openSigner(t, m, config("p256", "one"))
	burst(t, s, 8, 4)
	require.NoError(t, f.CloseAllSessions(f.slots()[0]))
	burst(t, s, 32, 4)
	require.Equal(t, 2, f.count("Login"))
}

func TestASecondSignerNeedsTheSamePIN(t *testing.T) {
	f, m := openFaulty(t, nil)
	first := openSigner(t, m, config("p256", "one"))
	cfg := config("rsa", "one")
	cfg.PIN = pins("9999")
	_, err := m.Signer(context.Background(), cfg)
	require.ErrorIs(t, err, pkcs11.ErrPIN)
	require.Equal(t, 1, f.count("Login"), "the token was asked")
	second := openSigner(t, m, config("rsa", "one"))
	require.Len(t, m.Figures().Tokens, 1)
	signOnce(t, second)
	require.NoError(t, second.Close())
	signOnce(t, first)
	_, err = second.SignContext(context.Background(), digest(1), crypto.SHA256)
	require.ErrorIs(t, err, pkcs11.ErrClosed)
	require.NoError(t, first.Close())
	require.Empty(t, f.slots(), "sessions are left")
}

func TestThePINIsNotLogged(t *testing.T) {
	var mu sync.Mutex
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(lockedWriter{&mu, &out}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f, m := openFaulty(t, &pkcs11.Options{Logger: log})
	cfg := config("p256", "one")
	cfg.PIN = pins("424242")
	_, err := m.Signer(context.Background(), cfg)
	require.ErrorIs(t, err, pkcs11.ErrPIN)
	require.NotContains(t, err.Error(), "424242")
	given := []byte(pin)
	cfg.PIN = func(context.Context, pkcs11.TokenConfig) ([]byte, error) { return given, nil }
	s := openSigner(t, m, cfg)
	require.Equal(t, make([]byte, len(pin)), given, "the PIN was not overwritten")
	f.once("Sign", p11.Error(p11.CKR_SESSION_CLOSED))
	signOnce(t, s)
	mu.Lock()
	defer mu.Unlock()
	require.Contains(t, out.String(), "refused")
	require.NotContains(t, out.String(), "424242")
}

type lockedWriter struct {
	mu  *sync.Mutex
	out *bytes.Buffer
}

func (w lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(b)
}

// hang makes calls of C_Sign on a slot wait; zero is any slot.
func hang(f *faulty, slot uint) (release func()) {
	gate := make(chan struct{})
	f.set(func(call string, at uint) error {
		if call == "Sign" && (slot == 0 || at == slot) {
			<-gate
		}
		return nil
	})
	return sync.OnceFunc(func() { close(gate) })
}

func TestStuckCallsAreCountedAndCapped(t *testing.T) {
	f, m := openFaulty(t, &pkcs11.Options{Sessions: 4, MaxStuck: 2, Timeout: time.Second})
	s := openSigner(t, m, config("p256", "one"))
	signOnce(t, s)
	release := hang(f, 0)
	defer release()
	for range 2 {
		_, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, pkcs11.ErrUnavailable)
	}
	require.Equal(t, 2, only(m).Stuck)
	for range 100 {
		_, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
		require.ErrorIs(t, err, pkcs11.ErrUnavailable)
	}
	require.Equal(t, 3, f.count("Sign"), "a token with enough stuck calls was asked")
	release()
	require.Eventually(t, func() bool { return only(m).Stuck == 0 }, guard, time.Millisecond)
	require.Equal(t, uint64(2), only(m).Orphans)
	signOnce(t, s)
}

// A caller that goes before its time leaves an orphan, and no stuck call.
func TestACallerThatLeaves(t *testing.T) {
	f, m := openFaulty(t, &pkcs11.Options{Sessions: 2, Timeout: guard})
	s := openSigner(t, m, config("p256", "one"))
	release := hang(f, 0)
	defer release()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := s.SignContext(ctx, digest(1), crypto.SHA256)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("context.Canceled expected, got %v", err)
			}
		})
	}
	require.Eventually(t, func() bool { return f.count("Sign") == 2 && only(m).Waiting == 6 }, guard, time.Millisecond)
	cancel()
	wg.Wait()
	require.Zero(t, only(m).Stuck)
	require.Zero(t, only(m).Waiting)
	release()
	require.Eventually(t, func() bool { return only(m).Busy == 0 && only(m).Orphans == 2 }, guard, time.Millisecond)
	require.Zero(t, only(m).Timeouts)
	signOnce(t, s)
}

func TestAStuckTokenIsLeftForAnother(t *testing.T) {
	f, m := openFaulty(t, &pkcs11.Options{Sessions: 4, MaxStuck: 2, Timeout: time.Second})
	s := openSigner(t, m, config("p256", "one", "two"))
	burst(t, s, 8, 4)
	release := hang(f, f.slots()[0])
	defer release()
	burst(t, s, 8, 8)
	release()
	require.Eventually(t, func() bool {
		f := m.Figures()
		return f.Tokens[0].Busy == 0 && f.Tokens[1].Busy == 0
	}, guard, time.Millisecond)
}

// A module with a call inside is not finalized, neither to close it nor to repair it.
func TestNoFinalizeWithACallInside(t *testing.T) {
	f := newFaulty(t)
	m, err := pkcs11.OpenLibrary(f, &pkcs11.Options{Timeout: 300 * time.Millisecond, MaxStuck: 4})
	require.NoError(t, err)
	s := openSigner(t, m, config("p256", "one"))
	release := hang(f, 0)
	defer release()
	_, err = s.SignContext(context.Background(), digest(1), crypto.SHA256)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, m.Close(), pkcs11.ErrUnavailable)
	require.Zero(t, f.count("Finalize"))
	_, err = s.SignContext(context.Background(), digest(1), crypto.SHA256)
	require.ErrorIs(t, err, pkcs11.ErrClosed)
	release()
	require.Eventually(t, func() bool { return m.Figures().Inside == 0 }, guard, time.Millisecond)
	require.NoError(t, f.Cryptoki.Finalize())
}

func TestKeysThatAreNotTheRightOnes(t *testing.T) {
	_, m := openFaulty(t, nil)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	odd, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	for name, change := range map[string]func(*pkcs11.KeyConfig){
		"no such label":          func(c *pkcs11.KeyConfig) { c.Label = "nothing" },
		"label of another key":   func(c *pkcs11.KeyConfig) { c.Label = "rsa" },
		"another public key":     func(c *pkcs11.KeyConfig) { c.Public = stranger.Public() },
		"public key not known":   func(c *pkcs11.KeyConfig) { c.Public = odd.Public() },
		"more than one key fits": func(c *pkcs11.KeyConfig) { c.ID, c.Label = keyIDs["twice"], "" },
	} {
		cfg := config("p256", "one", "two")
		change(cfg)
		_, err := m.Signer(context.Background(), cfg)
		require.ErrorIs(t, err, pkcs11.ErrKey, name)
	}
	require.Empty(t, m.Figures().Tokens, "a token is still open")

	cfg := config("p256", "one", "two")
	cfg.Public = openSigner(t, m, config("p256", "one")).Public()
	cfg.ID = nil
	signOnce(t, openSigner(t, m, cfg))
	for _, cfg := range []*pkcs11.KeyConfig{
		nil, {}, {Tokens: []pkcs11.TokenConfig{{}}, Label: "p256", PIN: ask}, config("p256"), config("p256", "one", "one"),
		{Tokens: []pkcs11.TokenConfig{{Label: "one"}}, Label: "p256"}, {Tokens: []pkcs11.TokenConfig{{Label: "one"}}, PIN: ask},
	} {
		_, err := m.Signer(context.Background(), cfg)
		require.Error(t, err)
	}
}

func TestATokenByItsSerialNumber(t *testing.T) {
	_, m := openFaulty(t, nil)
	openSigner(t, m, config("p256", "one"))
	cfg := config("p256")
	cfg.Tokens = []pkcs11.TokenConfig{{Serial: only(m).Serial}}
	signOnce(t, openSigner(t, m, cfg))
	require.Len(t, m.Figures().Tokens, 1, "one object for one token")
	cfg.Tokens = append(cfg.Tokens, pkcs11.TokenConfig{Label: "one"})
	_, err := m.Signer(context.Background(), cfg)
	require.ErrorContains(t, err, "twice")
}

func TestAModuleIsOpenedOnce(t *testing.T) {
	need(t)
	m, err := pkcs11.OpenModule(library(), nil)
	require.NoError(t, err)
	_, err = pkcs11.OpenModule(library(), nil)
	require.ErrorContains(t, err, "ALREADY_INITIALIZED")
	s := openSigner(t, m, config("p256", "one"))
	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
	_, err = s.Sign(nil, digest(1), crypto.SHA256)
	require.ErrorIs(t, err, pkcs11.ErrClosed)
	require.NoError(t, s.Close())
	_, err = pkcs11.OpenModule("/nonexistent/library.so", nil)
	require.ErrorContains(t, err, "cannot be loaded")
	_, err = m.Signer(context.Background(), config("p256", "one"))
	require.ErrorIs(t, err, pkcs11.ErrClosed)
}

func TestOptionsAreChecked(t *testing.T) {
	for _, opt := range []pkcs11.Options{{Sessions: -1}, {MaxStuck: -1}, {Timeout: -1}} {
		_, err := pkcs11.OpenLibrary(nil, &opt)
		require.ErrorContains(t, err, "negative")
	}
}

//go:build cgo

package pkcs11_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/pkcs11"
)

// afterwards is how many documents are stamped after a fault, all at the first try.
const afterwards = 200

// An outage is a fault under load, with a ledger over the token.
type outage struct {
	hsm    *hsm
	lib    *faulty
	module *pkcs11.Module
	portal *portal
}

// underLoad stamps documents while the fault happens, until it has ended and some
// more are stamped; then, without the fault, 200 of 200 at the first try. Afterwards
// the ledger has one unit and one number for each document, and no session and no
// goroutine is left.
func underLoad(t *testing.T, opt *pkcs11.Options, tokens []string, fault func(*outage)) *outage {
	t.Helper()
	h := newHSM(t, tokens...)
	f, m := openFaulty(t, opt)
	s := openSigner(t, m, h.config(tokens...))
	o := &outage{hsm: h, lib: f, module: m, portal: newPortal(t, s, 1_000_000)}
	var stop atomic.Bool
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		o.portal.stampWhile(t, func() bool { return !stop.Load() })
	}()
	end := func() { stop.Store(true); <-loaded }
	defer end()
	o.stamped(t, 30)
	fault(o)
	ended := time.Now()
	o.stamped(t, 30)
	end()
	t.Logf("%d tries failed while the fault lasted; first stamp %v after it", o.portal.failed.Load(), o.portal.firstAfter(ended))
	failed := o.portal.failed.Load()
	o.portal.stampAll(t, afterwards)
	require.Equal(t, failed, o.portal.failed.Load(), "tries failed after the fault")
	o.portal.settled(t)
	require.NoError(t, s.Close())
	require.Empty(t, f.slots(), "sessions are left")
	return o
}

// stamped waits until so many more documents are stamped.
func (o *outage) stamped(t testing.TB, more int64) {
	t.Helper()
	was := o.portal.stamped.Load()
	require.Eventually(t, func() bool { return o.portal.stamped.Load() >= was+more }, guard, time.Millisecond)
}

// noticed waits until a try has failed.
func (o *outage) noticed(t testing.TB) {
	t.Helper()
	was := o.portal.failed.Load()
	require.Eventually(t, func() bool { return o.portal.failed.Load() > was }, guard, time.Millisecond)
}

var oneToken = []string{"main"}

func TestOutageSessionsClosed(t *testing.T) {
	o := underLoad(t, nil, oneToken, func(o *outage) {
		slot, _ := slotOf(t, o.lib, "main")
		for range 5 {
			require.NoError(t, o.lib.CloseAllSessions(slot))
			o.stamped(t, 10)
		}
	})
	require.Zero(t, o.portal.failed.Load(), "callers noticed")
}

// The login belongs to the process: a logout in any session ends it for all.
func TestOutageLoginLost(t *testing.T) {
	o := underLoad(t, nil, oneToken, func(o *outage) {
		slot, _ := slotOf(t, o.lib, "main")
		session, err := o.lib.Cryptoki.OpenSession(slot, p11.CKF_SERIAL_SESSION)
		require.NoError(t, err)
		for range 5 {
			o.lib.apart.Lock()
			err := o.lib.Logout(session)
			o.lib.apart.Unlock()
			require.NoError(t, err)
			o.stamped(t, 10)
		}
		require.NoError(t, o.lib.Cryptoki.CloseSession(session))
	})
	require.Zero(t, o.portal.failed.Load(), "callers noticed")
}

// SoftHSM shows a token whose folder is gone as one without keys.
func TestOutageTokenRemoved(t *testing.T) {
	o := underLoad(t, nil, oneToken, func(o *outage) {
		back := o.hsm.remove(t, "main")
		o.noticed(t)
		back()
	})
	require.NotZero(t, o.module.Figures().Restarts)
}

func TestOutageTokenInitializedAgain(t *testing.T) {
	underLoad(t, nil, oneToken, func(o *outage) {
		o.hsm.util(t, "--init-token", "--token", "main", "--label", "main", "--pin", pin, "--so-pin", "5678")
		o.noticed(t)
		o.hsm.load(t, "main", o.hsm.file)
	})
}

// Another token with the same label and key comes in the place of the first: a spare.
func TestOutageTokenReplaced(t *testing.T) {
	underLoad(t, nil, oneToken, func(o *outage) {
		_, was := slotOf(t, o.lib, "main")
		o.hsm.remove(t, "main")
		o.noticed(t)
		o.hsm.create(t, "main")
		o.stamped(t, 1)
		_, is := slotOf(t, o.lib, "main")
		require.NotEqual(t, was.SerialNumber, is.SerialNumber)
	})
}

// Another process puts another key behind the label: no stamp is signed with it.
func TestOutageWrongKey(t *testing.T) {
	underLoad(t, nil, oneToken, func(o *outage) {
		wrong, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		initialize := []string{"--init-token", "--token", "main", "--label", "main", "--pin", pin, "--so-pin", "5678"}
		o.hsm.util(t, initialize...)
		o.hsm.load(t, "main", o.hsm.write(t, t.TempDir(), "wrong.pem", wrong))
		o.noticed(t)
		stamped := o.portal.stamped.Load()
		o.noticed(t)
		o.noticed(t)
		require.Equal(t, stamped, o.portal.stamped.Load())
		o.hsm.util(t, initialize...)
		o.hsm.load(t, "main", o.hsm.file)
	})
}

// The library signs with another key than the one whose handle it gets.
func TestOutageWrongKeyBehindTheHandle(t *testing.T) {
	underLoad(t, nil, oneToken, func(o *outage) {
		other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		file := o.hsm.write(t, t.TempDir(), "other.pem", other)
		o.hsm.util(t, "--import", file, "--token", "main", "--pin", pin, "--label", "other", "--id", "02")
		slot, _ := slotOf(t, o.lib, "main")
		swapKeys(t, o.lib, slot, "e-seal", "other")
		require.Eventually(t, func() bool { return only(o.module).Rejected > 0 }, guard, time.Millisecond)
		o.lib.mu.Lock()
		defer o.lib.mu.Unlock()
		o.lib.swap = nil
	})
}

func TestOutageOneOfTwoTokens(t *testing.T) {
	o := underLoad(t, nil, []string{"main", "spare"}, func(o *outage) {
		back := o.hsm.remove(t, "spare")
		o.stamped(t, 60)
		back()
		back = o.hsm.remove(t, "main")
		o.stamped(t, 60)
		back()
	})
	require.Zero(t, o.portal.failed.Load(), "stamps failed")
}

// Calls that do not come back keep their sessions; the other token goes on.
func TestOutageHangingCalls(t *testing.T) {
	opt := &pkcs11.Options{Sessions: 4, MaxStuck: 2, Timeout: time.Second}
	o := underLoad(t, opt, []string{"main", "spare"}, func(o *outage) {
		slot, _ := slotOf(t, o.lib, "main")
		release := hang(o.lib, slot)
		require.Eventually(t, func() bool { return o.stuck() > 0 }, guard, time.Millisecond)
		o.stamped(t, 60)
		release()
		require.Eventually(t, func() bool { return o.stuck() == 0 }, guard, time.Millisecond)
	})
	require.Zero(t, o.portal.failed.Load(), "stamps failed")
}

// stuck says how many calls are stuck in all tokens.
func (o *outage) stuck() (n int) {
	for _, tf := range o.module.Figures().Tokens {
		n += tf.Stuck
	}
	return n
}

// A PIN that became wrong is tried once, and the token's own counter says so.
func TestOutageWrongPIN(t *testing.T) {
	h := newHSM(t, "main")
	f, m := openFaulty(t, nil)
	cfg := h.config("main")
	cfg.PIN = pins(pin, "9999")
	s := openSigner(t, m, cfg)
	signOnce(t, s)
	slot, info := slotOf(t, f, "main")
	require.Zero(t, info.Flags&p11.CKF_USER_PIN_COUNT_LOW)
	require.NoError(t, f.CloseAllSessions(slot))
	for range 20 {
		_, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
		require.True(t, errors.Is(err, pkcs11.ErrPIN) || errors.Is(err, pkcs11.ErrUnavailable), "%v", err)
	}
	require.Equal(t, uint64(2), only(m).Logins, "one that was right, one that was wrong")
	_, info = slotOf(t, f, "main")
	require.NotZero(t, info.Flags&p11.CKF_USER_PIN_COUNT_LOW, "the token has seen a wrong PIN")
	require.Zero(t, info.Flags&(p11.CKF_USER_PIN_FINAL_TRY|p11.CKF_USER_PIN_LOCKED), "the token would lock")
	require.NoError(t, s.Close())
	signOnce(t, openSigner(t, m, h.config("main")))
	_, info = slotOf(t, f, "main")
	require.Zero(t, info.Flags&p11.CKF_USER_PIN_COUNT_LOW)
}

//go:build cgo

package pkcs11_test

import (
	"context"
	"crypto"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/pkcs11"
)

// signOnce signs and checks.
func signOnce(t testing.TB, s *pkcs11.Signer) {
	t.Helper()
	sig, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
	require.NoError(t, err)
	checkSignature(t, s.Public(), digest(1), sig)
}

func only(m *pkcs11.Module) pkcs11.TokenFigures { return m.Figures().Tokens[0] }

func TestEachErrorIsRepaired(t *testing.T) {
	type figures struct{ retries, logins, closed, failures, repairs uint64 }
	session := figures{1, 1, 1, 0, 0}
	device := figures{1, 2, 2, 1, 1}
	for _, c := range []struct {
		code p11.Error
		call string
		want figures
	}{
		{p11.CKR_SESSION_HANDLE_INVALID, "SignInit", session},
		{p11.CKR_SESSION_HANDLE_INVALID, "Sign", session},
		{p11.CKR_SESSION_CLOSED, "Sign", session},
		{p11.CKR_OPERATION_NOT_INITIALIZED, "Sign", session},
		{p11.CKR_OPERATION_ACTIVE, "SignInit", session},
		{p11.CKR_USER_NOT_LOGGED_IN, "SignInit", figures{1, 2, 0, 0, 0}},
		{p11.CKR_KEY_HANDLE_INVALID, "SignInit", figures{1, 1, 0, 0, 0}},
		{p11.CKR_OBJECT_HANDLE_INVALID, "SignInit", figures{1, 1, 0, 0, 0}},
		{p11.CKR_HOST_MEMORY, "SignInit", session},
		{p11.CKR_FUNCTION_FAILED, "Sign", session},
		{p11.CKR_DEVICE_ERROR, "Sign", device},
		{p11.CKR_DEVICE_REMOVED, "SignInit", device},
		{p11.CKR_TOKEN_NOT_PRESENT, "SignInit", device},
		{p11.CKR_GENERAL_ERROR, "Sign", device},
	} {
		t.Run(c.code.Error()+" "+c.call, func(t *testing.T) {
			f, m := openFaulty(t, nil)
			s := openSigner(t, m, config("p256", "one"))
			signOnce(t, s)
			found := f.count("FindObjectsInit")
			f.once(c.call, c.code)
			signOnce(t, s)
			got := only(m)
			require.Equal(t, c.want, figures{got.Retries, got.Logins, got.SessionsClosed, got.Failures, got.Repairs})
			require.Equal(t, uint64(2), got.Signatures)
			require.True(t, got.InService)
			if c.code == p11.CKR_KEY_HANDLE_INVALID {
				require.Greater(t, f.count("FindObjectsInit"), found, "the key was not found again")
			}
			signOnce(t, s)
			require.Equal(t, c.want.logins, only(m).Logins)
		})
	}
}

func TestWhatCannotBeRepairedIsSaidAtOnce(t *testing.T) {
	f, m := openFaulty(t, nil)
	s := openSigner(t, m, config("p256", "one"))
	f.once("SignInit", p11.Error(p11.CKR_MECHANISM_INVALID))
	_, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
	var e *pkcs11.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "CKR_MECHANISM_INVALID", e.Name())
	require.Equal(t, "C_SignInit", e.Op)
	require.NotErrorIs(t, err, pkcs11.ErrUnavailable)
	require.Equal(t, 1, f.count("SignInit"))
}

func TestAnErrorThatStaysEnds(t *testing.T) {
	for _, code := range []p11.Error{p11.CKR_SESSION_HANDLE_INVALID, p11.CKR_KEY_HANDLE_INVALID, p11.CKR_USER_NOT_LOGGED_IN, p11.CKR_HOST_MEMORY} {
		t.Run(code.Error(), func(t *testing.T) {
			f, m := openFaulty(t, nil)
			s := openSigner(t, m, config("p256", "one"))
			f.set(func(call string, _ uint) error {
				if call == "SignInit" {
					return code
				}
				return nil
			})
			_, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
			require.ErrorIs(t, err, pkcs11.ErrUnavailable)
			require.Equal(t, 4, f.count("SignInit"))
			f.set(nil)
			signOnce(t, s)
		})
	}
}

// All sessions are closed from outside while 32 callers sign on 4 sessions, which
// ends the login too. Nobody notices.
func TestAllSessionsClosedUnderLoad(t *testing.T) {
	f, m := openFaulty(t, &pkcs11.Options{Sessions: 4})
	s := openSigner(t, m, config("p256", "one"))
	slot := f.slots()[0]
	var signs, closed atomic.Int64
	f.set(func(call string, _ uint) error {
		if call == "SignInit" && signs.Add(1)%200 == 0 {
			closed.Add(1)
			return f.CloseAllSessions(slot)
		}
		return nil
	})
	burst(t, s, 32, 30)
	require.GreaterOrEqual(t, closed.Load(), int64(4))
	got := only(m)
	require.Equal(t, uint64(960), got.Signatures)
	require.LessOrEqual(t, got.Logins, uint64(closed.Load())+1, "one login for each loss")
	require.GreaterOrEqual(t, got.Logins, uint64(2))
}

func TestTheModuleIsFinalizedByOthers(t *testing.T) {
	f, m := openFaulty(t, &pkcs11.Options{Sessions: 4})
	s := openSigner(t, m, config("p256", "one"))
	signOnce(t, s)
	require.NoError(t, f.Cryptoki.Finalize())
	f.mu.Lock()
	clear(f.open)
	f.mu.Unlock()
	burst(t, s, 8, 5)
	require.Equal(t, uint64(1), m.Figures().Restarts)
	require.Equal(t, uint64(2), only(m).Logins)
}

// removed makes a token fail in every call until it is given back.
func removed(f *faulty, slot uint) (back func()) {
	f.set(func(call string, at uint) error {
		switch call {
		case "SignInit", "Sign", "OpenSession", "GetSessionInfo", "CloseAllSessions":
			if at == slot {
				return p11.Error(p11.CKR_DEVICE_REMOVED)
			}
		}
		return nil
	})
	return func() { f.set(nil) }
}

func TestTokenRemovedAndReturned(t *testing.T) {
	now := newClock()
	f, m := openFaulty(t, &pkcs11.Options{Now: now.Now})
	s := openSigner(t, m, config("p256", "one"))
	signOnce(t, s)
	back := removed(f, f.slots()[0])
	_, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
	require.ErrorIs(t, err, pkcs11.ErrUnavailable)
	require.False(t, only(m).InService)

	calls := f.count("OpenSession") + f.count("SignInit")
	for range 50 {
		_, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
		require.ErrorIs(t, err, pkcs11.ErrUnavailable)
	}
	require.Equal(t, calls, f.count("OpenSession")+f.count("SignInit"), "a token out of service was asked")

	for range 5 { // the pause grows with each repair that fails
		now.move(time.Minute)
		_, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
		require.ErrorIs(t, err, pkcs11.ErrUnavailable)
	}
	back()
	now.move(29 * time.Second)
	repairs := only(m).Repairs
	_, err = s.SignContext(context.Background(), digest(1), crypto.SHA256)
	if err != nil { // not due yet
		require.ErrorIs(t, err, pkcs11.ErrUnavailable)
		require.Equal(t, repairs, only(m).Repairs)
	}
	now.move(time.Second)
	signOnce(t, s)
	require.True(t, only(m).InService)
}

func TestAnotherTokenTakesOver(t *testing.T) {
	now := newClock()
	f, m := openFaulty(t, &pkcs11.Options{Sessions: 4, Now: now.Now})
	s := openSigner(t, m, config("p256", "one", "two"))
	burst(t, s, 16, 20)
	for _, tf := range m.Figures().Tokens {
		require.Greater(t, tf.Signatures, uint64(50), "%s has too small a share", tf.Label)
	}
	slots := f.slots()
	require.Len(t, slots, 2)
	back := removed(f, slots[0])
	burst(t, s, 16, 20)
	// The repair that fails comes to an end by itself.
	out := func() (n int) {
		for _, tf := range m.Figures().Tokens {
			if !tf.InService && tf.Repairs > 0 {
				n++
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return out() == 1 }, guard, time.Millisecond)
	back()
	now.move(time.Hour)
	burst(t, s, 4, 4)
	require.Eventually(t, func() bool { return out() == 0 }, guard, time.Millisecond)
	signed := m.Figures()
	burst(t, s, 16, 20)
	for i, tf := range m.Figures().Tokens {
		require.Greater(t, tf.Signatures, signed.Tokens[i].Signatures, "%s does not sign again", tf.Label)
	}
}

func TestATokenThatIsDownAtTheStart(t *testing.T) {
	now := newClock()
	_, m := openFaulty(t, &pkcs11.Options{Now: now.Now})
	s := openSigner(t, m, config("p256", "one", "missing"))
	signOnce(t, s)
	signOnce(t, s)
	_, err := m.Signer(context.Background(), config("p256", "missing"))
	require.ErrorIs(t, err, pkcs11.ErrUnavailable)
}

// The token has one session less than the second caller needs: it waits for the
// first one's, and later there may be more again.
func TestFewerSessionsThanWanted(t *testing.T) {
	now := newClock()
	f, m := openFaulty(t, &pkcs11.Options{Sessions: 8, Now: now.Now})
	s := openSigner(t, m, config("p256", "one"))
	gate := make(chan struct{})
	f.set(func(call string, _ uint) error {
		f.mu.Lock()
		full := len(f.open) >= 2
		f.mu.Unlock()
		switch {
		case call == "OpenSession" && full:
			return p11.Error(p11.CKR_SESSION_COUNT)
		case call == "Sign":
			<-gate
		}
		return nil
	})
	var wg sync.WaitGroup
	for n := range 2 {
		wg.Go(func() {
			if _, err := s.SignContext(context.Background(), digest(1), crypto.SHA256); err != nil {
				t.Error(err)
			}
		})
		require.Eventually(t, func() bool { return only(m).Busy+only(m).Waiting == n+1 }, guard, time.Millisecond)
	}
	require.Eventually(t, func() bool { return only(m).Limit == 1 && only(m).Waiting == 1 }, guard, time.Millisecond)
	close(gate)
	wg.Wait()
	f.set(nil)
	now.move(time.Hour)
	signOnce(t, s)
	require.Equal(t, 2, only(m).Limit)
}

func TestWrongSignaturesAreRefused(t *testing.T) {
	now := newClock()
	f, m := openFaulty(t, &pkcs11.Options{Now: now.Now})
	s := openSigner(t, m, config("p256", "one"))
	signOnce(t, s)
	f.mu.Lock()
	f.alter = func(sig []byte) { sig[5] ^= 1 }
	f.mu.Unlock()
	_, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
	require.ErrorIs(t, err, pkcs11.ErrSignature)
	require.Equal(t, uint64(2), only(m).Rejected, "one try after the repair, no more")
	f.mu.Lock()
	f.alter = nil
	f.mu.Unlock()
	now.move(time.Hour)
	signOnce(t, s)
}

// Another key is behind the handle: with one token that is an error, with two the
// other one signs.
func TestWrongKeyBehindTheHandle(t *testing.T) {
	for _, tokens := range [][]string{{"one"}, {"one", "two"}} {
		t.Run(strings.Join(tokens, " "), func(t *testing.T) {
			f, m := openFaulty(t, nil)
			s := openSigner(t, m, config("p256", tokens...))
			swapKeys(t, f, f.slots()[0], "p256", "other")
			for range 4 {
				sig, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
				if len(tokens) == 2 {
					require.NoError(t, err)
					checkSignature(t, s.Public(), digest(1), sig)
					continue
				}
				require.True(t, errors.Is(err, pkcs11.ErrSignature) || errors.Is(err, pkcs11.ErrUnavailable), "%v", err)
				require.Nil(t, sig)
			}
			rejected := uint64(0)
			for _, tf := range m.Figures().Tokens {
				rejected += tf.Rejected
			}
			require.NotZero(t, rejected)
		})
	}
}

// swapKeys has the library sign with one key in the place of another.
func swapKeys(t *testing.T, f *faulty, slot uint, labels ...string) {
	t.Helper()
	session, err := f.Cryptoki.OpenSession(slot, p11.CKF_SERIAL_SESSION)
	require.NoError(t, err)
	var handles []p11.ObjectHandle
	for _, label := range labels {
		require.NoError(t, f.Cryptoki.FindObjectsInit(session, []*p11.Attribute{
			p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY), p11.NewAttribute(p11.CKA_LABEL, label)}))
		found, _, err := f.Cryptoki.FindObjects(session, 2)
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.NoError(t, f.Cryptoki.FindObjectsFinal(session))
		handles = append(handles, found[0])
	}
	require.NoError(t, f.Cryptoki.CloseSession(session))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.swap = map[p11.ObjectHandle]p11.ObjectHandle{handles[0]: handles[1]}
}

//go:build cgo

package pkcs11_test

import (
	"context"
	"crypto"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/pkcs11"
)

// faults are what a random fault may be.
var faults = []p11.Error{
	p11.CKR_SESSION_HANDLE_INVALID, p11.CKR_SESSION_CLOSED, p11.CKR_OPERATION_ACTIVE, p11.CKR_USER_NOT_LOGGED_IN,
	p11.CKR_KEY_HANDLE_INVALID, p11.CKR_DEVICE_ERROR, p11.CKR_DEVICE_REMOVED, p11.CKR_GENERAL_ERROR,
	p11.CKR_CRYPTOKI_NOT_INITIALIZED, p11.CKR_SESSION_COUNT, p11.CKR_HOST_MEMORY, p11.CKR_FUNCTION_FAILED,
}

// shake makes one call in ten fail, closes all sessions now and then, and spoils one
// signature in fifty. The clock moves with each call.
func shake(f *faulty, now *clock, seed uint64) {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	pick := func(percent int) (p11.Error, bool) {
		mu.Lock()
		defer mu.Unlock()
		return faults[random.IntN(len(faults))], random.IntN(100) < percent
	}
	f.set(func(call string, slot uint) error {
		now.move(time.Millisecond)
		if code, hit := pick(10); hit && call != "Finalize" && call != "Initialize" {
			return code
		}
		if _, hit := pick(1); hit && call == "SignInit" {
			return f.CloseAllSessions(slot)
		}
		return nil
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.alter = func(sig []byte) {
		if _, hit := pick(2); hit {
			sig[0] ^= 0xff
		}
	}
}

// calm ends all faults.
func calm(f *faulty) {
	f.set(nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.alter = nil
}

// Random faults in every call, on two tokens and with 16 callers: what is handed out
// verifies, nothing leaks, and without faults everything works again.
func TestRandomFaults(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	now := newClock()
	f, m := openFaulty(t, &pkcs11.Options{Sessions: 4, Now: now.Now})
	s := openSigner(t, m, config("p256", "one", "two"))
	shake(f, now, seed)
	var wg sync.WaitGroup
	var good, bad atomic.Int64
	for c := range 16 {
		wg.Go(func() {
			for i := range 100 {
				sig, err := s.SignContext(context.Background(), digest(100*c+i), crypto.SHA256)
				if err != nil {
					bad.Add(1)
					now.move(time.Second)
					continue
				}
				good.Add(1)
				checkSignature(t, s.Public(), digest(100*c+i), sig)
			}
		})
	}
	wg.Wait()
	t.Logf("%d good, %d errors, %+v", good.Load(), bad.Load(), m.Figures())
	require.Greater(t, good.Load(), int64(500))
	calm(f)
	require.Eventually(t, func() bool {
		now.move(time.Minute)
		_, err := s.SignContext(context.Background(), digest(0), crypto.SHA256)
		tokens := m.Figures().Tokens
		return err == nil && tokens[0].InService && tokens[1].InService
	}, guard, time.Millisecond)
	burst(t, s, 16, 10)
}

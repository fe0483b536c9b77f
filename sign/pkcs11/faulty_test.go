//go:build cgo

package pkcs11_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/pkcs11"
)

// A faulty library is SoftHSM with a hook before each call. It counts calls, knows
// which sessions are open, and keeps those who close all sessions from outside
// apart from calls, since SoftHSM may crash otherwise.
type faulty struct {
	pkcs11.Cryptoki
	apart sync.RWMutex

	mu     sync.Mutex
	hook   func(call string, slot uint) error // nil: no fault
	alter  func(signature []byte)
	swap   map[p11.ObjectHandle]p11.ObjectHandle
	calls  map[string]int
	open   map[p11.SessionHandle]uint // the slot of each session
	misuse int                        // sessions used twice at a time
	inUse  map[p11.SessionHandle]bool
}

func newFaulty(t testing.TB) *faulty {
	t.Helper()
	return &faulty{Cryptoki: softHSM(t), calls: map[string]int{},
		open: map[p11.SessionHandle]uint{}, inUse: map[p11.SessionHandle]bool{}}
}

// set installs a hook; it is called without a lock and may wait.
func (f *faulty) set(hook func(call string, slot uint) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// once fails the next such call.
func (f *faulty) once(call string, err error) {
	var do sync.Once
	f.set(func(c string, _ uint) (out error) {
		if c == call {
			do.Do(func() { out = err })
		}
		return out
	})
}

func (f *faulty) count(call string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[call]
}

func (f *faulty) before(call string, slot uint) error {
	f.mu.Lock()
	f.calls[call]++
	hook := f.hook
	f.mu.Unlock()
	if hook != nil {
		return hook(call, slot)
	}
	return nil
}

// in is before for a call with a session. The result ends the call.
func (f *faulty) in(call string, s p11.SessionHandle) (func(), error) {
	f.mu.Lock()
	slot := f.open[s]
	if f.inUse[s] {
		f.misuse++
	}
	f.inUse[s] = true
	f.mu.Unlock()
	err := f.before(call, slot)
	f.apart.RLock()
	return func() {
		f.apart.RUnlock()
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.inUse, s)
	}, err
}

func (f *faulty) Initialize(opts ...p11.InitializeOption) error {
	if err := f.before("Initialize", 0); err != nil {
		return err
	}
	return f.Cryptoki.Initialize(opts...)
}

func (f *faulty) Finalize() error {
	if err := f.before("Finalize", 0); err != nil {
		return err
	}
	f.mu.Lock()
	f.misuse += len(f.inUse) // finalized while a call is inside
	clear(f.open)
	f.mu.Unlock()
	return f.Cryptoki.Finalize()
}

func (f *faulty) GetSlotList(present bool) ([]uint, error) {
	if err := f.before("GetSlotList", 0); err != nil {
		return nil, err
	}
	return f.Cryptoki.GetSlotList(present)
}

func (f *faulty) OpenSession(slot, flags uint) (p11.SessionHandle, error) {
	if err := f.before("OpenSession", slot); err != nil {
		return 0, err
	}
	f.apart.RLock()
	defer f.apart.RUnlock()
	h, err := f.Cryptoki.OpenSession(slot, flags)
	if err == nil {
		f.mu.Lock()
		f.open[h] = slot
		f.mu.Unlock()
	}
	return h, err
}

func (f *faulty) CloseSession(s p11.SessionHandle) error {
	end, err := f.in("CloseSession", s)
	defer end()
	f.mu.Lock()
	delete(f.open, s)
	f.mu.Unlock()
	if e := f.Cryptoki.CloseSession(s); err == nil {
		err = e
	}
	return err
}

// CloseAllSessions is called by the package, and by tests to stand for somebody
// else.
func (f *faulty) CloseAllSessions(slot uint) error {
	if err := f.before("CloseAllSessions", slot); err != nil {
		return err
	}
	f.apart.Lock()
	defer f.apart.Unlock()
	f.mu.Lock()
	for s, at := range f.open {
		if at == slot {
			delete(f.open, s)
		}
	}
	f.mu.Unlock()
	return f.Cryptoki.CloseAllSessions(slot)
}

func (f *faulty) GetSessionInfo(s p11.SessionHandle) (p11.SessionInfo, error) {
	end, err := f.in("GetSessionInfo", s)
	defer end()
	if err != nil {
		return p11.SessionInfo{}, err
	}
	return f.Cryptoki.GetSessionInfo(s)
}

func (f *faulty) Login(s p11.SessionHandle, user uint, pin string) error {
	end, err := f.in("Login", s)
	defer end()
	if err != nil {
		return err
	}
	return f.Cryptoki.Login(s, user, pin)
}

func (f *faulty) FindObjectsInit(s p11.SessionHandle, a []*p11.Attribute) error {
	end, err := f.in("FindObjectsInit", s)
	defer end()
	if err != nil {
		return err
	}
	return f.Cryptoki.FindObjectsInit(s, a)
}

func (f *faulty) SignInit(s p11.SessionHandle, m []*p11.Mechanism, h p11.ObjectHandle) error {
	end, err := f.in("SignInit", s)
	defer end()
	if err != nil {
		return err
	}
	f.mu.Lock()
	if other, ok := f.swap[h]; ok {
		h = other
	}
	f.mu.Unlock()
	return f.Cryptoki.SignInit(s, m, h)
}

func (f *faulty) Sign(s p11.SessionHandle, message []byte) ([]byte, error) {
	end, err := f.in("Sign", s)
	defer end()
	if err != nil {
		return nil, err
	}
	sig, err := f.Cryptoki.Sign(s, message)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && f.alter != nil {
		f.alter(sig)
	}
	return sig, err
}

// slots gives the slots that have sessions.
func (f *faulty) slots() []uint {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := map[uint]bool{}
	var out []uint
	for _, slot := range f.open {
		if !seen[slot] {
			seen[slot] = true
			out = append(out, slot)
		}
	}
	return out
}

// openFaulty opens a module over a faulty library. At the end of the test no session
// and no goroutine may be left, and no session may have been used twice at a time.
func openFaulty(t *testing.T, opt *pkcs11.Options) (*faulty, *pkcs11.Module) {
	t.Helper()
	f := newFaulty(t)
	before := runtime.NumGoroutine()
	m, err := pkcs11.OpenLibrary(f, opt)
	require.NoError(t, err)
	t.Cleanup(func() {
		f.set(nil)
		for _, tf := range m.Figures().Tokens {
			require.Equal(t, tf.Operations, tf.Signatures+tf.Rejected+tf.Orphans, "%+v", tf)
			require.Equal(t, tf.SessionsOpened-tf.SessionsClosed, uint64(tf.Sessions), "%+v", tf)
			require.LessOrEqual(t, tf.Sessions, sessionsOf(opt)+1)
		}
		finalized := f.count("Finalize")
		f.mu.Lock()
		open := len(f.open)
		f.mu.Unlock()
		sessions := 0
		for _, tf := range m.Figures().Tokens {
			sessions += tf.Sessions
		}
		require.GreaterOrEqual(t, sessions, open, "a session leaked")
		require.NoError(t, m.Close())
		require.Equal(t, finalized+1, f.count("Finalize"))
		require.Zero(t, f.misuse)
		require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 },
			guard, 10*time.Millisecond, "a goroutine leaked")
	})
	return f, m
}

func sessionsOf(opt *pkcs11.Options) int {
	if opt == nil || opt.Sessions == 0 {
		return 8
	}
	return opt.Sessions
}

// A clock that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

//go:build cgo

package pkcs11

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	p11 "github.com/miekg/pkcs11"
)

type pinFunc = func(ctx context.Context, token TokenConfig) ([]byte, error)

// What has to be repaired before the next operation.
const (
	needSession = 1 << iota // look whether the session with the login lives
	needLogin
	needKeys // find them again
)

// adminState is what only one goroutine may repair at a time. Its lock is held
// during calls of the library.
type adminState struct {
	sync.Mutex
	need       int
	version    uint64 // of the last repair
	generation uint64 // of the module at that time
	slot       uint
	public     bool              // the token needs no login
	keeper     p11.SessionHandle // holds the login; zero: none
	keys       []*key
	handles    map[*key]p11.ObjectHandle
	seen       map[*key]bool // found in this token before
	pin        pinFunc
	pinMAC     []byte // of the PIN of the login; nil before the first
	refused    error  // what the token said to the PIN; final
}

// ready gives the handle of a key, and the version of the repair that it is from.
// Whoever comes first repairs what is needed, the others wait for it. The caller
// is inside of the library.
func (t *token) ready(k *key, generation uint64) (p11.ObjectHandle, uint64, error) {
	t.admin.Lock()
	defer t.admin.Unlock()
	a := &t.admin
	if a.generation != generation {
		// All sessions ended with the library.
		if a.keeper != 0 {
			t.count(func(f *TokenFigures) { t.sessions--; f.SessionsClosed++ })
			a.keeper = 0
		}
		a.generation, a.need = generation, needSession
	}
	if a.need != 0 {
		if err := t.repair(generation); err != nil {
			return 0, a.version, err
		}
		a.need = 0
		a.version++
	}
	handle, ok := a.handles[k]
	if !ok {
		var err error
		if handle, err = t.find(a.keeper, k); err != nil {
			switch c := classOf(err); {
			case c == classSession || c == classLogin:
				a.need |= needSession
			case a.seen[k] && errors.Is(err, ErrKey):
				err = fmt.Errorf("%w: %w", errLost, err)
			}
			return 0, a.version, t.fail("find key", err)
		}
		a.handles[k], a.seen[k] = handle, true
	}
	return handle, a.version, nil
}

// repair does what is needed. The caller holds admin.
func (t *token) repair(generation uint64) error {
	a := &t.admin
	if a.need&needSession != 0 {
		if err := t.repairKeeper(generation); err != nil {
			return err
		}
	}
	if a.need&needLogin != 0 {
		if err := t.login(); err != nil {
			return err
		}
		a.need &^= needLogin
	}
	if a.need&needKeys != 0 {
		clear(a.handles)
	}
	return nil
}

// repairKeeper opens the session that holds the login again when it is lost, and
// sees whether the login is.
func (t *token) repairKeeper(generation uint64) error {
	a := &t.admin
	if a.keeper != 0 {
		if in, err := t.loggedIn(); err == nil {
			if !in {
				a.need |= needLogin | needKeys
			}
			return nil
		} else if classOf(err) != classSession {
			return t.fail("C_GetSessionInfo", err)
		}
		t.m.opt.Logger.Warn("pkcs11: sessions are lost", "token", t.name())
		t.closeSession(session{a.keeper, generation}, generation)
		a.keeper = 0
		// The others were most likely lost with it.
		t.dropIdle(generation)
	}
	if err := t.findSlot(); err != nil {
		return err
	}
	handle, err := t.m.lib.OpenSession(a.slot, p11.CKF_SERIAL_SESSION)
	if err != nil {
		return t.fail("C_OpenSession", err)
	}
	a.keeper = handle
	t.count(func(f *TokenFigures) { t.sessions++; f.SessionsOpened++ })
	a.need |= needKeys
	in, err := t.loggedIn()
	if err != nil {
		return t.fail("C_GetSessionInfo", err)
	}
	if !in || a.pinMAC == nil && !a.public {
		a.need |= needLogin
	}
	return nil
}

// loggedIn says whether the login is there. A token that needs none always has it.
func (t *token) loggedIn() (bool, error) {
	info, err := t.m.lib.GetSessionInfo(t.admin.keeper)
	return t.admin.public || info.State == p11.CKS_RO_USER_FUNCTIONS || info.State == p11.CKS_RW_USER_FUNCTIONS, err
}

// login logs in, with the PIN of the callback. What the token says against the PIN
// is final.
func (t *token) login() error {
	a := &t.admin
	switch {
	case a.public:
		return nil
	case a.refused != nil:
		return a.refused
	case a.pin == nil:
		return t.fail("open token", fmt.Errorf("%w: the token needs one and none was given", ErrPIN))
	}
	ctx, cancel := context.WithTimeout(context.Background(), t.m.opt.Timeout)
	defer cancel()
	pin, err := a.pin(ctx, t.id())
	if err != nil {
		return t.fail("PIN callback", err)
	}
	defer clear(pin)
	t.count(func(f *TokenFigures) { f.Logins++ })
	err = t.m.lib.Login(a.keeper, p11.CKU_USER, string(pin))
	switch {
	case err == nil:
		a.pinMAC = t.mac(pin)
		t.m.opt.Logger.Info("pkcs11: logged in", "token", t.name())
	case errors.Is(err, p11.Error(p11.CKR_USER_ALREADY_LOGGED_IN)) && a.pinMAC != nil:
		// By this very object; nobody else has one of this token.
	case classOf(err) == classPIN:
		a.refused = t.fail("C_Login", err)
		t.m.opt.Logger.Error("pkcs11: the PIN is refused and not tried again", "token", t.name(), "error", a.refused)
		return a.refused
	default:
		if classOf(err) == classSession {
			a.need |= needSession
		}
		return t.fail("C_Login", err)
	}
	return nil
}

func (t *token) mac(pin []byte) []byte {
	h := hmac.New(sha256.New, t.m.pinKey[:])
	h.Write(pin)
	return h.Sum(nil)
}

// samePIN compares the PIN of a second signer with that of the login, so that the
// login of one does not serve another who does not know the PIN.
func (t *token) samePIN(ctx context.Context, ask pinFunc) error {
	t.admin.Lock()
	want, refused := t.admin.pinMAC, t.admin.refused
	t.admin.Unlock()
	if refused != nil {
		return refused
	}
	if want == nil {
		return nil
	}
	if ask == nil {
		return t.fail("open token", fmt.Errorf("%w: the token needs one and none was given", ErrPIN))
	}
	pin, err := ask(ctx, t.id())
	if err != nil {
		return t.fail("PIN callback", err)
	}
	defer clear(pin)
	if !hmac.Equal(want, t.mac(pin)) {
		return t.fail("open token", fmt.Errorf("%w: not the one of the login", ErrPIN))
	}
	return nil
}

// locate finds the token and takes over its label and serial number.
func (t *token) locate() error {
	if _, err := t.m.enter(); err != nil {
		return err
	}
	defer t.m.leave()
	t.admin.Lock()
	defer t.admin.Unlock()
	return t.findSlot()
}

// findSlot finds the slot with the token. Where a label alone names it, a new token
// may come in the place of the one that was there: a spare, or the same one
// initialized again. The key in it must be the same. The caller holds admin.
func (t *token) findSlot() error {
	slots, err := t.m.lib.GetSlotList(true)
	if err != nil {
		return t.fail("C_GetSlotList", err)
	}
	want, was, found := t.want, t.id(), 0
	var is TokenConfig
	for _, slot := range slots {
		info, err := t.m.lib.GetTokenInfo(slot)
		if err != nil {
			continue // another slot's token, or it is missed below
		}
		if want.Label != "" && info.Label != want.Label || want.Serial != "" && info.SerialNumber != want.Serial {
			continue
		}
		found++
		t.admin.slot, is = slot, TokenConfig{info.Label, info.SerialNumber}
		t.admin.public = info.Flags&p11.CKF_LOGIN_REQUIRED == 0
		if is == was {
			found = 1
			break
		}
	}
	switch found {
	case 0:
		return t.fail("find token", p11.Error(p11.CKR_TOKEN_NOT_PRESENT))
	case 1:
		t.mu.Lock()
		t.config = is
		t.mu.Unlock()
		return nil
	}
	return t.fail("find token", fmt.Errorf("%d tokens fit, the serial number is needed", found))
}

// take gives a session to an operation that has the right to one: an idle one, or
// a new one when there is none or fresh is asked for.
func (t *token) take(fresh bool, generation uint64) (session, error) {
	for {
		s, ok := t.pop()
		if ok && !fresh && s.generation == generation {
			return s, nil
		}
		if ok {
			t.closeSession(s, generation)
		}
		// A fresh one takes the place of one that was closed here.
		if !ok || s.generation == generation {
			break
		}
	}
	t.admin.Lock()
	slot := t.admin.slot
	t.admin.Unlock()
	handle, err := t.m.lib.OpenSession(slot, p11.CKF_SERIAL_SESSION)
	if err != nil {
		return session{}, t.fail("C_OpenSession", err)
	}
	t.count(func(f *TokenFigures) { t.sessions++; f.SessionsOpened++ })
	return session{handle, generation}, nil
}

// pop takes the idle session that was used last.
func (t *token) pop() (session, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.idle)
	if n == 0 {
		return session{}, false
	}
	s := t.idle[n-1]
	t.idle = t.idle[:n-1]
	return s, true
}

// closeSession closes a session. What the library says does not matter: it is gone
// either way. One of an older generation is closed already.
func (t *token) closeSession(s session, generation uint64) {
	if s.generation == generation {
		_ = t.m.lib.CloseSession(s.handle)
	}
	t.count(func(f *TokenFigures) { t.sessions--; f.SessionsClosed++ })
}

func (t *token) dropIdle(generation uint64) {
	t.mu.Lock()
	idle := t.idle
	t.idle = nil
	t.mu.Unlock()
	for _, s := range idle {
		t.closeSession(s, generation)
	}
}

// putBack makes a session idle, or closes it when there are more than there may be.
func (t *token) putBack(s session, generation uint64) {
	t.mu.Lock()
	keep := t.sessions-1 <= t.limit
	if keep {
		t.idle = append(t.idle, s)
	}
	t.mu.Unlock()
	if !keep {
		t.closeSession(s, generation)
	}
}

// flag says that something has to be repaired, unless it was since version.
func (t *token) flag(need int, version uint64) {
	t.admin.Lock()
	defer t.admin.Unlock()
	if t.admin.version == version {
		t.admin.need |= need
	}
}

// shrink takes one session away after the token said that it is busy; all but those
// that exist when it did not open another one.
func (t *token) shrink(opening bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	limit := t.limit - 1
	if opening {
		limit = min(limit, t.sessions-1)
	}
	t.limit = max(1, limit)
	t.growAt = t.m.opt.Now().Add(growPause)
	t.m.opt.Logger.Warn("pkcs11: token is busy, it gets fewer sessions", "token", t.config.Label, "limit", t.limit)
}

//go:build cgo

package pkcs11

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	p11 "github.com/miekg/pkcs11"
)

// cryptoki is what the package uses of a module; *p11.Ctx has it. A call may be
// made from any goroutine, a session from one at a time.
type cryptoki interface {
	Initialize(opts ...p11.InitializeOption) error
	Finalize() error
	Destroy()
	GetSlotList(tokenPresent bool) ([]uint, error)
	GetTokenInfo(slot uint) (p11.TokenInfo, error)
	OpenSession(slot uint, flags uint) (p11.SessionHandle, error)
	CloseSession(p11.SessionHandle) error
	CloseAllSessions(slot uint) error
	GetSessionInfo(p11.SessionHandle) (p11.SessionInfo, error)
	Login(session p11.SessionHandle, user uint, pin string) error
	Logout(p11.SessionHandle) error
	FindObjectsInit(p11.SessionHandle, []*p11.Attribute) error
	FindObjects(session p11.SessionHandle, most int) ([]p11.ObjectHandle, bool, error)
	FindObjectsFinal(p11.SessionHandle) error
	GetAttributeValue(p11.SessionHandle, p11.ObjectHandle, []*p11.Attribute) ([]*p11.Attribute, error)
	SignInit(p11.SessionHandle, []*p11.Mechanism, p11.ObjectHandle) error
	Sign(session p11.SessionHandle, message []byte) ([]byte, error)
}

// A Module is a PKCS #11 library that is loaded and initialized, with the tokens
// that its signers use. It is safe for concurrent use.
type Module struct {
	opt    Options
	lib    cryptoki
	pinKey [32]byte // PINs are compared by a MAC under it

	opening sync.Mutex // held while a signer is opened or closed
	reset   sync.Mutex // held while the library is finalized and initialized

	mu         sync.Mutex
	gate       sync.Cond     // on mu: shut or closed has changed
	tokens     []*token      // in use by a signer
	inside     int           // operations that may be in a call
	idle       chan struct{} // closed when inside becomes zero; nil when nobody waits
	shut       bool          // nobody may enter
	closed     bool
	generation uint64 // how often the library was finalized
	restarted  time.Time
}

// OpenModule loads a PKCS #11 library and initializes it. It fails when the
// library is initialized already in this process.
func OpenModule(path string, opt *Options) (*Module, error) {
	lib := p11.New(path)
	if lib == nil {
		return nil, fmt.Errorf("pkcs11: %s cannot be loaded", path)
	}
	return openLibrary(lib, opt)
}

func openLibrary(lib cryptoki, opt *Options) (*Module, error) {
	o, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	m := &Module{opt: o, lib: lib}
	m.gate.L = &m.mu
	if _, err := rand.Read(m.pinKey[:]); err != nil {
		return nil, err
	}
	if err := lib.Initialize(); err != nil {
		// Not unloaded: when it is in use already, somebody else's calls are inside.
		return nil, fmt.Errorf("pkcs11: C_Initialize: %w", err)
	}
	return m, nil
}

// enter announces calls of the library; leave ends them. It waits while the
// library is finalized and initialized.
func (m *Module) enter() (generation uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.shut && !m.closed {
		m.gate.Wait()
	}
	if m.closed {
		return 0, ErrClosed
	}
	m.inside++
	return m.generation, nil
}

func (m *Module) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inside--
	if m.inside == 0 && m.idle != nil {
		close(m.idle)
		m.idle = nil
	}
}

// shutGate keeps everybody out and waits until the library is empty. When it does
// not become so in time, it opens the gate again and says false.
func (m *Module) shutGate() bool {
	m.mu.Lock()
	m.shut = true
	if m.inside == 0 {
		m.mu.Unlock()
		return true
	}
	idle := make(chan struct{})
	m.idle = idle
	m.mu.Unlock()
	timer := time.NewTimer(m.opt.Timeout)
	defer timer.Stop()
	select {
	case <-idle:
		return true
	case <-timer.C:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.inside == 0 {
		return true
	}
	m.idle = nil
	m.shut = false
	m.gate.Broadcast()
	return false
}

// restartPause is how often the library may be finalized for one token while others
// work: they lose their login each time.
const restartPause = 5 * time.Minute

// mayRestart says whether the library may be finalized for the sake of t: not with
// a stuck call inside, and seldom while another token is in service.
func (m *Module) mayRestart(t *token) bool {
	m.mu.Lock()
	tokens := append([]*token(nil), m.tokens...)
	recent := !m.restarted.IsZero() && m.opt.Now().Sub(m.restarted) < restartPause
	m.mu.Unlock()
	for _, other := range tokens {
		other.mu.Lock()
		stuck, works := other.stuck > 0, other.state == inService && other != t
		other.mu.Unlock()
		if stuck || works && recent {
			return false
		}
	}
	return true
}

// restart finalizes and initializes the library, unless somebody did so since
// generation or somebody does not come out of it.
func (m *Module) restart(generation uint64, level slog.Level) error {
	m.reset.Lock()
	defer m.reset.Unlock()
	m.mu.Lock()
	done, closed := m.generation != generation, m.closed
	m.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if done {
		return nil
	}
	if !m.shutGate() {
		return errors.New("pkcs11: a call is inside, the module is not finalized")
	}
	m.opt.Logger.Log(context.Background(), level, "pkcs11: module is finalized and initialized")
	// What Finalize says does not matter: a library that lost its state fails here.
	_ = m.lib.Finalize()
	err := m.lib.Initialize()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.generation++
	m.restarted = m.opt.Now()
	m.shut = false
	m.gate.Broadcast()
	if err != nil {
		return fmt.Errorf("pkcs11: C_Initialize: %w", err)
	}
	return nil
}

// Close closes all sessions, finalizes the library and unloads it. Signers of the
// module give ErrClosed from then on. It waits for calls that are inside, at most
// as long as [Options.Timeout]; when one does not return, the library stays loaded
// and initialized, and the error is ErrUnavailable.
func (m *Module) Close() error {
	m.opening.Lock()
	defer m.opening.Unlock()
	m.mu.Lock()
	tokens := m.tokens
	m.tokens = nil
	closed := m.closed
	m.mu.Unlock()
	if closed {
		return nil
	}
	for _, t := range tokens {
		t.close()
	}
	m.reset.Lock()
	defer m.reset.Unlock()
	empty := m.shutGate()
	m.mu.Lock()
	m.closed = true
	m.gate.Broadcast()
	m.mu.Unlock()
	if !empty {
		return fmt.Errorf("%w: a call is inside, the module is not finalized", ErrUnavailable)
	}
	err := m.lib.Finalize()
	m.lib.Destroy()
	if err != nil {
		return fmt.Errorf("pkcs11: C_Finalize: %w", err)
	}
	return nil
}

// Signer finds a key and gives a signer for it. It logs in to each token that
// nobody of the module uses yet. A token that cannot be reached is repaired later
// as long as another one works; a PIN that is refused and a key that is not the
// right one are errors whichever token they come from.
func (m *Module) Signer(ctx context.Context, cfg *KeyConfig) (*Signer, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	m.opening.Lock()
	defer m.opening.Unlock()
	k, err := newKey(cfg)
	if err != nil {
		return nil, err
	}
	s := &Signer{module: m, key: k}
	var down error
	works := 0
	for _, tc := range cfg.Tokens {
		t, err := m.join(ctx, tc, cfg, s)
		switch {
		case err == nil:
			works++
		case t != nil && errors.Is(err, ErrUnavailable) && ctx.Err() == nil:
			down = err
			m.opt.Logger.Warn("pkcs11: token is not available", "token", t.name(), "error", err)
			t.trip(err)
		default:
			s.drop()
			return nil, err
		}
	}
	if works == 0 {
		s.drop()
		return nil, down
	}
	return s, nil
}

// join makes a token one of the signer's. The token is not nil when it is one,
// though it may not work.
func (m *Module) join(ctx context.Context, tc TokenConfig, cfg *KeyConfig, s *Signer) (*token, error) {
	t := newToken(m, tc)
	_, err := t.run(ctx, "find token", func() ([]byte, error) { return nil, t.locate() })
	if err != nil && !errors.Is(err, ErrUnavailable) {
		return nil, err
	}
	t, known := m.known(t)
	for _, other := range s.tokens {
		if other == t {
			return nil, errors.New("pkcs11: a token is named twice")
		}
	}
	if known {
		if err := t.samePIN(ctx, cfg.PIN); err != nil {
			return nil, err
		}
	}
	t.attach(s.key, cfg.PIN)
	s.tokens = append(s.tokens, t)
	if err != nil {
		return t, err
	}
	_, err = t.run(ctx, "open token", func() ([]byte, error) {
		generation, err := m.enter()
		if err != nil {
			return nil, err
		}
		defer m.leave()
		_, _, err = t.ready(s.key, generation)
		return nil, err
	})
	return t, err
}

// known gives the token that is there already for the one that t names, or t. What
// a token that cannot be reached leaves out of its name fits any.
func (m *Module) known(t *token) (*token, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, other := range m.tokens {
		if want, is := t.id(), other.id(); (want.Label == "" || want.Label == is.Label) &&
			(want.Serial == "" || want.Serial == is.Serial) {
			return other, true
		}
	}
	m.tokens = append(m.tokens, t)
	return t, false
}

// forget closes a token that no signer uses any more.
func (m *Module) forget(t *token) {
	t.close()
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, other := range m.tokens {
		if other == t {
			m.tokens = append(m.tokens[:i:i], m.tokens[i+1:]...)
			return
		}
	}
}

//go:build unix && cgo

package plant

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	p11 "github.com/miekg/pkcs11"

	"github.com/seed-574216e4/meterai/sign/pkcs11"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// tokens are two SoftHSM tokens in a folder, which hold the same key.
type tokens struct {
	Library string // of SoftHSM
	Config  string // file, named in SOFTHSM2_CONF
	PIN     string
	Dir     string // with a folder for each token
}

var tokenNames = []string{"one", "two"}

const keyLabel = "stamp"

func softHSM() (string, error) {
	if _, err := exec.LookPath("softhsm2-util"); err != nil {
		return "", errors.New("SoftHSM is not installed: softhsm2-util is not in PATH")
	}
	for _, name := range []string{
		os.Getenv("METERAI_SOFTHSM"), "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
		"/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so",
	} {
		if _, err := os.Stat(name); name != "" && err == nil {
			return name, nil
		}
	}
	return "", errors.New("SoftHSM is not installed: no libsofthsm2.so")
}

// newTokens makes two tokens and imports the key of an identity into both.
func newTokens(ctx context.Context, dir string, id *pki.Identity) (*tokens, error) {
	library, err := softHSM()
	if err != nil {
		return nil, err
	}
	t := &tokens{Library: library, Config: filepath.Join(dir, "softhsm2.conf"), Dir: filepath.Join(dir, "tokens"), PIN: rand.Text()[:8]}
	if err := os.MkdirAll(t.Dir, 0o700); err != nil {
		return nil, err
	}
	text := "directories.tokendir = " + t.Dir + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	if err := os.WriteFile(t.Config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	key, err := id.KeyPEM()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(file, key, 0o600); err != nil {
		return nil, err
	}
	defer os.Remove(file)
	for _, name := range tokenNames {
		if err := t.util(ctx, "--init-token", "--free", "--label", name, "--pin", t.PIN, "--so-pin", rand.Text()[:8]); err != nil {
			return nil, err
		}
		if err := t.util(ctx, "--import", file, "--token", name, "--pin", t.PIN, "--label", keyLabel, "--id", "01"); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *tokens) util(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "softhsm2-util", args...)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+t.Config)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("softhsm2-util %s: %w: %s", args[0], err, out)
	}
	return nil
}

// hide takes a token's files away, as somebody does who pulls it out; back gives them back.
func (t *tokens) hide() (back func() error, err error) {
	dirs, err := os.ReadDir(t.Dir)
	if err != nil || len(dirs) == 0 {
		return nil, errors.Join(err, errors.New("there is no token to take away"))
	}
	name := filepath.Join(t.Dir, dirs[0].Name())
	away := filepath.Join(filepath.Dir(t.Dir), "away")
	return func() error { return os.Rename(away, name) }, os.Rename(name, away)
}

// held is the key in the tokens, as a process has it.
type held struct {
	signer *pkcs11.Signer
	module *pkcs11.Module
	raw    *p11.Ctx
	apart  sync.RWMutex // those who close all sessions from outside, and operations: SoftHSM may crash otherwise
}

// open uses the tokens in this process.
func (t *tokens) open(ctx context.Context, public crypto.PublicKey) (*held, error) {
	if err := os.Setenv("SOFTHSM2_CONF", t.Config); err != nil {
		return nil, err
	}
	module, err := pkcs11.OpenModule(t.Library, &pkcs11.Options{Sessions: 8})
	if err != nil {
		return nil, err
	}
	cfg := &pkcs11.KeyConfig{
		Label: keyLabel, ID: []byte{1}, Public: public,
		PIN: func(context.Context, pkcs11.TokenConfig) ([]byte, error) { return []byte(t.PIN), nil },
	}
	for _, name := range tokenNames {
		cfg.Tokens = append(cfg.Tokens, pkcs11.TokenConfig{Label: name})
	}
	signer, err := module.Signer(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, module.Close())
	}
	return &held{signer: signer, module: module, raw: p11.New(t.Library)}, nil
}

// Public implements [crypto.Signer].
func (h *held) Public() crypto.PublicKey { return h.signer.Public() }

// Sign implements [crypto.Signer].
func (h *held) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	h.apart.RLock()
	defer h.apart.RUnlock()
	return h.signer.Sign(r, digest, opts)
}

// lose ends all sessions of this process on all tokens, with the login, as a network HSM does when it starts anew.
func (h *held) lose() error {
	h.apart.Lock()
	defer h.apart.Unlock()
	slots, err := h.raw.GetSlotList(true)
	for _, slot := range slots {
		err = errors.Join(err, h.raw.CloseAllSessions(slot))
	}
	return err
}

// figures sums up what the tokens did for this process.
func (h *held) figures() map[string]int64 {
	f := h.module.Figures()
	out := map[string]int64{"token module restarts": int64(f.Restarts)}
	for _, t := range f.Tokens {
		out["token signatures"] += int64(t.Signatures)
		out["token operations"] += int64(t.Operations)
		out["token orphans"] += int64(t.Orphans)
		out["token logins"] += int64(t.Logins)
		out["token sessions opened"] += int64(t.SessionsOpened)
		out["token tries again"] += int64(t.Retries)
		out["token out of service"] += int64(t.Failures)
	}
	return out
}

//go:build cgo

package pkcs11

import (
	"context"
	"crypto"
	"errors"
	"log/slog"
	"time"
)

// Options are those of a module. Nil and the zero value are safe defaults.
type Options struct {
	// Sessions is how many sessions a token may have for signing, besides the one
	// that holds the login. Zero: 8. A network HSM takes about 30, a small token 16.
	Sessions int
	// Timeout is how long one try on a token may take, from the moment it has a
	// session. A call that takes longer is stuck. Zero: 10 seconds.
	Timeout time.Duration
	// MaxStuck is how many stuck calls put a token out of service until one of
	// them returns. Zero: half of Sessions, at least one.
	MaxStuck int
	// Logger gets what a person should see: lost logins, repairs, tokens out of
	// service. It must not call into the package. Nil: nothing is logged.
	Logger *slog.Logger
	// Now is the clock that says when the next repair of a token is due. Nil:
	// time.Now.
	Now func() time.Time
}

// TokenConfig names a token by label, by serial number or by both, as
// CK_TOKEN_INFO has them, without the padding.
type TokenConfig struct {
	Label  string
	Serial string
}

// KeyConfig names a private key and the tokens that hold it.
type KeyConfig struct {
	// Tokens hold the same key each. At least one; the first that works is asked
	// for the public key when Public is nil.
	Tokens []TokenConfig
	// ID is CKA_ID, Label is CKA_LABEL. At least one of them is needed; with both,
	// both must match.
	ID    []byte
	Label string
	// Public is the public key that the key must have, that of the certificate.
	// Nil: what a public key or a certificate with the same CKA_ID in the token
	// says. The package cannot then notice that the token has another key than
	// the one meant.
	Public crypto.PublicKey
	// PIN gives the user's PIN for a token. It is called at each login, with the
	// token as it names itself; the bytes are overwritten afterwards. It must not
	// call into the package. A token that says that it needs no login gets none; nil
	// is enough for those, and [ErrPIN] for others.
	PIN func(ctx context.Context, token TokenConfig) ([]byte, error)
}

func (o *Options) withDefaults() (Options, error) {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Sessions < 0 || out.Timeout < 0 || out.MaxStuck < 0 {
		return out, errors.New("pkcs11: options must not be negative")
	}
	if out.Sessions == 0 {
		out.Sessions = 8
	}
	if out.Timeout == 0 {
		out.Timeout = 10 * time.Second
	}
	if out.MaxStuck == 0 {
		out.MaxStuck = max(1, out.Sessions/2)
	}
	if out.Logger == nil {
		out.Logger = slog.New(slog.DiscardHandler)
	}
	if out.Now == nil {
		out.Now = time.Now
	}
	return out, nil
}

func (c *KeyConfig) validate() error {
	switch {
	case c == nil || len(c.Tokens) == 0:
		return errors.New("pkcs11: a key needs a token")
	case len(c.ID) == 0 && c.Label == "":
		return errors.New("pkcs11: a key needs an identifier or a label")
	}
	for i, t := range c.Tokens {
		if t.Label == "" && t.Serial == "" {
			return errors.New("pkcs11: a token needs a label or a serial number")
		}
		for _, other := range c.Tokens[:i] {
			if t == other {
				return errors.New("pkcs11: a token is named twice")
			}
		}
	}
	return nil
}

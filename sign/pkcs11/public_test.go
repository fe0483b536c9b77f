//go:build cgo

package pkcs11_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"encoding/asn1"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/pkcs11"
)

// A publicToken is a library whose tokens say that they need no login.
type publicToken struct{ *faulty }

func (p publicToken) GetTokenInfo(slot uint) (p11.TokenInfo, error) {
	info, err := p.faulty.GetTokenInfo(slot)
	info.Flags &^= p11.CKF_LOGIN_REQUIRED
	return info, err
}

// importPublic puts a key into a token that needs no login to be used.
func importPublic(t *testing.T, f *faulty, h *hsm, label string) {
	t.Helper()
	slot, _ := slotOf(t, f, label)
	s, err := f.Cryptoki.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	require.NoError(t, err)
	lib := f.Cryptoki.(*p11.Ctx)
	curve, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
	require.NoError(t, err)
	scalar, err := h.key.(*ecdsa.PrivateKey).Bytes()
	require.NoError(t, err)
	_, err = lib.CreateObject(s, []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY), p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_EC),
		p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_PRIVATE, false), p11.NewAttribute(p11.CKA_SIGN, true),
		p11.NewAttribute(p11.CKA_LABEL, "open"), p11.NewAttribute(p11.CKA_ID, []byte{9}),
		p11.NewAttribute(p11.CKA_EC_PARAMS, curve), p11.NewAttribute(p11.CKA_VALUE, scalar),
	})
	require.NoError(t, err)
	require.NoError(t, f.Cryptoki.CloseSession(s))
}

// A token without CKF_LOGIN_REQUIRED is used without a PIN, and comes back without
// one; one that needs it says so.
func TestATokenWithoutLogin(t *testing.T) {
	h := newHSM(t, "main")
	f := newFaulty(t)
	m := openModule(t, f, nil)
	importPublic(t, f, h, "main")
	cfg := &pkcs11.KeyConfig{Tokens: []pkcs11.TokenConfig{{Label: "main"}}, Label: "open", Public: h.key.Public()}
	_, err := m.Signer(context.Background(), cfg)
	require.ErrorIs(t, err, pkcs11.ErrPIN)
	require.Zero(t, f.count("Login"))
	require.NoError(t, m.Close())

	f = newFaulty(t)
	m = openModule(t, publicToken{f}, nil)
	s := openSigner(t, m, cfg)
	burst(t, s, 8, 5)
	slot, _ := slotOf(t, f, "main")
	require.NoError(t, f.CloseAllSessions(slot))
	burst(t, s, 8, 5)
	back := h.remove(t, "main")
	_, err = s.SignContext(context.Background(), digest(1), crypto.SHA256)
	require.ErrorIs(t, err, pkcs11.ErrUnavailable)
	back()
	require.Eventually(t, func() bool {
		_, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
		return err == nil
	}, guard, 10*time.Millisecond)
	burst(t, s, 8, 5)
	require.Zero(t, f.count("Login"))
	require.Zero(t, m.Figures().Tokens[0].Logins)
}

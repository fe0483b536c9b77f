//go:build cgo

package pkcs11_test

import (
	"crypto"
	"testing"
	"time"
	"context"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/pkcs11"
)

func TestExperiment(t *testing.T) {
	h := newHSM(t, "main")
	f, m := openFaulty(t, nil)
	_ = f
	s := openSigner(t, m, h.config("main"))
	try := func(what string) {
		_, err := s.SignContext(context.Background(), digest(1), crypto.SHA256)
		t.Logf("%s: %v %+v", what, err, only(m))
	}
	try("start")
	back := h.remove(t, "main")
	for range 5 { try("away"); time.Sleep(300*time.Millisecond) }
	back()
	for range 8 { try("back"); time.Sleep(300*time.Millisecond) }
	h.util(t, "--init-token", "--token", "main", "--label", "main", "--pin", pin, "--so-pin", "5678")
	for range 3 { try("reinit"); time.Sleep(300*time.Millisecond) }
	h.load(t, "main", h.file)
	for range 8 { try("reloaded"); time.Sleep(300*time.Millisecond) }
	require.NotNil(t, s)
	_ = pkcs11.ErrKey
}

//go:build cgo

package pkcs11_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/pkcs11"
)

// BenchmarkSigner compares the Signer with bare calls of the same binding, each in a
// session of its own, and the same check of each signature; both do the same number
// of signatures by turns, in slices, so that a noisy machine hits both. The ratio is
// bare time by ours: 1 is as fast as can be.
func BenchmarkSigner(b *testing.B) {
	for _, label := range []string{"p256", "rsa"} {
		for _, sessions := range []int{1, 2, 4, 8, 16, 32} {
			b.Run(fmt.Sprintf("%s/%d", label, sessions), func(b *testing.B) {
				lib := softHSM(b)
				m := openModule(b, lib, &pkcs11.Options{Sessions: sessions})
				s := openSigner(b, m, config(label, "one"))
				bare := newBare(b, lib, label, sessions, s.Public())
				var ours, theirs time.Duration
				for left := b.N; left > 0; {
					n := min(left, 50*sessions)
					left -= n
					theirs += together(sessions, n, bare.sign)
					ours += together(sessions, n, func(_, i int) error {
						_, err := s.SignContext(context.Background(), digest(i), crypto.SHA256)
						return err
					})
				}
				b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ratio")
				b.ReportMetric(float64(b.N)/ours.Seconds(), "ours/s")
				b.ReportMetric(float64(b.N)/theirs.Seconds(), "bare/s")
				b.ReportMetric(0, "ns/op")
				bare.close(b)
			})
		}
	}
}

// together does n operations with some workers and says how long it took.
func together(workers, n int, do func(worker, i int) error) time.Duration {
	begun := time.Now()
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				if err := do(w, i); err != nil {
					panic(err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begun)
}

type bare struct {
	lib      *p11.Ctx
	pub      crypto.PublicKey
	handle   p11.ObjectHandle
	sessions []p11.SessionHandle
}

// newBare opens sessions in a token that is logged in already.
func newBare(b *testing.B, lib *p11.Ctx, label string, n int, pub crypto.PublicKey) *bare {
	b.Helper()
	slots, err := lib.GetSlotList(true)
	require.NoError(b, err)
	out := &bare{lib: lib, pub: pub}
	for _, slot := range slots {
		info, err := lib.GetTokenInfo(slot)
		require.NoError(b, err)
		if info.Label != "one" {
			continue
		}
		for range n {
			s, err := lib.OpenSession(slot, p11.CKF_SERIAL_SESSION)
			require.NoError(b, err)
			out.sessions = append(out.sessions, s)
		}
	}
	s := out.sessions[0]
	require.NoError(b, lib.FindObjectsInit(s, []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY), p11.NewAttribute(p11.CKA_LABEL, label)}))
	found, _, err := lib.FindObjects(s, 1)
	require.NoError(b, err)
	require.NoError(b, lib.FindObjectsFinal(s))
	out.handle = found[0]
	return out
}

func (r *bare) sign(worker, i int) error {
	d, mechanism, input := digest(i), uint(p11.CKM_ECDSA), digest(i)
	if _, ok := r.pub.(*rsa.PublicKey); ok {
		mechanism = p11.CKM_RSA_PKCS
		input = append([]byte{0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20}, d...)
	}
	s := r.sessions[worker]
	if err := r.lib.SignInit(s, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}, r.handle); err != nil {
		return err
	}
	raw, err := r.lib.Sign(s, input)
	if err != nil {
		return err
	}
	if pub, ok := r.pub.(*rsa.PublicKey); ok {
		return rsa.VerifyPKCS1v15(pub, crypto.SHA256, d, raw)
	}
	sig, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])})
	if err == nil && !ecdsa.VerifyASN1(r.pub.(*ecdsa.PublicKey), d, sig) {
		err = fmt.Errorf("wrong signature")
	}
	return err
}

func (r *bare) close(b *testing.B) {
	for _, s := range r.sessions {
		require.NoError(b, r.lib.CloseSession(s))
	}
}

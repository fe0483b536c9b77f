//go:build cgo && unix

package pkcs11_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/pkcs11"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// BenchmarkSigner compares the Signer with bare calls of the same binding, each in a
// session of its own, and the same check of each signature. All do the same number of
// signatures by turns, in slices, so that a noisy machine hits all. A ratio is bare
// time by ours, the median over the slices: 1 is as fast as can be. "ratio" is with as many callers as sessions;
// "queued" with two callers for each session, as a portal that is busy has them, so
// that one checks while the other's call runs; "cpu" compares processor time.
func BenchmarkSigner(b *testing.B) {
	for _, label := range []string{"p256", "rsa"} {
		for _, sessions := range []int{1, 2, 4, 8, 16, 32} {
			b.Run(fmt.Sprintf("%s/%d", label, sessions), func(b *testing.B) {
				lib := softHSM(b)
				m := openModule(b, lib, &pkcs11.Options{Sessions: sessions})
				s := openSigner(b, m, config(label, "one"))
				bare := newBare(b, lib, label, sessions, s.Public())
				ours := func(_, i int) error {
					_, err := s.SignContext(context.Background(), digest(i), crypto.SHA256)
					return err
				}
				var base, same, queued spent
				for left := b.N; left > 0; {
					n := min(left, slice(sessions))
					left -= n
					base.add(together(sessions, n, bare.sign))
					same.add(together(sessions, n, ours))
					queued.add(together(2*sessions, n, ours))
				}
				b.ReportMetric(same.than(&base), "ratio")
				b.ReportMetric(queued.than(&base), "queued")
				b.ReportMetric(base.cpu.Seconds()/same.cpu.Seconds(), "cpu")
				b.ReportMetric(float64(b.N)/queued.wall.Seconds(), "ours/s")
				b.ReportMetric(float64(b.N)/base.wall.Seconds(), "bare/s")
				b.ReportMetric(0, "ns/op")
				bare.close(b)
			})
		}
	}
}

// BenchmarkStamp compares whole stamps of a document of 50 KB, visible, with the same
// bare calls and check: what is between them is reading and hashing the document, the
// seal's own signature, the appearance and the update.
func BenchmarkStamp(b *testing.B) {
	const sessions = 4
	var source bytes.Buffer
	require.NoError(b, pdfs.Scan(&source, 50<<10))
	p, err := pki.New(nil)
	require.NoError(b, err)
	scheme, err := serial.NewScheme('0', "ZZ", [32]byte{1})
	require.NoError(b, err)
	opt := &sign.Options{Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: p.SealEd25519}}
	for _, label := range []string{"rsa", "p256"} {
		b.Run(label, func(b *testing.B) {
			lib := softHSM(b)
			m := openModule(b, lib, &pkcs11.Options{Sessions: sessions})
			s := openSigner(b, m, config(label, "one"))
			id, err := p.Issue(&pki.Request{CommonName: "HSM " + label, Signer: s})
			require.NoError(b, err)
			cred, err := sign.NewCredential(id.Cert, id.Chain, s, nil)
			require.NoError(b, err)
			bare := newBare(b, lib, label, sessions, s.Public())
			var base, ours spent
			for left := b.N; left > 0; {
				n := min(left, slice(sessions))
				left -= n
				base.add(together(sessions, n, bare.sign))
				ours.add(together(2*sessions, n, func(_, i int) error {
					doc, err := sign.Open(bytes.NewReader(source.Bytes()), int64(source.Len()), opt)
					if err != nil {
						return err
					}
					number, err := scheme.Number(uint64(i) + 1)
					if err != nil {
						return err
					}
					_, err = doc.Sign(context.Background(), io.Discard, cred, sign.Issue{Number: number})
					return err
				}))
			}
			b.ReportMetric(ours.than(&base), "ratio")
			b.ReportMetric(base.cpu.Seconds()/ours.cpu.Seconds(), "cpu")
			b.ReportMetric(float64(b.N)/ours.wall.Seconds(), "stamps/s")
			b.ReportMetric(float64(b.N)/base.wall.Seconds(), "bare/s")
			b.ReportMetric(0, "ns/op")
			bare.close(b)
		})
	}
}

// slice is how many signatures are made before it is the other's turn.
func slice(sessions int) int { return max(100, 12*sessions) }

// spent is time by the clock and of the processors.
type spent struct {
	wall, cpu time.Duration
	slices    []time.Duration // by the clock
}

func (s *spent) add(more spent) {
	s.wall += more.wall
	s.cpu += more.cpu
	s.slices = append(s.slices, more.wall)
}

// than is how fast s is beside base: the median over the slices, so that a pause of the
// machine in one of them does not count.
func (s *spent) than(base *spent) float64 {
	var ratios []float64
	for i := range s.slices {
		ratios = append(ratios, base.slices[i].Seconds()/s.slices[i].Seconds())
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// together does n operations with some workers and says what it took.
func together(workers, n int, do func(worker, i int) error) spent {
	begun, cpu := time.Now(), cpuTime()
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
	return spent{wall: time.Since(begun), cpu: cpuTime() - cpu}
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

//go:build cgo

package pkcs11_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/pkcs11"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// An hsm is a SoftHSM of one test's own, whose token folders may be moved away and
// which other processes change. Its tokens have one key with the label "e-seal".
type hsm struct {
	folder string            // of the tokens
	away   string            // where they are put
	tokens map[string]string // label to the name of the token's folder
	key    crypto.Signer
	file   string // the key, PEM
}

func newHSM(t testing.TB, labels ...string) *hsm {
	t.Helper()
	need(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	dir := t.TempDir()
	h := &hsm{folder: filepath.Join(dir, "tokens"), away: filepath.Join(dir, "away"), tokens: map[string]string{}, key: key}
	require.NoError(t, os.Mkdir(h.folder, 0o700))
	require.NoError(t, os.Mkdir(h.away, 0o700))
	conf := filepath.Join(dir, "softhsm2.conf")
	text := "directories.tokendir = " + h.folder + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	require.NoError(t, os.WriteFile(conf, []byte(text), 0o600))
	// C_Initialize reads the configuration, so it holds for modules opened from now on.
	t.Setenv("SOFTHSM2_CONF", conf)
	h.file = h.write(t, dir, "key.pem", key)
	for _, label := range labels {
		h.create(t, label)
	}
	return h
}

func (h *hsm) write(t testing.TB, dir, name string, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	file := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return file
}

// util runs SoftHSM's program: another process on the same tokens.
func (h *hsm) util(t testing.TB, args ...string) {
	t.Helper()
	out, err := exec.Command("softhsm2-util", args...).CombinedOutput()
	require.NoError(t, err, "%v: %s", args, out)
}

// create makes a token with the key.
func (h *hsm) create(t testing.TB, label string) {
	t.Helper()
	h.util(t, "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "5678")
	entries, err := os.ReadDir(h.folder)
	require.NoError(t, err)
	for _, e := range entries {
		known := false
		for _, other := range h.tokens {
			known = known || other == e.Name()
		}
		if !known {
			h.tokens[label] = e.Name()
		}
	}
	h.load(t, label, h.file)
}

// load imports a key into a token, under the label and identifier of all.
func (h *hsm) load(t testing.TB, label, file string) {
	t.Helper()
	h.util(t, "--import", file, "--token", label, "--pin", pin, "--label", "e-seal", "--id", "01", "--force")
}

// remove takes a token's folder away; the result puts it back.
func (h *hsm) remove(t testing.TB, label string) (back func()) {
	t.Helper()
	here, there := filepath.Join(h.folder, h.tokens[label]), filepath.Join(h.away, h.tokens[label])
	require.NoError(t, os.Rename(here, there))
	return func() { require.NoError(t, os.Rename(there, here)) }
}

func (h *hsm) config(labels ...string) *pkcs11.KeyConfig {
	cfg := &pkcs11.KeyConfig{ID: []byte{1}, Label: "e-seal", Public: h.key.Public(), PIN: ask}
	for _, label := range labels {
		cfg.Tokens = append(cfg.Tokens, pkcs11.TokenConfig{Label: label})
	}
	return cfg
}

// slotOf asks the library itself for the slot of a token.
func slotOf(t testing.TB, f *faulty, label string) (uint, p11.TokenInfo) {
	t.Helper()
	slots, err := f.Cryptoki.GetSlotList(true)
	require.NoError(t, err)
	for _, slot := range slots {
		info, err := f.Cryptoki.GetTokenInfo(slot)
		require.NoError(t, err)
		if info.Label == label {
			return slot, info
		}
	}
	require.FailNow(t, "no such token", label)
	return 0, p11.TokenInfo{}
}

const account = "shop-17"

// A portal stamps documents from an embedded ledger with a key in tokens.
type portal struct {
	ledger *serial.Ledger
	cred   *sign.Credential
	opt    *sign.Options
	source []byte
	pki    *pki.PKI

	next    atomic.Int64 // documents so far
	stamped atomic.Int64
	failed  atomic.Int64 // tries that ended with an error

	mu      sync.Mutex
	numbers map[serial.Number]int // documents by their number
	times   []time.Time           // when documents were stamped
}

func newPortal(t testing.TB, s *pkcs11.Signer, units int64) *portal {
	t.Helper()
	p := &portal{numbers: map[serial.Number]int{}}
	var err error
	p.pki, err = pki.New(nil)
	require.NoError(t, err)
	id, err := p.pki.Issue(&pki.Request{CommonName: "HSM", Signer: s})
	require.NoError(t, err)
	p.cred, err = sign.NewCredential(id.Cert, id.Chain, s, nil)
	require.NoError(t, err)
	p.opt = &sign.Options{Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: p.pki.SealP256}}
	file, err := pdfs.Get("classic.pdf")
	require.NoError(t, err)
	p.source = file.Bytes()
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "ledger.db"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	sink, err := serial.NewDirSink(filepath.Join(dir, "stamps"))
	require.NoError(t, err)
	scheme, err := serial.NewScheme('0', "ZZ", [32]byte{9})
	require.NoError(t, err)
	p.ledger, err = serial.Open(t.Context(), store, &serial.Options{Scheme: scheme, Sink: sink})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.ledger.Close()) })
	_, err = p.ledger.Credit(t.Context(), account, units, []byte("invoice-1"))
	require.NoError(t, err)
	return p
}

// stamp stamps a document under its own key, once.
func (p *portal) stamp(ctx context.Context, i int) (serial.Receipt, error) {
	doc, err := sign.Open(bytes.NewReader(p.source), int64(len(p.source)), p.opt)
	if err != nil {
		return serial.Receipt{}, err
	}
	request, err := doc.Request(ctx, account, fmt.Appendf(nil, "order-%d", i))
	if err != nil {
		return serial.Receipt{}, err
	}
	return p.ledger.Redeem(ctx, request, func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		_, err := doc.Sign(ctx, w, p.cred, sign.Issue{Number: r.Number, Time: r.Time})
		return err
	})
}

// stampAll stamps n documents.
func (p *portal) stampAll(t testing.TB, n int) {
	var begun atomic.Int64
	p.stampWhile(t, func() bool { return begun.Add(1) <= int64(n) })
}

// stampWhile stamps new documents with 16 workers, each as a portal does: again with
// the same key until it is stamped.
func (p *portal) stampWhile(t testing.TB, more func() bool) {
	ctx, cancel := context.WithTimeout(context.Background(), guard)
	defer cancel()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for more() {
				p.untilStamped(ctx, t, int(p.next.Add(1)))
			}
		})
	}
	wg.Wait()
}

func (p *portal) untilStamped(ctx context.Context, t testing.TB, i int) {
	for ctx.Err() == nil {
		r, err := p.stamp(ctx, i)
		if err == nil {
			p.mu.Lock()
			p.numbers[r.Number] = i
			p.times = append(p.times, time.Now())
			p.mu.Unlock()
			p.stamped.Add(1)
			return
		}
		p.failed.Add(1)
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Errorf("document %d is not stamped: %v", i, err)
		}
	}
}

// firstAfter says how long after a moment the next document was stamped.
func (p *portal) firstAfter(at time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.SortFunc(p.times, time.Time.Compare)
	for _, done := range p.times {
		if done.After(at) {
			return done.Sub(at)
		}
	}
	return -1
}

// settled demands that each document has one unit and one number, that nothing is
// held, and that every tenth kept output passes the verifier.
func (p *portal) settled(t testing.TB) {
	t.Helper()
	n := int(p.next.Load())
	require.Len(t, p.numbers, n)
	b, err := p.ledger.Balance(t.Context(), account)
	require.NoError(t, err)
	require.Equal(t, int64(n), b.Stamped, "units used")
	require.Zero(t, b.Reserved)
	report, err := p.ledger.Audit(t.Context())
	require.NoError(t, err)
	require.True(t, report.Clean(), "%v", report.Problems)
	for number, i := range p.numbers {
		if i%10 != 0 {
			continue
		}
		out, err := p.ledger.Output(t.Context(), number)
		require.NoError(t, err)
		kept, err := io.ReadAll(out)
		require.NoError(t, err)
		require.NoError(t, out.Close())
		checkStamp(t, kept, p.pki)
	}
}

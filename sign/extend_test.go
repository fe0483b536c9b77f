package sign_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/ltv"
	"github.com/seed-574216e4/meterai/sign/tsa"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
	"github.com/seed-574216e4/meterai/verify"
)

// An authority is a specimen PKI with its services on the network.
type authority struct {
	*pkiserver.Service
	pki       *pki.PKI
	url       string
	collector *ltv.Collector
	client    *tsa.Client
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	a.url = server.URL
	var err error
	a.pki, err = pki.New(&pki.Options{URL: server.URL})
	require.NoError(t, err)
	a.Service, err = pkiserver.New(a.pki, nil)
	require.NoError(t, err)
	a.collector, err = ltv.New(&ltv.Options{HTTP: &http.Client{}, Certificates: []*x509.Certificate{a.pki.Root.Cert}})
	require.NoError(t, err)
	a.client, err = tsa.New(&tsa.Options{HTTP: &http.Client{}, Servers: []tsa.Server{{URL: server.URL + "/tsa"}}, Roots: a.pki.Roots()})
	require.NoError(t, err)
	return a
}

// signed is a document that this authority's e-seal has signed.
func (a *authority) signed(t testing.TB, src []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	_, err := open(t, src, nil).Sign(context.Background(), &out, credential(t, a.pki.StampP256), sign.Issue{})
	require.NoError(t, err)
	return out.Bytes()
}

func (a *authority) extend(t testing.TB, src []byte, opt *sign.ExtendOptions) ([]byte, *sign.Extension) {
	t.Helper()
	update, res, err := sign.Extend(t.Context(), bytes.NewReader(src), int64(len(src)), opt)
	require.NoError(t, err)
	require.Equal(t, int64(len(src)+len(update)), res.Length)
	return append(bytes.Clone(src), update...), res
}

// judged verifies with nothing but the root, at a time.
func (a *authority) judged(t testing.TB, b []byte, at time.Time) *verify.Report {
	t.Helper()
	r, err := verify.Document(t.Context(), bytes.NewReader(b), int64(len(b)), &verify.Options{Roots: a.pki.Roots(), Time: at})
	require.NoError(t, err)
	return r
}

// TestExtend: a document with validation data and timestamps verifies with the root alone, which without
// them it does not.
func TestExtend(t *testing.T) {
	a := newAuthority(t)
	for _, name := range []string{"classic.pdf", "object-streams.pdf", "hybrid.pdf", "pdf20.pdf", "form.pdf"} {
		src := a.signed(t, fileBytes(t, name))
		require.Equal(t, verify.Indeterminate, a.judged(t, src, time.Time{}).Indication, "no status is known of the signer")

		lt, res := a.extend(t, src, &sign.ExtendOptions{Data: a.collector})
		require.True(t, bytes.HasPrefix(lt, src))
		require.Positive(t, res.Certificates)
		require.Positive(t, res.OCSPs)
		require.Positive(t, res.CRLs)
		require.Empty(t, res.Missing)
		require.Zero(t, res.Timestamp)
		r := a.judged(t, lt, time.Time{})
		require.Equal(t, verify.TotalPassed, r.Indication, "%s: %s", name, r.Text())

		same, res := a.extend(t, lt, &sign.ExtendOptions{Data: a.collector})
		require.Equal(t, lt, same, "nothing is missing")
		require.Zero(t, res.Certificates+res.OCSPs+res.CRLs)

		lta, res := a.extend(t, src, &sign.ExtendOptions{Data: a.collector, Timestamp: a.client})
		require.WithinDuration(t, time.Now(), res.Timestamp, time.Minute)
		r = a.judged(t, lta, time.Time{})
		require.Equal(t, verify.TotalPassed, r.Indication, "%s: %s", name, r.Text())
		require.Len(t, r.Signatures, 2)

		again, res := a.extend(t, lta, &sign.ExtendOptions{Data: a.collector, Timestamp: a.client})
		require.False(t, res.Timestamp.IsZero())
		r = a.judged(t, again, time.Time{})
		require.Equal(t, verify.TotalPassed, r.Indication, "%s: %s", name, r.Text())
		require.Len(t, r.Signatures, 3)
	}
}

// TestExtendEarlier: what cannot be had of an earlier signature is told, of the newest it is an error.
func TestExtendEarlier(t *testing.T) {
	a := newAuthority(t)
	earlier := fileBytes(t, "signed-pyhanko.pdf")
	both, res := a.extend(t, a.signed(t, earlier), &sign.ExtendOptions{Data: a.collector})
	require.NotEmpty(t, res.Missing)
	require.Equal(t, verify.TotalPassed, a.judged(t, both, time.Time{}).Signatures[1].Indication)
	var refused *sign.ExtendError
	_, _, err := sign.Extend(t.Context(), bytes.NewReader(earlier), int64(len(earlier)), &sign.ExtendOptions{Data: a.collector})
	require.ErrorAs(t, err, &refused)
	var missing *ltv.MissingError
	require.ErrorAs(t, err, &missing)

	plain := fileBytes(t, "classic.pdf")
	_, _, err = sign.Extend(t.Context(), bytes.NewReader(plain), int64(len(plain)), &sign.ExtendOptions{Data: a.collector})
	require.ErrorAs(t, err, &refused)
	require.Contains(t, err.Error(), "no signature")
	_, _, err = sign.Extend(t.Context(), bytes.NewReader(plain[:100]), 100, nil)
	require.NoError(t, err, "nothing was asked for")
	_, _, err = sign.Extend(t.Context(), bytes.NewReader(plain[:100]), 100, &sign.ExtendOptions{Timestamp: a.client})
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

// gone is an authority that no longer knows of one certificate.
type gone struct {
	sign.Gatherer
	cert *x509.Certificate
}

func (g *gone) Collect(ctx context.Context, cert *x509.Certificate, more []*x509.Certificate) (*ltv.Data, error) {
	if cert.Equal(g.cert) {
		return nil, &ltv.MissingError{Certificate: cert, What: "revocation status"}
	}
	return g.Gatherer.Collect(ctx, cert, more)
}

// TestRenewal: a document is renewed when the services of its signer are gone, since it has their answers; not when
// those of its timestamp are.
func TestRenewal(t *testing.T) {
	a := newAuthority(t)
	lta, _ := a.extend(t, a.signed(t, fileBytes(t, "classic.pdf")), &sign.ExtendOptions{Data: a.collector, Timestamp: a.client})
	again, res := a.extend(t, lta, &sign.ExtendOptions{Data: &gone{a.collector, a.pki.StampP256.Cert}, Timestamp: a.client})
	require.Len(t, res.Missing, 1)
	require.Equal(t, verify.TotalPassed, a.judged(t, again, time.Time{}).Indication)
	_, _, err := sign.Extend(t.Context(), bytes.NewReader(lta), int64(len(lta)), &sign.ExtendOptions{Data: &gone{a.collector, a.pki.TSA.Cert}})
	var missing *ltv.MissingError
	require.ErrorAs(t, err, &missing)
}

// TestExtendTimestamps: a token that is too large is asked for once more with room, a bad one never embedded.
func TestExtendTimestamps(t *testing.T) {
	a := newAuthority(t)
	src := a.signed(t, fileBytes(t, "classic.pdf"))
	small, err := tsa.New(&tsa.Options{HTTP: &http.Client{}, Servers: []tsa.Server{{URL: a.url + "/tsa"}}, Size: 64})
	require.NoError(t, err)
	out, res := a.extend(t, src, &sign.ExtendOptions{Timestamp: small})
	require.False(t, res.Timestamp.IsZero())
	require.Equal(t, 2, a.Requests("/tsa"))
	require.NotEqual(t, verify.ModificationFailed, a.judged(t, out, time.Time{}).Modification)

	for name, ts := range map[string]timestamper{
		"nothing": func(context.Context, crypto.Hash, []byte) (*tsa.Token, error) { return nil, nil },
		"garbage": func(context.Context, crypto.Hash, []byte) (*tsa.Token, error) {
			return &tsa.Token{Raw: []byte("hello")}, nil
		},
		"something else": func(ctx context.Context, h crypto.Hash, _ []byte) (*tsa.Token, error) {
			return a.client.Timestamp(ctx, h, make([]byte, 32))
		},
		"an error": func(context.Context, crypto.Hash, []byte) (*tsa.Token, error) { return nil, tsa.ErrRetry },
	} {
		_, _, err := sign.Extend(t.Context(), bytes.NewReader(src), int64(len(src)), &sign.ExtendOptions{Timestamp: ts})
		var refused *sign.ExtendError
		require.ErrorAs(t, err, &refused, name)
		require.Equal(t, name == "an error", err != nil && refused.Err == tsa.ErrRetry, name)
	}
}

type timestamper func(context.Context, crypto.Hash, []byte) (*tsa.Token, error)

func (f timestamper) Timestamp(ctx context.Context, h crypto.Hash, digest []byte) (*tsa.Token, error) {
	return f(ctx, h, digest)
}

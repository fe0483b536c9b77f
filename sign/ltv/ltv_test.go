package ltv_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/seed-574216e4/meterai/sign/ltv"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

type world struct {
	*pkiserver.Service
	pki   *pki.PKI
	clock time.Time
}

// start runs the services of a specimen PKI whose certificates name them.
func start(t testing.TB) *world {
	t.Helper()
	w := &world{clock: time.Now()}
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.ServeHTTP(rw, r) })
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	var err error
	w.pki, err = pki.New(&pki.Options{URL: server.URL})
	require.NoError(t, err)
	w.Service, err = pkiserver.New(w.pki, nil)
	require.NoError(t, err)
	return w
}

func (w *world) collector(t testing.TB, change func(*ltv.Options)) *ltv.Collector {
	t.Helper()
	opt := &ltv.Options{HTTP: &http.Client{}, Timeout: 30 * time.Second, Now: func() time.Time { return w.clock }}
	if change != nil {
		change(opt)
	}
	c, err := ltv.New(opt)
	require.NoError(t, err)
	return c
}

func (w *world) leaf() *x509.Certificate { return w.pki.StampP256.Cert }

func TestCollect(t *testing.T) {
	w := start(t)
	c := w.collector(t, nil)
	data, err := c.Collect(t.Context(), w.leaf(), nil)
	require.NoError(t, err)
	require.Len(t, data.OCSPs, 1, "the signer's status")
	require.Len(t, data.CRLs, 1, "the issuing authority's status is in the root's list")
	require.Equal(t, w.pki.CRLs[0], data.CRLs[0])
	require.Contains(t, data.Certificates, w.leaf())
	names := map[string]bool{}
	for _, k := range data.Certificates {
		names[k.Subject.CommonName] = true
	}
	for _, k := range []*x509.Certificate{w.pki.Issuing.Cert, w.pki.Root.Cert, w.pki.OCSP.Cert} {
		require.True(t, names[k.Subject.CommonName], "%s is missing", k.Subject)
	}
	require.Equal(t, 1, w.Requests("/issuing.crt"), "the issuer is fetched where the certificate says")

	// Again, with another certificate of the same path: only its own status is new.
	more, err := c.Collect(t.Context(), w.pki.TSA.Cert, []*x509.Certificate{w.pki.Issuing.Cert, w.pki.Root.Cert})
	require.NoError(t, err)
	require.Equal(t, 1, w.Requests("/root.crl"))
	require.Equal(t, 2, w.Requests("/ocsp"))
	_, err = c.Collect(t.Context(), w.leaf(), nil)
	require.NoError(t, err)
	require.Equal(t, 2, w.Requests("/ocsp"), "an answer is used again")
	before := len(data.Certificates)
	data.Add(more)
	data.Add(more)
	require.Len(t, data.Certificates, before+1)
	require.Len(t, data.OCSPs, 2)
	require.Len(t, data.CRLs, 1)

	// Until it is due.
	w.clock = w.clock.Add(2 * time.Hour)
	data, err = c.Collect(t.Context(), w.leaf(), nil)
	require.NoError(t, err)
	require.Equal(t, 3, w.Requests("/ocsp"))
	require.Empty(t, data.OCSPs, "the service's clock is two hours behind: its answers are no longer current for us")
	require.Len(t, data.CRLs, 2)
}

func TestFallback(t *testing.T) {
	w := start(t)
	w.SetFault("/ocsp", pkiserver.Fault{HTTPStatus: 503})
	data, err := w.collector(t, nil).Collect(t.Context(), w.leaf(), nil)
	require.NoError(t, err)
	require.Empty(t, data.OCSPs)
	require.Len(t, data.CRLs, 2)
}

func TestOffline(t *testing.T) {
	w := start(t)
	given := func(o *ltv.Options) {
		o.HTTP = nil
		o.CRLs = [][]byte{{1, 2}, w.pki.CRLs[0], w.pki.CRLs[1]}
		o.Certificates = []*x509.Certificate{w.pki.Issuing.Cert, w.pki.Root.Cert}
	}
	data, err := w.collector(t, given).Collect(t.Context(), w.leaf(), nil)
	require.NoError(t, err)
	require.Equal(t, [][]byte{w.pki.CRLs[1], w.pki.CRLs[0]}, data.CRLs)
	require.Zero(t, w.Requests("/ocsp"))

	var missing *ltv.MissingError
	_, err = w.collector(t, func(o *ltv.Options) { o.HTTP = nil }).Collect(t.Context(), w.leaf(), nil)
	require.ErrorAs(t, err, &missing)
	require.Equal(t, "issuer", missing.What)
	_, err = w.collector(t, func(o *ltv.Options) { given(o); o.CRLs = o.CRLs[:2] }).Collect(t.Context(), w.leaf(), nil)
	require.ErrorAs(t, err, &missing)
	require.Equal(t, "revocation status", missing.What)

	bare, err := pki.New(nil)
	require.NoError(t, err)
	_, err = w.collector(t, nil).Collect(t.Context(), bare.StampP256.Cert, []*x509.Certificate{bare.Issuing.Cert})
	require.ErrorAs(t, err, &missing)
	require.Contains(t, err.Error(), "names no source")
}

func TestRevoked(t *testing.T) {
	for _, path := range []string{"/none", "/ocsp"} {
		w := start(t)
		at := w.pki.Now().Add(-time.Minute)
		require.NoError(t, w.Revoke(w.leaf(), 1, at))
		w.SetFault(path, pkiserver.Fault{HTTPStatus: 500})
		_, err := w.collector(t, nil).Collect(t.Context(), w.leaf(), nil)
		var revoked *ltv.RevokedError
		require.ErrorAs(t, err, &revoked)
		require.True(t, revoked.Certificate.Equal(w.leaf()))
		require.WithinDuration(t, at, revoked.At, time.Second)
	}
}

// TestBadAnswers: what a verifier will not accept is not collected.
func TestBadAnswers(t *testing.T) {
	other, err := pki.New(nil)
	require.NoError(t, err)
	for name, faults := range map[string]map[string]pkiserver.Fault{
		"unknown":           {"/ocsp": {OCSP: func(r *ocsp.Response) { r.Status = ocsp.Unknown }}, "/issuing.crl": {HTTPStatus: 404}},
		"old OCSP":          {"/ocsp": {OCSP: func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = time.Unix(0, 0), time.Unix(9, 0) }}, "/issuing.crl": {HTTPStatus: 404}},
		"of the future":     {"/ocsp": {OCSP: func(r *ocsp.Response) { r.ThisUpdate = time.Now().Add(time.Hour) }}, "/issuing.crl": {HTTPStatus: 404}},
		"another responder": {"/ocsp": {Signer: &other.OCSP}, "/issuing.crl": {HTTPStatus: 404}},
		"no responder":      {"/ocsp": {Signer: &other.StampP256}, "/issuing.crl": {HTTPStatus: 404}},
		"garbage":           {"/ocsp": {Body: []byte("hello")}, "/issuing.crl": {Body: []byte("hello")}},
		"another's list":    {"/ocsp": {HTTPStatus: 500}, "/issuing.crl": {Body: other.CRLs[1]}},
		"too large":         {"/ocsp": {Body: []byte{0}, Size: 2 << 20}, "/issuing.crl": {Body: []byte{0}, Size: 2 << 20}},
		"no issuer":         {"/issuing.crt": {HTTPStatus: 404}},
		"another issuer":    {"/issuing.crt": {Body: other.Issuing.Cert.Raw}},
		"issuer is garbage": {"/issuing.crt": {Body: []byte{0x30, 0x80}}},
		"redirect to file":  {"/issuing.crt": {HTTPStatus: 302, Header: http.Header{"Location": {"file:///etc/passwd"}}}},
		"redirect loop":     {"/issuing.crt": {HTTPStatus: 302, Header: http.Header{"Location": {"/issuing.crt"}}}},
	} {
		w := start(t)
		for path, f := range faults {
			w.SetFault(path, f)
		}
		_, err := w.collector(t, func(o *ltv.Options) { o.MaxResponse = 1 << 20 }).Collect(t.Context(), w.leaf(), nil)
		var missing *ltv.MissingError
		require.ErrorAs(t, err, &missing, name)
		require.Error(t, missing.Err, name)
		require.NotContains(t, err.Error(), "/issuing.crt", name)
	}
}

// A responder that its own issuer does not vouch for with nocheck is looked up as well; one that is not certified for
// OCSP is refused.
func TestResponders(t *testing.T) {
	w := start(t)
	w.SetFault("/ocsp", pkiserver.Fault{Signer: &w.pki.StampRSA})
	data, err := w.collector(t, nil).Collect(t.Context(), w.leaf(), nil)
	require.NoError(t, err)
	require.Empty(t, data.OCSPs, "a signing certificate is no responder's")
	require.Len(t, data.CRLs, 2)
}

func TestContext(t *testing.T) {
	w := start(t)
	w.SetFault("/issuing.crt", pkiserver.Fault{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err := w.collector(t, nil).Collect(ctx, w.leaf(), nil)
	require.ErrorIs(t, err, context.Canceled)

	_, err = w.collector(t, func(o *ltv.Options) { o.Timeout = time.Millisecond }).Collect(t.Context(), w.leaf(), nil)
	var missing *ltv.MissingError
	require.ErrorAs(t, err, &missing)
}

func TestNew(t *testing.T) {
	for _, opt := range []ltv.Options{{MaxResponse: -1}, {Timeout: -1}, {MaxAge: -1}} {
		_, err := ltv.New(&opt)
		require.Error(t, err)
	}
	c, err := ltv.New(nil)
	require.NoError(t, err)
	self := start(t).pki.Root.Cert
	data, err := c.Collect(t.Context(), self, nil)
	require.NoError(t, err)
	require.Equal(t, []*x509.Certificate{self}, data.Certificates)
}

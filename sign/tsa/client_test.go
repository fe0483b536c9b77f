package tsa_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/tsa"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

func TestTimestamp(t *testing.T) {
	srv := serve(t)
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		t.Run(hash.String(), func(t *testing.T) {
			h := hash.New()
			h.Write([]byte("document"))
			sum := h.Sum(nil)
			c := client(t, func(o *tsa.Options) { o.Policy = pkiserver.DefaultPolicy() }, srv.URL+"/tsa")
			tok, err := c.Timestamp(within(t), hash, sum)
			require.NoError(t, err)
			require.True(t, tok.Covers(hash, sum))
			require.False(t, tok.Covers(hash, sum[1:]))
			require.False(t, tok.Covers(crypto.SHA3_256, sum))
			require.True(t, tok.Certificate.Equal(srv.PKI.TSA.Cert))
			require.Len(t, tok.Certificates, 2)
			require.True(t, tok.Policy.Equal(pkiserver.DefaultPolicy()))
			require.Equal(t, time.Second, tok.Accuracy)
			require.False(t, tok.Ordering)
			require.Positive(t, tok.Serial.Sign())
			require.LessOrEqual(t, tok.Nonce.BitLen(), 64)
			require.Equal(t, time.UTC, tok.Time.Location())

			again, err := tsa.Parse(tok.Raw)
			require.NoError(t, err)
			require.Equal(t, tok.Serial, again.Serial)
			other, err := c.Timestamp(within(t), hash, sum)
			require.NoError(t, err)
			require.NotEqual(t, tok.Nonce, other.Nonce)
		})
	}
}

// TestMisbehaviour has a line for every way in which an authority can fail.
func TestMisbehaviour(t *testing.T) {
	p, srv := specimen(t), serve(t)
	expired := issued(t, &pki.Request{CommonName: "Old TSA", Use: pki.Timestamping,
		NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(-1, 0, 0)})
	others, err := pki.New(nil)
	require.NoError(t, err)
	token := func(change func([]byte) []byte) pkiserver.Fault { return pkiserver.Fault{Token: change} }
	says := func(change func(*cms.TimestampInfo)) pkiserver.Fault { return pkiserver.Fault{Info: change} }
	refuses := func(status int, bits ...int) pkiserver.Fault {
		return pkiserver.Fault{Reject: &pkiserver.Rejection{Status: status, Failure: bits, Text: "no\n\x1b[31m"}}
	}
	later := func(r time.Duration) func(*cms.TimestampInfo) {
		return func(i *cms.TimestampInfo) { i.Time = i.Time.Add(r) }
	}
	for name, c := range map[string]struct {
		fault pkiserver.Fault
		want  error      // ErrRetry, ErrRefused or ErrToken
		why   tsa.Reason // of a TokenError
	}{
		"rejected: badAlg":           {refuses(2, 0), tsa.ErrRefused, ""},
		"rejected: unacceptedPolicy": {refuses(2, 15), tsa.ErrRefused, ""},
		"rejected: several":          {refuses(2, 2, 5, 16, 17), tsa.ErrRefused, ""},
		"rejected without a reason":  {refuses(2), tsa.ErrRefused, ""},
		"timeNotAvailable":           {refuses(2, 14), tsa.ErrRetry, ""},
		"systemFailure":              {refuses(2, 25), tsa.ErrRetry, ""},
		"waiting":                    {refuses(3), tsa.ErrRetry, ""},
		"revocation warning":         {refuses(4), tsa.ErrRefused, ""},
		"a status nobody knows":      {refuses(77, 31), tsa.ErrRefused, ""},
		"granted without a token":    {refuses(0), tsa.ErrToken, tsa.ReasonResponse},

		"400": {pkiserver.Fault{HTTPStatus: 400}, tsa.ErrRefused, ""},
		"401": {pkiserver.Fault{HTTPStatus: 401}, tsa.ErrRefused, ""},
		"403": {pkiserver.Fault{HTTPStatus: 403}, tsa.ErrRefused, ""},
		"404": {pkiserver.Fault{HTTPStatus: 404}, tsa.ErrRefused, ""},
		"408": {pkiserver.Fault{HTTPStatus: 408}, tsa.ErrRetry, ""},
		"429": {pkiserver.Fault{HTTPStatus: 429}, tsa.ErrRetry, ""},
		"500": {pkiserver.Fault{HTTPStatus: 500}, tsa.ErrRetry, ""},
		"501": {pkiserver.Fault{HTTPStatus: 501}, tsa.ErrRefused, ""},
		"503": {pkiserver.Fault{HTTPStatus: 503}, tsa.ErrRetry, ""},
		"204": {pkiserver.Fault{HTTPStatus: 204}, tsa.ErrRefused, ""},
		"302 to another scheme": {pkiserver.Fault{HTTPStatus: 302, Header: http.Header{"Location": {"file:///etc/passwd"}}},
			tsa.ErrRefused, ""},
		"307 to a link-local address": {pkiserver.Fault{HTTPStatus: 307, Header: http.Header{"Location": {"http://169.254.169.254/"}}},
			tsa.ErrRefused, ""},
		"302 to nowhere": {pkiserver.Fault{HTTPStatus: 302, Header: http.Header{"Location": {"http://%zz" + strings.Repeat("x", 9000)}}},
			tsa.ErrRetry, ""},

		"empty":             {pkiserver.Fault{Body: []byte{}}, tsa.ErrToken, tsa.ReasonResponse},
		"a page":            {pkiserver.Fault{Body: []byte("<html>welcome to the hotel</html>")}, tsa.ErrToken, tsa.ReasonResponse},
		"cut short":         {token(func(b []byte) []byte { return b[:len(b)/2] }), tsa.ErrToken, tsa.ReasonMalformed},
		"bytes after":       {token(func(b []byte) []byte { return append(b, 0, 0) }), tsa.ErrToken, tsa.ReasonMalformed},
		"two tokens":        {token(func(b []byte) []byte { return append(b, b...) }), tsa.ErrToken, tsa.ReasonMalformed},
		"too large":         {pkiserver.Fault{Body: []byte("\x30\x84\x7f\xff\xff\xff"), Size: 20 << 20}, tsa.ErrToken, tsa.ReasonSize},
		"another nonce":     {says(func(i *cms.TimestampInfo) { i.Nonce = new(big.Int).Add(i.Nonce, big.NewInt(1)) }), tsa.ErrToken, tsa.ReasonNonce},
		"no nonce":          {says(func(i *cms.TimestampInfo) { i.Nonce = nil }), tsa.ErrToken, tsa.ReasonNonce},
		"negative nonce":    {says(func(i *cms.TimestampInfo) { i.Nonce = new(big.Int).Neg(i.Nonce) }), tsa.ErrToken, tsa.ReasonNonce},
		"another imprint":   {says(func(i *cms.TimestampInfo) { i.Imprint = make([]byte, 32) }), tsa.ErrToken, tsa.ReasonImprint},
		"another hash":      {says(func(i *cms.TimestampInfo) { i.Hash, i.Imprint = cms.Digest(crypto.SHA512), make([]byte, 64) }), tsa.ErrToken, tsa.ReasonImprint},
		"another policy":    {says(func(i *cms.TimestampInfo) { i.Policy = asn1.ObjectIdentifier{1, 2, 3} }), tsa.ErrToken, tsa.ReasonPolicy},
		"an hour early":     {says(later(-time.Hour + time.Minute)), tsa.ErrToken, tsa.ReasonTime},
		"an hour late":      {says(later(time.Hour)), tsa.ErrToken, tsa.ReasonTime},
		"anywhere in a day": {says(func(i *cms.TimestampInfo) { i.Accuracy = 24 * time.Hour }), tsa.ErrToken, tsa.ReasonTime},
		"critical extension": {says(func(i *cms.TimestampInfo) {
			i.Extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		}), tsa.ErrToken, tsa.ReasonExtension},

		"no certificate":                  {pkiserver.Fault{NoCertificate: true}, tsa.ErrToken, tsa.ReasonCertificate},
		"certificate of an e-seal":        {pkiserver.Fault{Signer: &p.StampP256}, tsa.ErrToken, tsa.ReasonCertificate},
		"certificate of a responder":      {pkiserver.Fault{Signer: &p.OCSP}, tsa.ErrToken, tsa.ReasonCertificate},
		"extended key usage not critical": {pkiserver.Fault{Signer: looseTSA(t)}, tsa.ErrToken, tsa.ReasonCertificate},
		"certificate expired":             {pkiserver.Fault{Signer: expired}, tsa.ErrToken, tsa.ReasonTime},
		"certificate of others":           {pkiserver.Fault{Signer: &others.TSA}, tsa.ErrToken, tsa.ReasonPath},
		"another's key":                   {pkiserver.Fault{Signer: &pki.Identity{Cert: p.TSA.Cert, Chain: p.TSA.Chain, Key: p.OCSP.Key}}, tsa.ErrToken, tsa.ReasonSignature},
		"a bit of the signature":          {token(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), tsa.ErrToken, tsa.ReasonSignature},
	} {
		t.Run(name, func(t *testing.T) {
			cl := client(t, func(o *tsa.Options) { o.Policy = pkiserver.DefaultPolicy() }, srv.URL+"/tsa?token=geheim")
			srv.SetFault("/tsa", pkiserver.Fault{})
			_, err := cl.Timestamp(within(t), crypto.SHA256, digest()) // a good one before changes nothing
			require.NoError(t, err)
			srv.SetFault("/tsa", c.fault)
			before := srv.Requests("/tsa")
			tok, err := cl.Timestamp(within(t), crypto.SHA256, digest())
			require.Nil(t, tok)
			require.Equal(t, before+1, srv.Requests("/tsa"), "asked once")
			require.ErrorIs(t, err, c.want)
			for _, other := range []error{tsa.ErrRetry, tsa.ErrRefused, tsa.ErrToken} {
				require.Equal(t, other == c.want, errors.Is(err, other))
			}
			var wrong *tsa.TokenError
			require.Equal(t, c.why != "", errors.As(err, &wrong), err)
			if c.why != "" {
				require.Equal(t, c.why, wrong.Reason, err)
				require.Equal(t, srv.URL+"/tsa", wrong.Server)
			}
			requirePrintable(t, err)
		})
	}
}

// requirePrintable holds an error to one line without secrets.
func requirePrintable(t *testing.T, err error) {
	t.Helper()
	require.NotContains(t, err.Error(), "geheim")
	require.NotContains(t, err.Error(), "\n")
	require.NotContains(t, err.Error(), "\x1b")
	require.Less(t, len(err.Error()), 1000)
	require.True(t, strings.HasPrefix(err.Error(), "tsa: "), err)
}

func TestStatusTexts(t *testing.T) {
	srv := serve(t)
	srv.SetFault("/tsa", pkiserver.Fault{Reject: &pkiserver.Rejection{Status: 2, Failure: []int{0, 14, 30}, Text: "busy\n" + strings.Repeat("x", 999)}})
	_, err := client(t, nil, srv.URL+"/tsa").Timestamp(within(t), crypto.SHA256, digest())
	var status *tsa.StatusError
	require.ErrorAs(t, err, &status)
	require.Equal(t, tsa.Rejection, status.Status)
	require.Equal(t, tsa.BadAlgorithm|tsa.TimeNotAvailable|1<<30, status.Failure)
	require.Equal(t, "badAlg, timeNotAvailable, failure bits 0x40000000", status.Failure.String())
	require.Equal(t, "no reason given", tsa.Failure(0).String())
	require.True(t, strings.HasPrefix(status.Text, "busy?xxx"))
	require.Equal(t, "rejected", status.Status.String())
	require.Equal(t, "status 6", tsa.Status(6).String())
}

func TestSlowAndSilentServers(t *testing.T) {
	srv := serve(t)
	for name, fault := range map[string]pkiserver.Fault{
		"silent": {Hang: true}, "dripping": {Drip: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			srv.SetFault("/tsa", fault)
			impatient := client(t, func(o *tsa.Options) { o.Servers[0].Timeout = 100 * time.Millisecond }, srv.URL+"/tsa")
			_, err := impatient.Timestamp(within(t), crypto.SHA256, digest())
			var transport *tsa.TransportError
			require.ErrorAs(t, err, &transport)
			require.ErrorIs(t, err, tsa.ErrRetry)
			require.NotErrorIs(t, err, context.DeadlineExceeded, "it was not the caller's deadline")
			require.ErrorContains(t, err, "no answer within 100ms")

			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			_, err = client(t, nil, srv.URL+"/tsa", srv.URL+"/tsa").Timestamp(ctx, crypto.SHA256, digest())
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, tsa.ErrRetry)
			var all *tsa.FailoverError
			require.ErrorAs(t, err, &all)
			require.Len(t, all.Errs, 1, "nobody waits for the second")
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := client(t, nil, srv.URL+"/tsa").Timestamp(ctx, crypto.SHA256, digest())
	require.ErrorIs(t, err, context.Canceled)
}

func TestUnreachable(t *testing.T) {
	srv := serve(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, err := client(t, nil, gone.URL+"/?key=geheim").Timestamp(within(t), crypto.SHA256, digest())
	require.ErrorIs(t, err, tsa.ErrRetry)
	requirePrintable(t, err)

	// An address that is no authority's: CRL instead of token.
	_, err = client(t, nil, srv.URL+"/root.crl").Timestamp(within(t), crypto.SHA256, digest())
	require.ErrorIs(t, err, tsa.ErrRefused)

	// A server whose certificate nobody trusts is not talked to.
	tls := httptest.NewUnstartedServer(srv)
	tls.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	tls.StartTLS()
	defer tls.Close()
	_, err = client(t, nil, tls.URL+"/tsa").Timestamp(within(t), crypto.SHA256, digest())
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown)
}

// behind puts a server before the service that changes its answers.
func behind(t *testing.T, srv *pkiserver.Running, change func(w http.ResponseWriter, body []byte)) *httptest.Server {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		srv.ServeHTTP(rec, r)
		change(w, rec.Body.Bytes())
	}))
	t.Cleanup(front.Close)
	return front
}

func TestAnswersOnTheWay(t *testing.T) {
	srv := serve(t)
	for name, c := range map[string]struct {
		change func(w http.ResponseWriter, body []byte)
		want   error // nil: a token
	}{
		"as it is": {func(w http.ResponseWriter, b []byte) { _, _ = w.Write(b) }, nil},
		"granted with modifications": {func(w http.ResponseWriter, b []byte) {
			b[bytes.Index(b, []byte{0x30, 3, 2, 1, 0})+4] = 1
			_, _ = w.Write(b)
		}, nil},
		"another content type": {func(w http.ResponseWriter, b []byte) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(b)
		}, nil},
		"packed although nobody asked": {func(w http.ResponseWriter, b []byte) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 64<<20))
			_ = z.Close()
		}, tsa.ErrToken},
		"broken off": {func(w http.ResponseWriter, b []byte) {
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
			_, _ = w.Write(b[:len(b)/2])
			panic(http.ErrAbortHandler)
		}, tsa.ErrRetry},
		"broken off before it began": {func(http.ResponseWriter, []byte) { panic(http.ErrAbortHandler) }, tsa.ErrRetry},
	} {
		t.Run(name, func(t *testing.T) {
			front := behind(t, srv, c.change)
			_, err := client(t, nil, front.URL+"/tsa").Timestamp(within(t), crypto.SHA256, digest())
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.want)
			requirePrintable(t, err)
		})
	}
}

func TestFailover(t *testing.T) {
	bad, good := serve(t), serve(t)
	var now sync.Mutex
	clock := time.Now()
	var log bytes.Buffer
	c := client(t, func(o *tsa.Options) {
		o.Now = func() time.Time { now.Lock(); defer now.Unlock(); return clock }
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	}, bad.URL+"/tsa?key=geheim", good.URL+"/tsa")
	ask := func() { // must succeed
		t.Helper()
		tok, err := c.Timestamp(within(t), crypto.SHA256, digest())
		require.NoError(t, err)
		require.True(t, tok.Covers(crypto.SHA256, digest()))
	}
	counts := func(want ...int) {
		t.Helper()
		require.Equal(t, want, []int{bad.Requests("/tsa"), good.Requests("/tsa")})
	}
	ask()
	counts(1, 0)

	bad.SetFault("/tsa", pkiserver.Fault{HTTPStatus: 503, Header: http.Header{"Retry-After": {"60"}}})
	ask()
	counts(2, 1)
	require.Contains(t, log.String(), "503")
	require.NotContains(t, log.String(), "geheim")
	ask()
	counts(2, 2) // the first one rests

	bad.SetFault("/tsa", pkiserver.Fault{})
	now.Lock()
	clock = clock.Add(59 * time.Second)
	now.Unlock()
	ask()
	counts(2, 3) // as long as it asked for
	now.Lock()
	clock = clock.Add(2 * time.Second)
	now.Unlock()
	ask()
	counts(3, 3)

	// All fail, each in its way.
	bad.SetFault("/tsa", pkiserver.Fault{HTTPStatus: 503})
	good.SetFault("/tsa", pkiserver.Fault{HTTPStatus: 401})
	_, err := c.Timestamp(within(t), crypto.SHA256, digest())
	require.ErrorIs(t, err, tsa.ErrRetry)
	require.ErrorIs(t, err, tsa.ErrRefused)
	var all *tsa.FailoverError
	require.ErrorAs(t, err, &all)
	require.Len(t, all.Errs, 2)
	var status *tsa.HTTPError
	require.ErrorAs(t, all.Errs[1], &status)
	require.Equal(t, 401, status.Status)
	requirePrintable(t, err)

	// A resting server is still asked when there is nobody else, and when it then
	// answers it has rested enough.
	bad.SetFault("/tsa", pkiserver.Fault{})
	counts(4, 4)
	ask()
	counts(5, 5)
	ask()
	counts(6, 5)
}

func TestFailoverOfTimestampers(t *testing.T) {
	srv := serve(t)
	good := client(t, nil, srv.URL+"/tsa")
	tok, err := tsa.Failover{refusing{}, good}.Timestamp(within(t), crypto.SHA256, digest())
	require.NoError(t, err)
	require.True(t, tok.Covers(crypto.SHA256, digest()))
	require.Equal(t, tsa.DefaultSize, tsa.Failover{refusing{}, good}.MaxSize())
	require.Less(t, tsa.Failover{good}.MaxSize(), tsa.DefaultSize)

	_, err = tsa.Failover{refusing{}}.Timestamp(within(t), crypto.SHA256, digest())
	require.Equal(t, tsa.ErrRefused, err)
	_, err = tsa.Failover(nil).Timestamp(within(t), crypto.SHA256, digest())
	require.ErrorIs(t, err, tsa.ErrRefused)
}

type refusing struct{}

func (refusing) Timestamp(context.Context, crypto.Hash, []byte) (*tsa.Token, error) {
	return nil, tsa.ErrRefused
}

func TestMaxSize(t *testing.T) {
	srv := serve(t)
	c := client(t, nil, srv.URL+"/tsa")
	require.Equal(t, tsa.DefaultSize, c.MaxSize())
	tok, err := c.Timestamp(within(t), crypto.SHA256, digest())
	require.NoError(t, err)
	require.GreaterOrEqual(t, c.MaxSize(), len(tok.Raw)+512)
	require.Less(t, c.MaxSize(), len(tok.Raw)+1024)

	srv.SetFault("/tsa", pkiserver.Fault{Info: func(i *cms.TimestampInfo) {
		i.Extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: make([]byte, 20<<10)}}
	}})
	large, err := c.Timestamp(within(t), crypto.SHA256, digest())
	require.NoError(t, err)
	require.Greater(t, len(large.Raw), 20<<10)
	require.GreaterOrEqual(t, c.MaxSize(), len(large.Raw)+512)

	// One of two has not been heard yet, so it may be as large as the guess.
	two := client(t, func(o *tsa.Options) { o.Size = 40 << 10 }, srv.URL+"/tsa", srv.URL+"/tsa")
	_, err = two.Timestamp(within(t), crypto.SHA256, digest())
	require.NoError(t, err)
	require.Equal(t, 40<<10, two.MaxSize())
}

func TestBasicAuth(t *testing.T) {
	srv := serve(t)
	guarded := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, pass, ok := r.BasicAuth(); !ok || user != "meterai" || pass != "geheim" {
			w.Header().Set("WWW-Authenticate", `Basic realm="tsa"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		srv.ServeHTTP(w, r)
	}))
	defer guarded.Close()
	for _, c := range []struct {
		user, password string
		ok             bool
	}{{"meterai", "geheim", true}, {"meterai", "geheim2", false}, {"", "", false}} {
		cl := client(t, func(o *tsa.Options) {
			o.Servers[0].Username, o.Servers[0].Password, o.Servers[0].PasswordInClear = c.user, c.password, true
		}, guarded.URL+"/tsa")
		_, err := cl.Timestamp(within(t), crypto.SHA256, digest())
		if c.ok {
			require.NoError(t, err)
			continue
		}
		var status *tsa.HTTPError
		require.ErrorAs(t, err, &status)
		require.Equal(t, http.StatusUnauthorized, status.Status)
		require.ErrorIs(t, err, tsa.ErrRefused)
		requirePrintable(t, err)
	}
}

func TestNewRefuses(t *testing.T) {
	ok := tsa.Server{URL: "https://tsa.example/"}
	for name, opt := range map[string]*tsa.Options{
		"nothing":               nil,
		"no HTTP client":        {Servers: []tsa.Server{ok}},
		"no server":             {HTTP: http.DefaultClient},
		"too many":              {HTTP: http.DefaultClient, Servers: make([]tsa.Server, 17)},
		"another scheme":        {HTTP: http.DefaultClient, Servers: []tsa.Server{{URL: "ldap://tsa.example/geheim"}}},
		"file":                  {HTTP: http.DefaultClient, Servers: []tsa.Server{{URL: "file:///geheim"}}},
		"no host":               {HTTP: http.DefaultClient, Servers: []tsa.Server{{URL: "https:///geheim"}}},
		"no URL":                {HTTP: http.DefaultClient, Servers: []tsa.Server{{URL: "https://u:geheim@[tsa"}}},
		"user information":      {HTTP: http.DefaultClient, Servers: []tsa.Server{{URL: "https://u:geheim@tsa.example/"}}},
		"password over http":    {HTTP: http.DefaultClient, Servers: []tsa.Server{{URL: "http://tsa.example/", Password: "geheim"}}},
		"the second of several": {HTTP: http.DefaultClient, Servers: []tsa.Server{ok, {URL: "geheim"}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tsa.New(opt)
			require.Error(t, err)
			requirePrintable(t, err)
		})
	}
	_, err := tsa.New(&tsa.Options{HTTP: http.DefaultClient, Servers: []tsa.Server{ok}})
	require.NoError(t, err)
	require.Nil(t, http.DefaultClient.CheckRedirect, "the caller's client stays as it is")
}

func TestRequestsThatNoAuthorityTakes(t *testing.T) {
	srv := serve(t)
	c := client(t, nil, srv.URL+"/tsa")
	for _, hash := range []crypto.Hash{0, crypto.MD5, crypto.SHA1, crypto.SHA3_256} {
		_, err := c.Timestamp(within(t), hash, make([]byte, 32))
		require.ErrorIs(t, err, tsa.ErrRefused)
	}
	_, err := c.Timestamp(within(t), crypto.SHA256, make([]byte, 20))
	require.ErrorIs(t, err, tsa.ErrRefused)
	require.Zero(t, srv.Requests("/tsa"), "nobody was asked")

	// Policies that the authority does not have.
	c = client(t, func(o *tsa.Options) { o.Policy = asn1.ObjectIdentifier{1, 2, 3, 4} }, srv.URL+"/tsa")
	_, err = c.Timestamp(within(t), crypto.SHA256, digest())
	var status *tsa.StatusError
	require.ErrorAs(t, err, &status)
	require.Equal(t, tsa.UnacceptedPolicy, status.Failure)
}

func TestConcurrentUse(t *testing.T) {
	a, b := serve(t), serve(t)
	c := client(t, nil, a.URL+"/tsa", b.URL+"/tsa")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if i == 8 {
				a.SetFault("/tsa", pkiserver.Fault{HTTPStatus: 500})
			}
			tok, err := c.Timestamp(within(t), crypto.SHA256, digest())
			if err != nil || !tok.Covers(crypto.SHA256, digest()) || c.MaxSize() == 0 {
				t.Error("no token", err)
			}
		}()
	}
	wg.Wait()
}

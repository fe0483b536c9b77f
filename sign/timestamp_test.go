package sign_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/tsa"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
	"github.com/seed-574216e4/meterai/verify"
)

// startTSA starts the specimen's timestamp authority and a client of it.
func startTSA(t testing.TB) (*pkiserver.Running, *tsa.Client) {
	t.Helper()
	srv, err := pkiserver.Start(specimen(t), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	return srv, tsaClient(t, srv.URL+"/tsa")
}

func tsaClient(t testing.TB, url string) *tsa.Client {
	t.Helper()
	c, err := tsa.New(&tsa.Options{
		HTTP:    &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		Servers: []tsa.Server{{URL: url, Timeout: time.Minute}}, Roots: specimen(t).Roots(),
	})
	require.NoError(t, err)
	return c
}

// counted is a key that counts its uses.
type counted struct {
	crypto.Signer
	uses *atomic.Int64
}

func (c counted) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	c.uses.Add(1)
	return c.Signer.Sign(r, digest, opts)
}

func countedCredential(t testing.TB, id pki.Identity) (*sign.Credential, *atomic.Int64) {
	t.Helper()
	uses := new(atomic.Int64)
	id.Key = counted{id.Key, uses}
	return credential(t, id), uses
}

// large makes the authority's tokens larger by n bytes.
func large(n int) pkiserver.Fault {
	return pkiserver.Fault{Info: func(i *cms.TimestampInfo) {
		i.Extensions = []pkix.Extension{{Id: []int{1, 2, 3}, Value: make([]byte, n)}}
	}}
}

// requireLevel verifies a document whose last signature is the one looked at.
func requireLevel(t testing.TB, level string, doc []byte) {
	t.Helper()
	report := verified(t, doc)
	require.Equal(t, verify.TotalPassed, report.Indication, "%v", report)
	last := report.Signatures[len(report.Signatures)-1]
	require.Equal(t, level, last.Level)
	require.Equal(t, level == "B-T", last.Timestamp != nil)
}

func TestTimestamped(t *testing.T) {
	p := specimen(t)
	srv, client := startTSA(t)
	ed25519, err := p.Issue(&pki.Request{CommonName: "E-Seal Ed25519", Key: pki.Ed25519})
	require.NoError(t, err)
	for name, id := range map[string]pki.Identity{"P-256": p.StampP256, "RSA-2048": p.StampRSA, "Ed25519": ed25519} {
		t.Run(name, func(t *testing.T) {
			opt := stampOptions(t)
			opt.Timestamp = &sign.Timestamp{Authority: client}
			src, before := fileBytes(t, "object-streams.pdf"), srv.Requests("/tsa")
			var out bytes.Buffer
			res, err := open(t, src, opt).Sign(t.Context(), &out, credential(t, id), sign.Issue{Number: numberOf(t, 1)})
			require.NoError(t, err)
			require.Equal(t, before+1, srv.Requests("/tsa"))
			require.Empty(t, res.TimestampOwed)
			require.WithinDuration(t, time.Now(), res.Timestamp, time.Hour)
			require.Equal(t, int64(out.Len()), res.Length)
			requireLevel(t, "B-T", out.Bytes())
			if name != "Ed25519" { // which NSS, and so Poppler, does not know
				requirePopplerAgrees(t, out.Bytes())
			}
		})
	}
}

func requirePopplerAgrees(t testing.TB, doc []byte) {
	t.Helper()
	pdfsig, err := exec.LookPath("pdfsig")
	if err != nil {
		t.Log("pdfsig is not installed; it would be asked as well")
		return
	}
	path := filepath.Join(t.TempDir(), "stamped.pdf")
	require.NoError(t, os.WriteFile(path, doc, 0o600))
	out, _ := exec.Command(pdfsig, "-nocert", path).CombinedOutput()
	require.Contains(t, string(out), "Signature is Valid.")
	require.Contains(t, string(out), "Total document signed")
}

// TestAuthorityIsDown is I22: the authority's failure costs no second signature and
// no document says more than it has.
func TestAuthorityIsDown(t *testing.T) {
	src := fileBytes(t, "classic.pdf")
	for name, fault := range map[string]pkiserver.Fault{
		"503":             {HTTPStatus: 503},
		"401":             {HTTPStatus: 401},
		"garbage":         {Body: []byte("<html>")},
		"another imprint": {Info: func(i *cms.TimestampInfo) { i.Imprint = make([]byte, 32) }},
		"another signer":  {Signer: &specimen(t).StampRSA},
		"too large":       large(20 << 10),
	} {
		t.Run(name, func(t *testing.T) {
			srv, client := startTSA(t)
			srv.SetFault("/tsa", fault)
			opt := stampOptions(t)
			opt.Timestamp = &sign.Timestamp{Authority: client}

			// By default there is no document, and nothing is lost.
			cred, uses := countedCredential(t, specimen(t).StampP256)
			update, res, err := open(t, src, opt).Update(t.Context(), cred, sign.Issue{Number: numberOf(t, 2)})
			require.Nil(t, update)
			require.Nil(t, res)
			var failed *sign.TimestampError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, name == "503", errors.Is(err, tsa.ErrRetry))
			state, err := json.Marshal(failed.Prepared)
			require.NoError(t, err)

			// An hour later, elsewhere: the authority is back.
			var later sign.Prepared
			require.NoError(t, json.Unmarshal(state, &later))
			var out bytes.Buffer
			finish := func() (*sign.Result, error) {
				out.Reset()
				return later.FinishTimestamped(t.Context(), &out, bytes.NewReader(src), int64(len(src)), cred, failed.Signature, opt.Timestamp)
			}
			_, err = finish()
			require.ErrorAs(t, err, &failed)
			require.Zero(t, out.Len(), "nothing is written before there is a token")
			srv.SetFault("/tsa", pkiserver.Fault{})
			res, err = finish()
			require.NoError(t, err)
			require.False(t, res.Timestamp.IsZero())
			require.Equal(t, int64(1), uses.Load())
			requireLevel(t, "B-T", out.Bytes())

			// With a timestamp that may be owed there is a document of level B-B.
			srv.SetFault("/tsa", fault)
			opt.Timestamp = &sign.Timestamp{Authority: tsaClient(t, srv.URL+"/tsa"), Owed: true}
			out.Reset()
			res, err = open(t, src, opt).Sign(t.Context(), &out, cred, sign.Issue{Number: numberOf(t, 2)})
			require.NoError(t, err)
			require.NotEmpty(t, res.TimestampOwed)
			require.True(t, res.Timestamp.IsZero())
			require.Equal(t, int64(2), uses.Load())
			requireLevel(t, "B-B", out.Bytes())
			requirePopplerAgrees(t, out.Bytes())
		})
	}
}

// TestTokenLargerThanPlanned has a room that is exact, and one byte less.
func TestTokenLargerThanPlanned(t *testing.T) {
	srv, client := startTSA(t)
	src := fileBytes(t, "classic.pdf")
	cred := credential(t, specimen(t).StampRSA) // RSA signatures have one length
	srv.SetFault("/tsa", pkiserver.Fault{Signer: signerOfOneLength(t)})
	tok, err := client.Timestamp(t.Context(), crypto.SHA256, make([]byte, 32))
	require.NoError(t, err)
	for _, c := range []struct {
		room int
		fits bool
	}{{len(tok.Raw) + 16, true}, {len(tok.Raw) - 64, false}} {
		opt := &sign.Options{Timestamp: &sign.Timestamp{Authority: client, Room: c.room}}
		_, res, err := open(t, src, opt).Update(t.Context(), cred, sign.Issue{})
		if c.fits {
			require.NoError(t, err)
			require.False(t, res.Timestamp.IsZero())
			continue
		}
		var room *sign.RoomError
		require.ErrorAs(t, err, &room)
		require.Greater(t, room.Need, room.Have)
		require.ErrorAs(t, err, new(*sign.TimestampError))
	}

	// The client remembers, so that the next document has the room.
	srv.SetFault("/tsa", large(30<<10))
	opt := &sign.Options{Timestamp: &sign.Timestamp{Authority: client}}
	_, _, err = open(t, src, opt).Update(t.Context(), cred, sign.Issue{})
	require.ErrorAs(t, err, new(*sign.RoomError))
	_, res, err := open(t, src, opt).Update(t.Context(), cred, sign.Issue{})
	require.NoError(t, err)
	require.False(t, res.Timestamp.IsZero())
}

func signerOfOneLength(t testing.TB) *pki.Identity {
	t.Helper()
	id, err := specimen(t).Issue(&pki.Request{CommonName: "RSA TSA", Use: pki.Timestamping, Key: pki.RSA2048})
	require.NoError(t, err)
	return &id
}

// sized is an authority that says how large its tokens are.
type sized struct {
	tsa.Timestamper
	size int
}

func (s sized) MaxSize() int { return s.size }

// TestRoomThatMakesNoSense: the key must not be used for a document that then cannot
// hold its signature.
func TestRoomThatMakesNoSense(t *testing.T) {
	_, client := startTSA(t)
	src := fileBytes(t, "classic.pdf")
	for _, size := range []int{0, -1, -1 << 40, 1 << 40} {
		opt := &sign.Options{Timestamp: &sign.Timestamp{Authority: sized{client, size}}}
		_, res, err := open(t, src, opt).Update(t.Context(), credential(t, specimen(t).StampP256), sign.Issue{})
		require.NoError(t, err)
		require.False(t, res.Timestamp.IsZero())
	}
	opt := &sign.Options{Timestamp: &sign.Timestamp{Authority: tsa.Failover(nil), Owed: true}}
	_, res, err := open(t, src, opt).Update(t.Context(), credential(t, specimen(t).StampP256), sign.Issue{})
	require.NoError(t, err)
	require.Contains(t, res.TimestampOwed, "no authority is configured")
}

// says is a Timestamper of somebody else's.
type says func(ctx context.Context, hash crypto.Hash, digest []byte) (*tsa.Token, error)

func (f says) Timestamp(ctx context.Context, hash crypto.Hash, digest []byte) (*tsa.Token, error) {
	return f(ctx, hash, digest)
}

// TestTimestamperIsNotTrusted has implementations that lie about their tokens.
func TestTimestamperIsNotTrusted(t *testing.T) {
	_, client := startTSA(t)
	src := fileBytes(t, "classic.pdf")
	elsewhere := func(ctx context.Context, hash crypto.Hash, digest []byte) (*tsa.Token, error) {
		other := bytes.Clone(digest)
		other[0] ^= 1
		tok, err := client.Timestamp(ctx, hash, other)
		if err == nil {
			tok.Imprint = digest
		}
		return tok, err
	}
	for name, lie := range map[string]says{
		"nothing":        func(context.Context, crypto.Hash, []byte) (*tsa.Token, error) { return nil, nil },
		"an empty one":   func(context.Context, crypto.Hash, []byte) (*tsa.Token, error) { return &tsa.Token{}, nil },
		"something else": elsewhere,
	} {
		t.Run(name, func(t *testing.T) {
			opt := &sign.Options{Timestamp: &sign.Timestamp{Authority: lie}}
			_, _, err := open(t, src, opt).Update(t.Context(), credential(t, specimen(t).StampP256), sign.Issue{})
			require.ErrorIs(t, err, tsa.ErrToken)
			require.ErrorAs(t, err, new(*sign.TimestampError))
		})
	}
}

// TestTimestampAfterTheCertificate has a certificate that ends before the token's time.
func TestTimestampAfterTheCertificate(t *testing.T) {
	_, client := startTSA(t)
	now := time.Now()
	id, err := specimen(t).Issue(&pki.Request{CommonName: "Old", NotBefore: now.AddDate(-2, 0, 0), NotAfter: now.AddDate(-1, 0, 0)})
	require.NoError(t, err)
	opt := &sign.Options{Timestamp: &sign.Timestamp{Authority: client}}
	_, _, err = open(t, fileBytes(t, "classic.pdf"), opt).Update(t.Context(), credential(t, id), sign.Issue{})
	require.ErrorIs(t, err, tsa.ErrToken)
	require.ErrorContains(t, err, "after the end of the signing certificate")
}

func TestTimestampCancelled(t *testing.T) {
	srv, client := startTSA(t)
	srv.SetFault("/tsa", pkiserver.Fault{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	waiting := says(func(inner context.Context, hash crypto.Hash, digest []byte) (*tsa.Token, error) {
		cancel()
		return client.Timestamp(inner, hash, digest)
	})
	opt := &sign.Options{Timestamp: &sign.Timestamp{Authority: waiting, Owed: true}}
	cred, uses := countedCredential(t, specimen(t).StampP256)
	_, _, err := open(t, fileBytes(t, "classic.pdf"), opt).Update(ctx, cred, sign.Issue{})
	require.ErrorIs(t, err, context.Canceled)
	var failed *sign.TimestampError
	require.ErrorAs(t, err, &failed)
	require.NotEmpty(t, failed.Signature)
	require.Equal(t, int64(1), uses.Load())
}

func TestPreparedForATimestamp(t *testing.T) {
	_, client := startTSA(t)
	src := fileBytes(t, "form.pdf")
	cred := credential(t, specimen(t).StampP256)
	prepare := func(ts *sign.Timestamp) (*sign.Prepared, []byte) {
		p, err := open(t, src, &sign.Options{Timestamp: ts}).Prepare(t.Context(), cred, sign.Issue{})
		require.NoError(t, err)
		value, err := specimen(t).StampP256.Key.Sign(nil, p.Digest(cred.Algorithm()), crypto.SHA256)
		require.NoError(t, err)
		return p, value
	}
	finish := func(p *sign.Prepared, value []byte, ts *sign.Timestamp) ([]byte, error) {
		var out bytes.Buffer
		_, err := p.FinishTimestamped(t.Context(), &out, bytes.NewReader(src), int64(len(src)), cred, value, ts)
		return out.Bytes(), err
	}
	// The room is enough to know where the document is prepared.
	p, value := prepare(&sign.Timestamp{Room: 8 << 10})
	require.Equal(t, 8<<10, p.Room)
	var bad *sign.PreparedError
	_, err := finish(p, value, nil)
	require.ErrorAs(t, err, &bad)
	_, err = finish(p, value, &sign.Timestamp{})
	require.ErrorAs(t, err, &bad)
	out, err := finish(p, value, &sign.Timestamp{Authority: client})
	require.NoError(t, err)
	requireLevel(t, "B-T", out)
	value[len(value)-1] ^= 1
	_, err = finish(p, value, &sign.Timestamp{Authority: says(nil)})
	require.ErrorAs(t, err, new(*cms.VerifyError), "nobody is asked about a wrong signature")

	p, value = prepare(nil)
	require.Zero(t, p.Room)
	_, err = finish(p, value, &sign.Timestamp{Authority: client})
	require.ErrorAs(t, err, &bad)
	out, err = finish(p, value, nil)
	require.NoError(t, err)
	requireLevel(t, "B-B", out)
}

func TestTimestampOptions(t *testing.T) {
	src := fileBytes(t, "classic.pdf")
	for _, ts := range []*sign.Timestamp{{}, {Room: -1}, {Room: 2 << 20}} {
		_, err := sign.Open(bytes.NewReader(src), int64(len(src)), &sign.Options{Timestamp: ts})
		var bad *sign.StampError
		require.ErrorAs(t, err, &bad)
	}
	cred, uses := countedCredential(t, specimen(t).StampP256)
	_, _, err := open(t, src, &sign.Options{Timestamp: &sign.Timestamp{Room: 100}}).Update(t.Context(), cred, sign.Issue{})
	var bad *sign.StampError
	require.ErrorAs(t, err, &bad)
	require.Zero(t, uses.Load())
}

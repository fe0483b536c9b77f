package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/verifyd/trust"
)

func get(t testing.TB, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(b)
}

// TestReload: a signal reads the trust anew, a broken file changes nothing, and a
// request that waits meanwhile is answered.
func TestReload(t *testing.T) {
	sp, r := getSpecimen(t), start(t, nil)
	verdict := func() any {
		_, report := r.post(t, "/verify", "", bytes.NewReader(sp.stamped))
		return report["indication"]
	}
	require.Equal(t, "TOTAL-PASSED", verdict())

	half, rest := sp.stamped[:100], sp.stamped[100:]
	reader, writer := io.Pipe()
	answered := make(chan any, 1)
	go func() {
		response, err := http.Post(r.url+"/verify", "", reader)
		if !assert.NoError(t, err) {
			answered <- nil
			return
		}
		answered <- decode(t, response)["indication"]
	}()
	_, err := writer.Write(half)
	require.NoError(t, err)
	r.places(t, 1)

	before := r.trusted.Load()
	require.NoError(t, os.WriteFile(r.cfg.Roots, []byte("broken"), 0o600))
	r.again <- syscall.SIGHUP
	r.again <- syscall.SIGHUP // taken when the first has been worked on
	require.Same(t, before, r.trusted.Load())
	require.Equal(t, "TOTAL-PASSED", verdict())
	require.Contains(t, r.logs.String(), "the ones in use stay")
	_, text := get(t, r.url+"/metrics")
	require.Regexp(t, `verifyd_trust_reload_failures_total [12]\n`, text)

	other, err := newSpecimen(nil)
	require.NoError(t, err)
	files := other.write(t, t.TempDir())
	for from, to := range map[string]string{files.Roots: r.cfg.Roots, files.SealTrust: r.cfg.SealTrust, files.CRLs[0]: r.cfg.CRLs[0]} {
		require.NoError(t, os.Rename(from, to))
	}
	r.again <- syscall.SIGHUP
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.NotSame(c, before, r.trusted.Load()) }, 30*time.Second, 5*time.Millisecond)
	require.Equal(t, "INDETERMINATE", verdict())

	_, err = writer.Write(rest) // it began before, and keeps what it began with
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	require.Equal(t, "TOTAL-PASSED", <-answered)
}

// TestShutdown: what is in work is answered, and the service says that it ends.
func TestShutdown(t *testing.T) {
	sp, r := getSpecimen(t), start(t, nil)
	reader, writer := io.Pipe()
	answered := make(chan any, 1)
	go func() {
		response, err := http.Post(r.url+"/verify", "", reader)
		if !assert.NoError(t, err) {
			answered <- nil
			return
		}
		answered <- decode(t, response)["indication"]
	}()
	_, err := writer.Write(sp.stamped[:100])
	require.NoError(t, err)
	r.places(t, 1)
	r.stop()
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.True(c, r.draining.Load()) }, 30*time.Second, time.Millisecond)
	_, err = writer.Write(sp.stamped[100:])
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	require.Equal(t, "TOTAL-PASSED", <-answered)
	require.NoError(t, <-r.ended)
	r.ended <- nil
	_, err = http.Get(r.url + "/healthz")
	require.Error(t, err)
}

func TestHealth(t *testing.T) {
	r := start(t, nil)
	status, text := get(t, r.url+"/readyz")
	require.Equal(t, 200, status)
	require.Contains(t, text, `"crl_expired":false`)
	r.draining.Store(true)
	status, _ = get(t, r.url+"/readyz")
	require.Equal(t, 503, status)
	response, _ := r.post(t, "/verify", "", strings.NewReader("x"))
	require.Equal(t, 503, response.StatusCode)
	r.draining.Store(false)
	require.NoError(t, os.RemoveAll(r.tmp))
	status, _ = get(t, r.url+"/readyz")
	require.Equal(t, 503, status)
	status, _ = get(t, r.url+"/healthz")
	require.Equal(t, 200, status)
	require.NoError(t, os.Mkdir(r.tmp, 0o700))
}

func TestMetrics(t *testing.T) {
	sp, r := getSpecimen(t), start(t, nil)
	r.post(t, "/verify", "", bytes.NewReader(sp.stamped))
	r.post(t, "/verify", "", strings.NewReader("x"))
	r.post(t, "/nowhere", "", strings.NewReader("x"))
	_, text := get(t, r.url+"/metrics")
	for _, line := range []string{
		`verifyd_requests_total{route="POST /verify",status="200"} 2`, `verifyd_requests_total{route="other",status="404"} 1`,
		`verifyd_indications_total{indication="TOTAL-PASSED"} 1`, `verifyd_indications_total{indication="UNREADABLE"} 1`,
		`verifyd_request_seconds_count{route="POST /verify"} 2`, `verifyd_request_seconds_bucket{route="POST /verify",le="+Inf"} 2`,
		`verifyd_uploads 0`, `verifyd_refused_total 0`,
	} {
		require.Contains(t, text, line+"\n")
	}
	shape := regexp.MustCompile(`^(# (HELP|TYPE) verifyd_\w+ .+|verifyd_\w+(\{[^{}]*\})? [0-9.e+-]+)$`)
	for line := range strings.Lines(text) {
		require.Regexp(t, shape, strings.TrimSuffix(line, "\n"))
	}
}

// TestDescription: the OpenAPI file is served, names every route, and what it says
// a report has is what a report has.
func TestDescription(t *testing.T) {
	sp, r := getSpecimen(t), start(t, nil)
	_, text := get(t, r.url+"/openapi.json")
	var api struct {
		Paths      map[string]map[string]any
		Components struct {
			Schemas map[string]struct {
				Required   []string
				Properties map[string]any
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &api))
	for _, path := range []string{"/verify", "/seal", "/healthz", "/readyz", "/metrics", "/openapi.json"} {
		require.Contains(t, api.Paths, path)
	}
	kind, body := multi(t, "file", string(sp.stamped), "seal", sp.seal)
	_, report := r.post(t, "/verify", kind, body)
	for name, object := range map[string]map[string]any{
		"Report": report, "Signature": report["signatures"].([]any)[0].(map[string]any), "SealReport": report["seal"].(map[string]any),
	} {
		schema := api.Components.Schemas[name]
		for _, key := range schema.Required {
			require.Contains(t, object, key, name)
		}
		for key := range object {
			require.Contains(t, schema.Properties, key, name)
		}
	}
}

func TestExpiredListsAreSaid(t *testing.T) {
	sp := getSpecimen(t)
	files := sp.write(t, t.TempDir())
	set, err := trust.Load(&files)
	require.NoError(t, err)
	require.Equal(t, sp.pki.RevocationLists()[0].NextUpdate, set.NextUpdate())
}

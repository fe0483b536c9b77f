package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dial opens a bare connection, for what no HTTP client would send.
func (r *running) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	return c
}

// places waits until so many requests have a place.
func (r *running) places(t testing.TB, n int) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.Len(c, r.uploads, n) }, 30*time.Second, 5*time.Millisecond)
}

// A length that is never reached: the client goes away, or it stops sending.
func TestLyingContentLength(t *testing.T) {
	r := start(t, nil)
	c := r.dial(t)
	_, err := io.WriteString(c, "POST /verify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n%PDF")
	require.NoError(t, err)
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, 400, response.StatusCode)

	c = r.dial(t) // more than any document: refused unread
	_, err = io.WriteString(c, "POST /verify HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
	require.NoError(t, err)
	response, err = http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, 413, response.StatusCode)

	c = r.dial(t) // less than was sent: the rest is another request, and a bad one
	_, err = io.WriteString(c, "POST /verify HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n%PDF-1.7 and more\r\n\r\n")
	require.NoError(t, err)
	reader := bufio.NewReader(c)
	response, err = http.ReadResponse(reader, nil)
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	response, err = http.ReadResponse(reader, nil)
	require.NoError(t, err)
	require.Equal(t, 400, response.StatusCode)
	r.places(t, 0)
	r.empty(t)
}

// The head of a part is held in memory, so a long one is refused before it is read.
func TestLongPartHead(t *testing.T) {
	sp, r := getSpecimen(t), start(t, nil)
	for length, want := range map[int]int{1 << 10: 200, maxPartHead: 400, 9 << 20: 400} {
		body := "--b\r\nContent-Disposition: form-data; name=\"file\"\r\nX: " + strings.Repeat("a", length) + "\r\n\r\n" + string(sp.stamped) + "\r\n--b--\r\n"
		request := httptest.NewRequest("POST", "/verify", strings.NewReader(body))
		request.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		answer := httptest.NewRecorder()
		r.handler().ServeHTTP(answer, request)
		require.Equal(t, want, answer.Code, "%d: %s", length, answer.Body)
		if want == 400 {
			require.Contains(t, answer.Body.String(), "the head of a part is too long")
			require.Contains(t, r.logs.String(), `"bytes":16384`, "no more was read")
		}
	}
	r.empty(t)
}

// A route that reads no body answers without one, and does not wait for it: else a
// connection could be held for ever.
func TestBodyThatNobodyReads(t *testing.T) {
	r := start(t, nil)
	var held []net.Conn
	for _, request := range []string{"GET /healthz", "HEAD /healthz", "GET /metrics", "GET /nowhere", "PUT /verify", "POST /verify?time=x"} {
		for _, length := range []string{"Content-Length: 10", "Transfer-Encoding: chunked"} {
			c := r.dial(t)
			held = append(held, c)
			_, err := io.WriteString(c, request+" HTTP/1.1\r\nHost: x\r\n"+length+"\r\n\r\n")
			require.NoError(t, err)
		}
	}
	for _, c := range held {
		answer, err := io.ReadAll(c) // to the end of the connection
		require.NoError(t, err)
		require.Contains(t, string(answer), "Connection: close")
	}
	c := r.dial(t)
	_, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.False(t, response.Close, "a request without a body keeps its connection")
}

// A body that comes too slowly is given up. The deadline that the connection is
// given is looked at, so that the test needs no patience.
func TestSlowBody(t *testing.T) {
	begun := time.Now()
	c := &call{req: httptest.NewRequest("POST", "/verify", nil)}
	var last time.Time
	b := &body{c: c, begun: begun, r: iotest.OneByteReader(bytes.NewReader(make([]byte, 3*minRate))), extend: func(at time.Time) error {
		last = at
		return nil
	}}
	buffer := make([]byte, 1)
	for n := range 3 * minRate {
		_, err := b.Read(buffer)
		require.NoError(t, err)
		require.False(t, last.After(begun.Add(graceTime+time.Duration(n/minRate+1)*time.Second)), "byte %d", n)
	}
	require.Equal(t, begun.Add(graceTime+3*time.Second).Truncate(time.Millisecond), last.Add(time.Second/minRate).Truncate(time.Millisecond))
	_, err := b.Read(buffer)
	require.ErrorIs(t, err, io.EOF)
	require.True(t, last.IsZero(), "the deadline outlives the body")

	b.r = iotest.ErrReader(&http.MaxBytesError{})
	_, err = b.Read(buffer)
	require.Error(t, err)
	require.False(t, last.IsZero(), "the server may wait for what is too much")
	b.r = iotest.ErrReader(os.ErrDeadlineExceeded)
	_, err = b.Read(buffer)
	require.Equal(t, http.StatusRequestTimeout, asProblem(err).status)
}

// TestSlowClient is the same with a real connection. It takes graceTime.
func TestSlowClient(t *testing.T) {
	if os.Getenv("METERAI_SLOW") == "" {
		t.Skip("METERAI_SLOW is not set: the client that sends nothing for ten seconds is left out")
	}
	r := start(t, nil)
	c := r.dial(t)
	_, err := io.WriteString(c, "POST /verify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n%PDF")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, 408, response.StatusCode)
	r.empty(t)
}

// When all places are taken the next is refused at once, and told when to come
// again; the service still says that it lives.
func TestBusy(t *testing.T) {
	sp, r := getSpecimen(t), start(t, func(c *config) { c.uploads = 2 })
	var slow []net.Conn
	for range 2 {
		c := r.dial(t)
		_, err := fmt.Fprintf(c, "POST /verify HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", len(sp.stamped))
		require.NoError(t, err)
		slow = append(slow, c)
	}
	r.places(t, 2)
	response, problem := r.post(t, "/verify", "", bytes.NewReader(sp.stamped))
	require.Equal(t, 503, response.StatusCode, problem)
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
	response, err = http.Get(r.url + "/healthz")
	require.NoError(t, err)
	require.Equal(t, "ok", decode(t, response)["status"])
	for _, c := range slow {
		_, err := c.Write(sp.stamped)
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		require.Equal(t, "TOTAL-PASSED", decode(t, response)["indication"])
	}
	r.empty(t)
}

// TestThousandConnections: a thousand at once, of which most only wait or send half.
// Nobody gets anything else than an answer or a place in line.
func TestThousandConnections(t *testing.T) {
	sp, r := getSpecimen(t), start(t, func(c *config) { c.uploads = 64 })
	for i := range 900 {
		c := r.dial(t)
		if i%3 == 0 {
			_, err := io.WriteString(c, "POST /verify HTTP/1.1\r\nHost: x\r\nContent-Le")
			require.NoError(t, err)
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	for range 100 {
		wg.Go(func() {
			response, err := http.Post(r.url+"/verify", "application/pdf", bytes.NewReader(sp.stamped))
			if !assert.NoError(t, err) {
				return
			}
			b, err := io.ReadAll(response.Body)
			response.Body.Close()
			assert.NoError(t, err)
			if response.StatusCode == 200 {
				assert.Contains(t, string(b), "TOTAL-PASSED")
			} else {
				assert.NotEmpty(t, response.Header.Get("Retry-After"))
			}
			mu.Lock()
			answers[response.StatusCode]++
			mu.Unlock()
		})
	}
	wg.Wait()
	require.Equal(t, 100, answers[200]+answers[503], answers)
	require.GreaterOrEqual(t, answers[200], 64)
	r.places(t, 0)
	r.empty(t)
}

// What clients send does not get into the log, and what does is one line of JSON
// each.
func TestLogIsSafe(t *testing.T) {
	r := start(t, nil)
	const evil = "evil\u202e\x1b[31m\"}"
	for _, path := range []string{"/verify?x=%0A%1B%5B31mevil", "/evil%0d%0a%e2%80%ae", "/seal"} {
		request, err := http.NewRequest("POST", r.url+path, strings.NewReader(evil+"\n{}"))
		require.NoError(t, err)
		request.Header.Set("User-Agent", "evil")
		request.Header.Set("Content-Type", `multipart/form-data; boundary="evil"`)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		response.Body.Close()
	}
	c := r.dial(t)
	_, err := io.WriteString(c, "evil\x1b[31m HTTP/9\r\n\r\n")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, c)
	require.NoError(t, err)
	r.stop()
	<-r.ended
	r.ended <- nil
	lines := 0
	for line := range strings.Lines(r.logs.String()) {
		lines++
		require.True(t, json.Valid([]byte(line)), line)
		require.Equal(t, -1, strings.IndexFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }), line)
		require.NotContains(t, line, "evil")
	}
	require.GreaterOrEqual(t, lines, 4)
}

// FuzzHandler: whatever comes, the answer is JSON of a known status and no
// temporary file stays.
func FuzzHandler(f *testing.F) {
	sp := getSpecimen(f)
	kind, body := multi(f, "file", string(sp.stamped[:200]), "seal", sp.seal)
	f.Add("/verify", kind, body.Bytes())
	f.Add("/verify", "application/pdf", sp.stamped[:1000])
	f.Add("/verify?integrity_only=1&time=2026-01-01T00:00:00Z", "", []byte("%PDF-1.7"))
	f.Add("/seal", "text/plain", []byte(sp.seal))
	f.Add("/seal", "image/png", []byte("\x89PNG\x0d\x0a\x1a\x0a"))
	f.Add("/seal", "multipart/form-data; boundary=\"", []byte("--"))
	r := start(f, func(c *config) { c.size = 1 << 20 })
	handler := r.handler()
	allowed := map[int]bool{200: true, 301: true, 307: true, 400: true, 404: true, 405: true, 413: true, 415: true, 422: true}
	f.Fuzz(func(t *testing.T, path, kind string, body []byte) {
		request, err := http.NewRequest("POST", "http://x/", bytes.NewReader(body))
		require.NoError(t, err)
		target, err := request.URL.Parse(path)
		if err != nil || target.Host != "x" {
			return
		}
		request.URL = target
		request.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, request)
		require.True(t, allowed[w.Code], "%d %s", w.Code, w.Body)
		if w.Code != 301 && w.Code != 307 {
			require.True(t, json.Valid(w.Body.Bytes()), w.Body.String())
		}
		left, err := os.ReadDir(r.tmp)
		require.NoError(t, err)
		require.Empty(t, left)
		require.Empty(t, r.uploads)
		require.Empty(t, r.turns)
	})
}

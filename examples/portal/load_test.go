package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain is the portal itself when a test starts its own program as one.
func TestMain(m *testing.M) {
	if file := os.Getenv("METERAI_PORTAL_CONFIG"); file != "" {
		os.Args = []string{"portal", "--config", file}
		main()
		return
	}
	code := m.Run()
	if dir, err := specimen(); err == nil {
		_ = os.RemoveAll(filepath.Dir(dir))
	}
	os.Exit(code)
}

// startProcess runs the portal as a process of its own and gives its address.
func startProcess(t *testing.T, c config) (*exec.Cmd, string) {
	t.Helper()
	text, err := json.Marshal(c)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "portal.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])
	cmd.Env = append(os.Environ(), "METERAI_PORTAL_CONFIG="+file)
	cmd.Stderr = io.Discard // a log line for each request
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return cmd, strings.Fields(line)[2]
}

// resident is the memory of a process in megabytes, 0 where that is not known.
func resident(pid int) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kb, _ := strconv.ParseFloat(strings.Fields(rest + " 0")[0], 64)
	return kb / 1024
}

// figures are what the load has met.
type figures struct {
	mu     sync.Mutex
	status map[int]int
	took   []time.Duration
}

func (f *figures) add(status int, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status[status]++
	f.took = append(f.took, took)
}

// TestLoad sends good and bad uploads over 64 connections for as long as
// METERAI_LOAD says, such as 60s, and now and then stamps: no answer may be a
// 5xx, and the memory must not grow. By default it is 8 connections for a second.
func TestLoad(t *testing.T) {
	length, connections := time.Second, 8
	if s := os.Getenv("METERAI_LOAD"); s != "" {
		var err error
		length, err = time.ParseDuration(s)
		require.NoError(t, err)
		connections = 64
	}
	const many = 1 << 30
	cmd, address := startProcess(t, config{Listen: "127.0.0.1:0", Dir: t.TempDir(), Limits: limits{ // one address, 64 accounts
		SignIns: many, AddressSignIns: many, Posts: many, AddressPosts: many, Requests: many}})
	people := crowd(t, &portal{url: address}, connections)
	files := loadFiles(t)
	f := &figures{status: map[int]int{}}
	end := time.Now().Add(length)
	var group sync.WaitGroup
	for _, b := range people {
		token := b.get("/").field("csrf")
		b.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		group.Go(func() { b.storm(f, files, token, end) })
	}
	time.Sleep(min(10*time.Second, length))
	early := resident(cmd.Process.Pid)
	group.Wait()
	late := resident(cmd.Process.Pid)
	f.report(t, length, early, late)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), "it ends in order")
	for status := range f.status {
		require.Less(t, status, 500)
	}
	require.Positive(t, f.status[http.StatusSeeOther])
	require.Positive(t, f.status[http.StatusUnprocessableEntity])
	if length >= 30*time.Second && early > 0 {
		require.Less(t, late, early*1.25+16)
	}
}

// crowd is people with an account and units.
func crowd(t *testing.T, p *portal, many int) []*browser {
	people := make([]*browser, many)
	for n := range people {
		people[n] = p.browser(t)
		people[n].register(fmt.Sprint("person", n))
		people[n].buy(100, "pay")
	}
	return people
}

type loadFile struct {
	name    string
	content []byte
	good    bool
}

// loadFiles are five that can be stamped and five that cannot.
func loadFiles(t *testing.T) []loadFile {
	var files []loadFile
	for _, name := range []string{"classic.pdf", "surat-pernyataan.pdf", "object-streams.pdf", "forty-pages.pdf", "form.pdf"} {
		files = append(files, loadFile{name, testPDF(t, name), true})
	}
	letter := testPDF(t, "surat-pernyataan.pdf")
	for _, name := range []string{"encrypted-password.pdf", "certified-p1.pdf"} {
		files = append(files, loadFile{name, testPDF(t, name), false})
	}
	return append(files, loadFile{"cut.pdf", letter[:len(letter)/2], false}, loadFile{"noise.pdf", slices.Repeat([]byte("noise "), 20_000), false},
		loadFile{"large.pdf", make([]byte, 21<<20), false})
}

// storm uploads until the time is over; one large file in a hundred, and one
// stamping in ten uploads.
func (b *browser) storm(f *figures, files []loadFile, token string, end time.Time) {
	for time.Now().Before(end) {
		file := files[rand.N(len(files)-1)]
		if rand.N(100) == 0 {
			file = files[len(files)-1]
		}
		begun := time.Now()
		answer := b.uploadWith(token, file.name, file.content)
		f.add(answer.status, time.Since(begun))
		if !file.good || rand.N(10) > 0 {
			continue
		}
		d := b.get(answer.header.Get("Location"))
		begun = time.Now()
		stamped := b.post(d.path+"/stamp", url.Values{"csrf": {token}, "key": {d.field("key")}, "page": {"1"}, "x": {"40"}, "y": {"40"}})
		f.add(stamped.status, time.Since(begun))
	}
}

func (f *figures) report(t *testing.T, length time.Duration, early, late float64) {
	slices.Sort(f.took)
	n := len(f.took)
	t.Logf("%d requests, %.0f/s, median %v, 99 %% below %v; statuses %v; resident %.0f MB after 10 s, %.0f MB at the end",
		n, float64(n)/length.Seconds(), f.took[n/2].Round(time.Millisecond), f.took[n*99/100].Round(time.Millisecond), f.status, early, late)
}

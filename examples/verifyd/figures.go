package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-574216e4/meterai/verify"
)

// buckets are upper bounds of durations, in seconds.
var buckets = [...]float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}

// figures count what the service does. Their labels are few and its own, so that
// no client can make them grow.
type figures struct {
	refused      atomic.Int64 // 503 for want of a place
	reloadFailed atomic.Int64

	mu          sync.Mutex
	requests    map[requestLabel]int64
	indications map[verify.Indication]int64
	bytes       int64
	durations   map[string]*histogram // by route
}

type requestLabel struct {
	route  string
	status int
}

type histogram struct {
	counts [len(buckets) + 1]int64
	sum    float64
}

func newFigures() *figures {
	return &figures{requests: map[requestLabel]int64{}, indications: map[verify.Indication]int64{}, durations: map[string]*histogram{}}
}

// request counts one request.
func (f *figures) request(route string, status int, indication verify.Indication, bytes int64, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests[requestLabel{route, status}]++
	f.bytes += bytes
	if indication != "" {
		f.indications[indication]++
	}
	h := f.durations[route]
	if h == nil {
		h = &histogram{}
		f.durations[route] = h
	}
	at, _ := slices.BinarySearch(buckets[:], took.Seconds())
	h.counts[at]++
	h.sum += took.Seconds()
}

// text writes the figures in the text format of Prometheus.
func (f *figures) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	head := func(name, kind, help string) {
		fmt.Fprintf(&b, "# HELP verifyd_%s %s\n# TYPE verifyd_%s %s\n", name, help, name, kind)
	}
	head("requests_total", "counter", "Requests by route and status.")
	for _, l := range slices.SortedFunc(maps.Keys(f.requests), func(a, b requestLabel) int {
		return cmp.Or(cmp.Compare(a.route, b.route), cmp.Compare(a.status, b.status))
	}) {
		fmt.Fprintf(&b, "verifyd_requests_total{route=%q,status=\"%d\"} %d\n", l.route, l.status, f.requests[l])
	}
	head("indications_total", "counter", "Reports by indication.")
	for _, i := range slices.Sorted(maps.Keys(f.indications)) {
		fmt.Fprintf(&b, "verifyd_indications_total{indication=%q} %d\n", string(i), f.indications[i])
	}
	head("received_bytes_total", "counter", "Bytes of request bodies.")
	fmt.Fprintf(&b, "verifyd_received_bytes_total %d\n", f.bytes)
	head("refused_total", "counter", "Requests refused for want of a place.")
	fmt.Fprintf(&b, "verifyd_refused_total %d\n", f.refused.Load())
	head("trust_reload_failures_total", "counter", "Trust files that could not be read again.")
	fmt.Fprintf(&b, "verifyd_trust_reload_failures_total %d\n", f.reloadFailed.Load())
	head("request_seconds", "histogram", "Duration of requests.")
	for _, route := range slices.Sorted(maps.Keys(f.durations)) {
		f.durations[route].text(&b, route)
	}
	return b.String()
}

func (h *histogram) text(b *strings.Builder, route string) {
	total := int64(0)
	for i, n := range h.counts {
		total += n
		bound := "+Inf"
		if i < len(buckets) {
			bound = fmt.Sprint(buckets[i])
		}
		fmt.Fprintf(b, "verifyd_request_seconds_bucket{route=%q,le=%q} %d\n", route, bound, total)
	}
	fmt.Fprintf(b, "verifyd_request_seconds_sum{route=%q} %g\nverifyd_request_seconds_count{route=%q} %d\n", route, h.sum, route, total)
}

func (s *service) metrics(c *call) error {
	var b strings.Builder
	b.WriteString(s.figures.text())
	gauge := func(name, help string, value any) {
		fmt.Fprintf(&b, "# HELP verifyd_%s %s\n# TYPE verifyd_%s gauge\nverifyd_%s %v\n", name, help, name, name, value)
	}
	gauge("uploads", "Requests that have a place now.", len(s.uploads))
	gauge("uploads_limit", "Places for requests.", cap(s.uploads))
	gauge("verifications", "Verifications in work now.", len(s.turns))
	gauge("verifications_limit", "Verifications at a time.", cap(s.turns))
	state := s.trusted.Load()
	gauge("trust_loaded_seconds", "Unix time at which the trust files were read.", state.loaded.Unix())
	if !state.next.IsZero() {
		gauge("crl_next_update_seconds", "Unix time at which the first revocation list expires.", state.next.Unix())
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	gauge("goroutines", "Goroutines.", runtime.NumGoroutine())
	gauge("heap_bytes", "Bytes of live and not yet freed objects.", m.HeapAlloc)
	gauge("sys_bytes", "Bytes obtained from the system.", m.Sys)
	return send(c, http.StatusOK, "text/plain; version=0.0.4; charset=utf-8", []byte(b.String()))
}

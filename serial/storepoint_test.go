package serial_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// writers gives the functions of the package that call Update of a store, so that a new one is not forgotten.
func writers(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			ast.Inspect(decl, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if s, ok := call.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Update" {
						names = append(names, decl.(*ast.FuncDecl).Name.Name)
					}
				}
				return true
			})
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// caller gives the functions of package serial that are at work, innermost first, without receivers.
func caller() (names []string) {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	for {
		f, more := frames.Next()
		if _, name, ok := strings.Cut(f.Function, "/meterai/serial."); ok {
			name = strings.TrimPrefix(name, "(*Ledger).")
			name, _, _ = strings.Cut(name, ".func")
			name, _, _ = strings.Cut(name, "-range") // the body of a loop over a function
			names = append(names, name)
		}
		if !more {
			return names
		}
	}
}

// play is the same story each time, on a store that fails at one update or two.
type play struct {
	t       *testing.T
	store   *storetest.Faulty
	sink    *fakeSink
	clock   *clock
	ledger  *serial.Ledger
	faults  map[int]storetest.Fault // by the number of the update
	hit     map[string]bool         // writer and fault
	updates int
	gate    chan bool // an update waits for it, if it is not nil
	runs    map[string]int
	mu      sync.Mutex
}

func newPlay(t *testing.T, faults map[int]storetest.Fault, hit map[string]bool) *play {
	p := &play{t: t, sink: newFakeSink(), clock: newClock(), faults: faults, hit: hit, runs: make(map[string]int)}
	p.store = &storetest.Faulty{Store: storetest.NewMemory(), Next: p.next}
	p.open()
	return p
}

func (p *play) next(method string) storetest.Fault {
	if method != "Update" {
		return storetest.NoFault
	}
	p.mu.Lock()
	f := p.faults[p.updates]
	p.updates++
	names := caller()
	p.hit[fmt.Sprint(names[0], f)] = true
	if slices.Contains(names, "singly") {
		p.hit[fmt.Sprint("singly", f)] = true
	}
	gate := p.gate
	p.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return f
}

func (p *play) open() {
	l, err := serial.Open(p.t.Context(), p.store, &serial.Options{Scheme: testScheme(p.t), Sink: p.sink, Now: p.clock.now, Block: 2})
	require.NoError(p.t, err)
	p.ledger = l
}

// again repeats the same call, as a client does, until it is answered. At most one call fails for each fault.
func (p *play) again(call func() error) {
	for range 1 + len(p.faults) {
		err := call()
		if err == nil {
			return
		}
		require.Contains(p.t, err.Error(), storetest.ErrFault.Error())
		p.clock.step(time.Millisecond)
	}
	p.t.Error("a call was refused more often than there were faults")
}

func (p *play) redeem(key string, refuse bool) error {
	_, err := p.ledger.Redeem(p.t.Context(), req("a", key), func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		p.runs[key]++
		if refuse {
			return &serial.RefusedError{Reason: "no"}
		}
		return write("doc")(ctx, r, w)
	})
	var refused *serial.RefusedError
	var state *serial.StateError
	if refuse && !errors.Is(err, storetest.ErrFault) && (errors.As(err, &refused) || errors.As(err, &state)) {
		return nil
	}
	return err
}

// crowd does five bookings at once, of which the last four share a transaction.
func (p *play) crowd() {
	gate := make(chan bool)
	p.mu.Lock()
	p.gate = gate
	p.mu.Unlock()
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			p.again(func() error {
				_, err := p.ledger.Credit(context.Background(), "crowd", 1, fmt.Append(nil, i))
				return err
			})
		})
		synctest.Wait()
	}
	p.mu.Lock()
	p.gate = nil
	p.mu.Unlock()
	close(gate)
	wg.Wait()
}

// act tells the story: every operation, two leases, a crowd, a clock that was ahead with its fence, and a sweep.
func (p *play) act() {
	ctx := p.t.Context()
	var n [4]serial.Number
	step := func(call func() (serial.Reservation, error)) {
		p.again(func() error { _, err := call(); return err })
	}
	move := func(call func() (serial.Movement, error)) { p.again(func() error { _, err := call(); return err }) }
	move(func() (serial.Movement, error) { return p.ledger.Credit(ctx, "a", 9, []byte("k")) })
	move(func() (serial.Movement, error) { return p.ledger.Grant(ctx, "a", 1, []byte("k"), "") })
	move(func() (serial.Movement, error) { return p.ledger.Transfer(ctx, "a", "b", 2, []byte("k")) })
	move(func() (serial.Movement, error) { return p.ledger.Refund(ctx, "b", 1, []byte("k"), "") })
	move(func() (serial.Movement, error) { return p.ledger.SetLimit(ctx, "b", 4, []byte("k")) })
	for i := range n {
		p.again(func() error {
			r, err := p.ledger.Reserve(ctx, req("a", fmt.Sprint("by hand ", i)))
			n[i] = r.Number
			return err
		})
	}
	for _, i := range n[:2] {
		step(func() (serial.Reservation, error) { return p.ledger.Signing(ctx, i) })
	}
	step(func() (serial.Reservation, error) { return p.ledger.Stamped(ctx, n[0], out1) })
	step(func() (serial.Reservation, error) { return p.ledger.Void(ctx, n[1], "gone") })
	step(func() (serial.Reservation, error) { return p.ledger.Release(ctx, n[2], "left") })
	p.again(func() error { return p.redeem("stamped", false) })
	p.again(func() error { return p.redeem("refused", true) })
	p.crowd()
	p.clock.step(24 * time.Hour)
	move(func() (serial.Movement, error) { return p.ledger.Credit(ctx, "ahead", 1, []byte("k")) })
	p.clock.step(-24 * time.Hour)
	p.again(func() error { return serial.Fence(ctx, p.store, testScheme(p.t).Series(), 1000, p.clock.now()) })
	require.NoError(p.t, p.ledger.Close())
	p.open()
	p.again(func() error { return p.redeem("after the fence", false) })
	p.clock.step(100 * time.Hour)
	p.again(func() error { _, err := p.ledger.Sweep(ctx, nil); return err })
	require.NoError(p.t, p.ledger.Close())
}

// requireEnd: whatever failed, the story ends the same way.
func (p *play) requireEnd() {
	report, err := serial.Audit(p.t.Context(), p.store)
	require.NoError(p.t, err)
	require.Empty(p.t, report.Problems)
	require.Equal(p.t, map[serial.State]int64{serial.Stamped: 3, serial.Void: 2, serial.Released: 2}, report.Reservations)
	require.Equal(p.t, serial.Balance{Purchased: 15, Granted: 1, TransferredIn: 2, Available: 12, Stamped: 3, Refunded: 1, TransferredOut: 2, Limit: 4}, report.Totals)
	for key, most := range map[string]int{"stamped": 1, "after the fence": 1, "refused": 1 + len(p.faults)} {
		require.LessOrEqual(p.t, p.runs[key], most, "I5: %q was run again", key)
		require.Positive(p.t, p.runs[key])
	}
	require.Len(p.t, p.sink.outputs(), 2)
}

// TestStoreFailpoints: for every update of the store, from every place that writes, "fails" and "fails but persisted" and
// what else a store may do, alone and after another fault; each call is repeated with the same key. (I5, I6, I8, I14)
func TestStoreFailpoints(t *testing.T) {
	hit := make(map[string]bool)
	run := func(faults map[int]storetest.Fault) (updates int) {
		synctest.Test(t, func(t *testing.T) {
			p := newPlay(t, faults, hit)
			p.act()
			p.requireEnd()
			updates = p.updates
		})
		if t.Failed() {
			t.Fatalf("with the faults %v", faults)
		}
		return updates
	}
	all := []storetest.Fault{storetest.Unreachable, storetest.Refused, storetest.Lost, storetest.Persisted, storetest.Repeated}
	for i := range run(nil) {
		for _, f := range all {
			run(map[int]storetest.Fault{i: f})
			run(map[int]storetest.Fault{i: storetest.Refused, i + 1: f})
		}
	}
	sites := append(writers(t), "singly")
	require.GreaterOrEqual(t, len(sites), 5)
	for _, site := range sites {
		for _, f := range all {
			require.True(t, hit[fmt.Sprint(site, f)], "fault %d in %s was never hit; these were: %v", f, site, slices.Sorted(maps.Keys(hit)))
		}
	}
}

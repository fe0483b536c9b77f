package serial_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// world is several ledgers on one store and one sink, beside the oracle that predicts them.
type world struct {
	*oracle
	t         *testing.T
	r         *rand.Rand
	store     *storetest.Faulty
	sink      *fakeSink
	clk       *clock
	processes []*process
	plan      []storetest.Fault // what the store does to the next updates
	sinkPlan  []storetest.Fault
	done      int // calls of run
	step      int
	answers   map[string]int // how often each came
	op        string         // the one under way
}

const worldSteps = 10_000 // then a new world begins, so that an audit stays short

// TestModel runs random operations on several ledgers, with faults of store and sink, fences, restarts and a clock that
// goes every way, and compares each answer and each row with what the oracle says. METERAI_MODEL is the number of
// operations, METERAI_SEED the seed of the first world. (I1, I3, I4, I5, I6, I8, I9, I10, I11, I12, I13)
func TestModel(t *testing.T) {
	const enough = 30_000 // for every answer to come
	all, seed := int(numberFromEnv(t, "METERAI_MODEL", enough)), seedFromEnv(t)
	answers := make(map[string]int)
	for steps := all; steps > 0; seed, steps = seed+1, steps-worldSteps {
		w := newWorld(t, seed)
		w.answers = answers
		for w.step = range min(steps, worldSteps) {
			w.random()
			if w.step%1000 == 999 {
				w.compareAll()
			}
		}
		w.compareAll()
		w.close()
	}
	var list []string
	for answer, n := range answers {
		list = append(list, fmt.Sprintf("%7d %s", n, answer))
	}
	slices.Sort(list)
	t.Logf("answers:\n%s", strings.Join(list, "\n"))
	if all < enough {
		return
	}
	for _, answer := range []string{"", "fault", "unknown", "fenced", "clock", "insufficient", "not found", "closed", "cancelled", "refused",
		"conflict units", "conflict peer", "conflict digest", "conflict output", "request units", "request scheme", "request key",
		"state STAMPED void", "state RELEASED sign left", "state VOID redeem not this one", "state VOID stamp gone"} {
		require.Positive(t, answers[answer], "no operation was answered with %q", answer)
	}
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Logf("world METERAI_SEED=%d", seed)
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 0)), sink: newFakeSink(), clk: newClock(), oracle: &oracle{
		scheme: testScheme(t), accounts: make(map[string]*oracleAccount), moves: make(map[serial.KeyID]oracleMove),
		attempts: make(map[serial.KeyID]serial.Number), rows: make(map[serial.Number]*serial.Reservation),
		kept: make(map[serial.Number]serial.Output),
	}}
	w.store = &storetest.Faulty{Store: storetest.NewMemory(), Next: func(method string) storetest.Fault {
		if method != "Update" {
			return storetest.NoFault
		}
		return pop(&w.plan)
	}}
	w.sink.next = func(step string) storetest.Fault {
		if step == "keep" {
			return storetest.NoFault
		}
		return pop(&w.sinkPlan)
	}
	for i := range 3 {
		w.processes = append(w.processes, &process{issues: i < 2})
		w.open(i)
	}
	return w
}

// open starts a process anew, as after a crash: what is left of its block is lost.
func (w *world) open(i int) {
	p := w.processes[i]
	*p = process{issues: p.issues}
	opt := &serial.Options{Sink: w.sink, Now: w.clk.now, Block: oracleBlock}
	if p.issues {
		opt.Scheme = w.scheme
		p.seen = w.series.Time
	}
	l, err := serial.Open(w.t.Context(), w.store, opt)
	require.NoError(w.t, err)
	p.Ledger = l
}

func (w *world) close() {
	for _, p := range w.processes {
		require.NoError(w.t, p.Close())
	}
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("step %d, %s: %s", w.step, w.op, fmt.Sprintf(format, args...))
}

// answer compares the answer of an operation with the oracle's, and reports whether it was done.
func (w *world) answer(err error, want string) bool {
	w.t.Helper()
	if got := classOf(err); got != want {
		w.fail("answered %q, want %q (%v)", got, want, err)
	}
	w.answers[strings.TrimSpace(want)]++
	return want == ""
}

func (w *world) same(got, want any) {
	w.t.Helper()
	if !reflect.DeepEqual(got, want) {
		w.fail("got %+v, want %+v", got, want)
	}
}

var modelFaults = []storetest.Fault{storetest.NoFault, storetest.NoFault, storetest.Unreachable, storetest.Refused, storetest.Lost,
	storetest.Persisted, storetest.Repeated}

func (w *world) pickFaults() []storetest.Fault {
	if w.r.IntN(6) > 0 {
		return nil
	}
	var list []storetest.Fault
	for range 1 + w.r.IntN(3) {
		list = append(list, modelFaults[w.r.IntN(len(modelFaults))])
	}
	return list
}

// tick moves the clock: mostly on, sometimes a little back, rarely far away and home again.
func (w *world) tick() {
	switch n := w.r.IntN(400); {
	case n < 150:
	case n < 200:
		w.clk.step(-time.Duration(w.r.IntN(900)) * time.Millisecond)
	case n == 200:
		w.clk.step(-time.Duration(w.r.IntN(60)) * time.Second)
	case n == 201:
		w.clk.step(time.Duration(w.r.IntN(300)) * time.Hour)
	case n < 210:
		w.clk.step(time.Duration(w.r.IntN(60)) * time.Second)
	default:
		w.clk.step(time.Duration(w.r.IntN(1500)) * time.Millisecond)
	}
	w.clock = w.clk.now().UTC()
}

func (w *world) random() {
	w.tick()
	w.plan, w.sinkPlan = w.pickFaults(), w.pickFaults()
	w.faults, w.sinkFaults = slices.Clone(w.plan), slices.Clone(w.sinkPlan)
	p := w.processes[w.r.IntN(len(w.processes))]
	switch n := w.r.IntN(1000); {
	case n < 4:
		w.fence()
	case n < 18:
		w.restart()
	case n < 50:
		w.badInput(p)
	case n < 70:
		w.cancelled(p)
	case n < 250:
		w.move(p)
	case n < 430:
		w.reserve(p)
	case n < 620:
		w.redeem(p)
	default:
		w.resolve(p)
	}
	if len(w.plan) != len(w.faults) || len(w.sinkPlan) != len(w.sinkFaults) || w.done != w.runs {
		w.fail("%d updates, %d calls of the sink and %d runs are not what was expected", len(w.faults)-len(w.plan),
			len(w.sinkFaults)-len(w.sinkPlan), w.done-w.runs)
	}
	w.compareOne(p)
}

func (w *world) pickAccount() string { return []string{"a", "b", "c", "dé", "rich"}[w.r.IntN(5)] }

// pickKey gives keys that come again, of any bytes.
func (w *world) pickKey() []byte {
	return fmt.Appendf(nil, "\x00\xff%d", w.r.IntN(30+w.step/10))
}

// pickNumber gives mostly a newer number, at times an old or an unknown one.
func (w *world) pickNumber() serial.Number {
	switch n := w.r.IntN(40); {
	case n == 0 || len(w.numbers) == 0:
		unknown, err := w.scheme.Number(1<<47 + uint64(w.r.IntN(100)))
		require.NoError(w.t, err)
		return unknown
	case n < 30:
		return w.numbers[max(0, len(w.numbers)-1-w.r.IntN(20))]
	}
	return w.numbers[w.r.IntN(len(w.numbers))]
}

// pickRequest gives one request for a key, and rarely another.
func (w *world) pickRequest() serial.Request {
	q := serial.Request{Account: w.pickAccount(), Key: w.pickKey(), Digest: [32]byte{1}, Length: 1 << 39, Value: math.MaxUint32, Kind: "3", Placement: "p", Profile: "é"}
	switch w.r.IntN(60) {
	case 0:
		q.Digest[31]++
	case 1:
		q.Length--
	case 2:
		q.Value--
	case 3:
		q.Kind = ""
	case 4:
		q.Placement, q.Profile = "", ""
	case 5:
		q.Profile = "e"
	}
	return q
}

func (w *world) fence() {
	w.op = "fence"
	counter := uint64(0)
	if w.r.IntN(3) == 0 {
		counter = w.series.Mark + uint64(w.r.IntN(20))
	}
	err := serial.Fence(w.t.Context(), w.store, w.scheme.Series(), counter, w.clk.now())
	w.answer(err, w.oracle.fence(counter))
}

func (w *world) restart() {
	w.op = "restart"
	i := w.r.IntN(len(w.processes))
	require.NoError(w.t, w.processes[i].Close())
	_, err := w.processes[i].Credit(w.t.Context(), "a", 1, []byte("late"))
	w.answer(err, "closed")
	w.open(i)
}

// badInput: what is wrong with a request itself is refused before anything else, always, and leaves no trace. (I6)
func (w *world) badInput(p *process) {
	w.op = "bad input"
	c := badInputs[w.r.IntN(len(badInputs))]
	w.answer(c.call(w.t.Context(), p.Ledger), "request "+c.field)
}

// cancelled: a caller that is gone before it came does nothing.
func (w *world) cancelled(p *process) {
	w.op = "cancelled"
	ctx, cancel := context.WithCancel(w.t.Context())
	cancel()
	_, err := p.Redeem(ctx, w.pickRequest(), mustNotRun(w.t))
	w.answer(err, "cancelled")
	_, err = p.Credit(ctx, w.pickAccount(), 1, w.pickKey())
	w.answer(err, "cancelled")
}

func (w *world) move(p *process) {
	ctx, account, key := w.t.Context(), w.pickAccount(), w.pickKey()
	units := 1 + w.r.Int64N(4)
	if account == "rich" && w.r.IntN(3) == 0 {
		units = math.MaxInt64 - w.r.Int64N(1000)
	}
	id := serial.KeyID{Account: account, Op: serial.OpCredit, Key: string(key)}
	var m serial.Movement
	var err error
	peer := ""
	switch w.r.IntN(7) {
	case 0:
		m, err = p.Credit(ctx, account, units, key)
	case 1, 2:
		m, err = p.CreditPayment(ctx, serial.Payment{Account: account, Units: units, Reference: key, Paid: w.clk.now().Add(-time.Hour)})
	case 3:
		id.Op = serial.OpGrant
		m, err = p.Grant(ctx, account, units, key, "a reason")
	case 4:
		id.Op = serial.OpRefund
		m, err = p.Refund(ctx, account, units, key, "")
	case 5:
		id.Op, units = serial.OpLimit, w.r.Int64N(8)
		m, err = p.SetLimit(ctx, account, units, key)
	case 6:
		if peer = w.pickAccount(); peer == account {
			peer = "e"
		}
		id.Op, units, key = serial.OpTransfer, 1+w.r.Int64N(2), fmt.Append(nil, w.r.IntN(40))
		id.Key = string(key)
		m, err = p.Transfer(ctx, account, peer, units, key)
	}
	w.op = fmt.Sprintf("operation %d of %d units under %q", id.Op, units, key)
	want, answer := w.oracle.move(p, id, units, peer)
	if w.answer(err, answer) {
		w.same(m, want)
	}
}

func (w *world) reserve(p *process) {
	q := w.pickRequest()
	w.op = fmt.Sprintf("reserve %q", q.Key)
	r, err := p.Reserve(w.t.Context(), q)
	want, answer := w.begin(p, &q, false)
	if w.answer(err, answer) {
		w.same(r, want)
	}
}

func (w *world) redeem(p *process) {
	q := w.pickRequest()
	if w.r.IntN(3) == 0 && len(w.numbers) > 0 { // go on with one that was begun
		q = w.rows[w.pickOpen()].Request
	}
	end := []string{"", "", "", "boom", "refused"}[w.r.IntN(5)]
	w.op = fmt.Sprintf("redeem %q, run ends with %q", q.Key, end)
	text := func(n serial.Number, at time.Time, run int) []byte { return fmt.Appendf(nil, "%s %s %d", n, at, run) }
	r, err := p.Redeem(w.t.Context(), q, func(_ context.Context, r serial.Reservation, out io.Writer) error {
		w.done++
		_, err := out.Write(text(r.Number, r.Time, w.done))
		switch {
		case end == "refused":
			return &serial.RefusedError{Reason: "not this one"}
		case end != "":
			return errors.New(end)
		}
		return err
	})
	want, answer := w.oracle.redeem(p, &q, end, func(r *serial.Reservation) serial.Output { return outputOf(text(r.Number, r.Time, w.runs)) })
	if w.answer(err, answer) {
		w.same(r, want)
	}
}

// pickOpen prefers a reservation that is not final.
func (w *world) pickOpen() serial.Number {
	for range 10 {
		n := w.numbers[max(0, len(w.numbers)-1-w.r.IntN(40))]
		if !w.rows[n].State.Final() {
			return n
		}
	}
	return w.numbers[len(w.numbers)-1]
}

func (w *world) resolve(p *process) {
	ctx, n := w.t.Context(), w.pickNumber()
	out := serial.Output{Digest: [32]byte{byte(1 + w.r.IntN(2))}, Length: 9}
	var got serial.Reservation
	var err error
	var decide func(*serial.Reservation, moment) (string, func())
	step := w.r.IntN(5)
	w.op = fmt.Sprintf("step %d of %s", step, n)
	switch step {
	case 0, 1:
		got, err = p.Signing(ctx, n)
		decide = func(r *serial.Reservation, m moment) (string, func()) { return w.sign(p, r, m) }
	case 2:
		if kept, ok := w.kept[n]; ok && w.r.IntN(2) == 0 {
			out = kept
		}
		got, err = p.Stamped(ctx, n, out)
		decide = func(r *serial.Reservation, m moment) (string, func()) { return w.stamp(r, out, m) }
	case 3:
		got, err = p.Release(ctx, n, "left")
		decide = func(r *serial.Reservation, m moment) (string, func()) {
			return w.giveBack(r, serial.Reserved, serial.Released, "release", "left", m)
		}
	case 4:
		got, err = p.Void(ctx, n, "gone")
		decide = func(r *serial.Reservation, m moment) (string, func()) {
			return w.giveBack(r, serial.Signing, serial.Void, "void", "gone", m)
		}
	}
	if w.answer(err, w.stepped(p, n, decide)) {
		w.same(got, *w.rows[n])
	}
}

// compareOne holds an account, a number and a key against the oracle after each step.
func (w *world) compareOne(p *process) {
	ctx, account := w.t.Context(), w.pickAccount()
	b, err := p.Balance(ctx, account)
	if a, ok := w.accounts[account]; ok {
		w.answer(err, "")
		w.same(b, a.Balance)
		if a.Purchased+a.Granted+a.TransferredIn+a.Postpaid != a.Available+a.Reserved+a.Stamped+a.Refunded+a.TransferredOut {
			w.fail("I1: account %s: %+v", account, a)
		}
	} else {
		w.answer(err, "not found")
	}
	n := w.pickNumber()
	r, err := p.Lookup(ctx, n)
	want, ok := w.rows[n]
	if !ok {
		w.answer(err, "not found")
		_, err = p.LookupKey(ctx, account, []byte("never used"))
		w.answer(err, "not found")
		return
	}
	w.answer(err, "")
	w.same(r, *want)
	r, err = p.LookupKey(ctx, want.Account, want.Request.Key)
	w.answer(err, "")
	w.same(r, *w.rows[w.attempts[serial.KeyID{Account: want.Account, Op: serial.OpRedeem, Key: string(want.Request.Key)}]])
}

// compareAll holds everything against the oracle, and audits.
func (w *world) compareAll() {
	w.op = "compare all"
	p := w.processes[0]
	accounts := 0
	for a, err := range p.Accounts(w.t.Context()) {
		require.NoError(w.t, err)
		w.same(a.Balance, w.accounts[a.Name].Balance)
		w.same(a.Sequence, w.accounts[a.Name].entries)
		accounts++
	}
	w.same(accounts, len(w.accounts))
	states := make(map[serial.State]int64)
	open := 0
	for _, r := range w.rows {
		states[r.State]++
		if !r.State.Final() {
			open++
		}
	}
	for r, err := range p.Unresolved(w.t.Context()) {
		require.NoError(w.t, err)
		w.same(r, *w.rows[r.Number])
		open--
	}
	w.same(open, 0)
	report, err := p.Audit(w.t.Context())
	require.NoError(w.t, err)
	require.Empty(w.t, report.Problems)
	w.same(report.Reservations, states)
	for n, o := range w.sink.outputs() {
		w.same(outputOf(o.bytes), w.kept[n])
	}
	w.same(len(w.sink.outputs()), len(w.kept))
}

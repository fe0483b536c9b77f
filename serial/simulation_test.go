package serial_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// The simulation: several processes on one store and one sink, which fail, are slow, crash, are replaced and fenced; a
// signer that fails, hangs, and answers after its number was made void; and clients who lose requests and answers and
// come again. After two hours all faults end, and everything must end well. Time is that of the bubble.

const (
	simProcesses = 3
	simClients   = 16
	simKeys      = 6 // of each client
	simChaos     = 2 * time.Hour
	simHold      = 10 * time.Minute // after which a sweep gives up
	simLate      = time.Hour        // the signer answers at the latest
)

type sim struct {
	t      *testing.T
	memory *storetest.Memory
	sink   *fakeSink
	calm   atomic.Bool   // no more faults
	over   chan struct{} // closed when the chaos ends
	work   sync.WaitGroup

	mu        sync.Mutex
	r         *rand.Rand
	processes [simProcesses]*simProcess
	paid      map[string]int64          // acknowledged payments, by account
	stamps    map[string]serial.Receipt // acknowledged stamps, by account and key
	signed    map[serial.Number]int     // signatures made
	counts    map[string]int            // what happened
}

type simProcess struct {
	ledger *serial.Ledger
	dead   atomic.Bool
	end    context.CancelFunc // of its sweeper
}

// TestSimulation runs METERAI_SEEDS seeds from METERAI_SEED on. The same seed gives the same story as far as the
// goroutines take turns in the same way. (I1 to I3, I5 to I8, I10 to I13, I25)
func TestSimulation(t *testing.T) {
	seed := seedFromEnv(t)
	counts := make(map[string]int)
	const enough = 24 // for everything to happen
	seeds := numberFromEnv(t, "METERAI_SEEDS", enough)
	for range seeds {
		synctest.Test(t, func(t *testing.T) {
			s := newSim(t, seed)
			s.run()
			s.requireEnd()
			for what, n := range s.counts {
				counts[what] += n
			}
		})
		if t.Failed() {
			t.Fatalf("METERAI_SEED=%d", seed)
		}
		seed++
	}
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%6d %s", counts[what], what)
	}
	if seeds < enough {
		return
	}
	for _, what := range []string{"request lost", "answer lost", "replay", "crash", "fence", "clock back", "store fault", "sink fault", "signer fails",
		"signer hangs", "signer is late", "void answer", "orphan", "conflict", "released", "void", "stamped", "fenced", "unknown", "clock"} {
		require.Positive(t, counts[what], "%s never happened", what)
	}
}

func newSim(t *testing.T, seed uint64) *sim {
	return &sim{t: t, memory: storetest.NewMemory(), sink: newFakeSink(), over: make(chan struct{}), r: rand.New(rand.NewPCG(seed, 0)),
		paid: make(map[string]int64), stamps: make(map[string]serial.Receipt), signed: make(map[serial.Number]int), counts: make(map[string]int)}
}

func (s *sim) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// below gives a random number.
func (s *sim) below(n int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Int64N(n)
}

func (s *sim) sleep(most time.Duration) { time.Sleep(time.Duration(s.below(int64(most)))) }

// happens is true with that chance in a hundred, and counts it, as long as there are faults.
func (s *sim) happens(percent int64, what string) bool {
	if s.calm.Load() || s.below(100) >= percent {
		return false
	}
	s.count(what)
	return true
}

// fault is what a call of the store or the sink by a process meets: delay, 10 % faults, and its own death.
func (s *sim) fault(p *simProcess, what string) storetest.Fault {
	s.sleep(20 * time.Millisecond)
	if s.happens(1, "slow") {
		s.sleep(time.Minute)
	}
	if p.dead.Load() {
		return storetest.Unreachable
	}
	if s.happens(10, what) {
		return storetest.Fault(1 + s.below(int64(storetest.Repeated)))
	}
	return storetest.NoFault
}

// boot starts a process in a place.
func (s *sim) boot(place int) {
	p := &simProcess{}
	store := &storetest.Faulty{Store: s.memory, Next: func(string) storetest.Fault { return s.fault(p, "store fault") }}
	skew := time.Duration(s.below(1000)-500) * time.Millisecond
	if s.happens(10, "clock back") {
		skew = -time.Hour
	}
	opt := &serial.Options{Scheme: testScheme(s.t), Block: 8, Now: func() time.Time { return time.Now().Add(skew) },
		Sink: s.sink.of(func(step string) storetest.Fault {
			if step == "keep" && !p.dead.Load() {
				return storetest.NoFault
			}
			return s.fault(p, "sink fault")
		})}
	for p.ledger == nil {
		p.ledger, _ = serial.Open(context.Background(), store, opt) // refused only by a fault
	}
	var ctx context.Context
	ctx, p.end = context.WithCancel(context.Background())
	s.work.Go(func() {
		_ = p.ledger.SweepEvery(ctx, time.Minute, &serial.SweepOptions{Hold: simHold, Void: simHold})
	})
	s.mu.Lock()
	s.processes[place] = p
	s.mu.Unlock()
}

// kill ends a process: what it has under way reaches neither store nor sink any more.
func (s *sim) kill(place int) {
	s.mu.Lock()
	p := s.processes[place]
	s.mu.Unlock()
	p.dead.Store(true)
	p.end()
	s.work.Go(func() { _ = p.ledger.Close() })
}

func (s *sim) pick() *simProcess {
	i := s.below(simProcesses)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.processes[i]
}

// operator crashes processes and fences, until the chaos is over.
func (s *sim) operator() {
	for !s.calm.Load() {
		s.sleep(30 * time.Minute)
		place := int(s.below(simProcesses))
		switch {
		case s.happens(30, "fence"):
			err := serial.Fence(context.Background(), &storetest.Faulty{Store: s.memory, Next: func(string) storetest.Fault {
				return s.fault(&simProcess{}, "store fault")
			}}, testScheme(s.t).Series(), 0, time.Now())
			if err != nil {
				s.count("fence failed")
			}
			s.sleep(time.Minute) // in which the holders of old leases go on
			for i := range simProcesses {
				s.kill(i)
				s.boot(i)
			}
		case s.happens(80, "crash"):
			s.kill(place)
			s.sleep(2 * time.Minute)
			s.boot(place)
		}
	}
}

func (s *sim) run() {
	for i := range simProcesses {
		s.boot(i)
	}
	s.work.Go(s.operator)
	for i := range simClients {
		s.work.Go(func() { s.client(i) })
	}
	time.Sleep(simChaos)
	s.calm.Store(true)
	time.Sleep(time.Hour) // the operator is done
	for i := range simProcesses {
		s.kill(i)
		s.boot(i)
	}
	close(s.over)
	time.Sleep(2*simLate + 2*simHold) // the sweepers go on; the last late answer is there
	for i := range simProcesses {
		s.kill(i)
	}
	s.work.Wait()
}

// call sends a request to some process, as a client that waits for half a minute: answered is false if it knows nothing.
func (s *sim) call(do func(context.Context, *serial.Ledger) error) (answered bool, err error) {
	if s.happens(15, "request lost") {
		return false, nil
	}
	p := s.pick()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second+time.Duration(s.below(int64(30*time.Second))))
	defer cancel()
	done := make(chan error, 1)
	s.work.Go(func() { done <- do(ctx, p.ledger) })
	select {
	case err = <-done:
	case <-time.After(40 * time.Second): // what is late now reaches nobody
		return false, nil
	}
	if class := classOf(err); class != "" {
		s.count(strings.Fields(class)[0])
	}
	if p.dead.Load() || s.happens(15, "answer lost") {
		return false, nil
	}
	return true, err
}

// client buys units, and comes with each request until it has an answer, again and again.
func (s *sim) client(i int) {
	account := fmt.Sprint("account ", i%4)
	s.pay(account, fmt.Sprint("client ", i))
	for k := range simKeys {
		s.sleep(15 * time.Minute)
		key := fmt.Sprintf("client %d, %d", i, k)
		switch s.below(6) {
		case 0:
			s.abandon(account, key)
		default:
			s.redeem(account, key)
		}
	}
	<-s.over
	for k := range simKeys {
		key := fmt.Sprintf("client %d, %d", i, k)
		s.lastRound(account, key)
	}
}

const simUnits = simKeys + 1

func (s *sim) pay(account, reference string) {
	for {
		answered, err := s.call(func(ctx context.Context, l *serial.Ledger) error {
			_, err := l.Credit(ctx, account, simUnits, []byte(reference))
			return err
		})
		if answered && err == nil {
			s.mu.Lock()
			s.paid[account] += simUnits
			s.mu.Unlock()
			return
		}
		s.sleep(10 * time.Second)
	}
}

// abandon reserves by hand and goes away, at some step.
func (s *sim) abandon(account, key string) {
	_, _ = s.call(func(ctx context.Context, l *serial.Ledger) error {
		r, err := l.Reserve(ctx, req(account, key))
		if err == nil && s.below(2) == 0 {
			_, err = l.Signing(ctx, r.Number)
		}
		return err
	})
}

// redeem tries a few times, and replays what was answered.
func (s *sim) redeem(account, key string) {
	for range 1 + s.below(8) {
		done := s.redeemOnce(account, key)
		if done && !s.happens(50, "replay") {
			break
		}
		s.sleep(30 * time.Second)
	}
	s.mu.Lock()
	_, known := s.stamps[key]
	s.mu.Unlock()
	if known && s.happens(30, "other request") { // with a key that is taken
		other := req(account, key)
		other.Digest[0]++
		answered, err := s.call(func(ctx context.Context, l *serial.Ledger) error {
			_, err := l.Redeem(ctx, other, func(context.Context, serial.Reservation, io.Writer) error {
				s.t.Errorf("I5: %s was signed for another request", key)
				return nil
			})
			return err
		})
		if answered && err == nil {
			s.t.Errorf("I5: %s stands for two requests", key)
		}
	}
}

// redeemOnce reports whether the answer is final.
func (s *sim) redeemOnce(account, key string) bool {
	began := time.Now()
	var receipt serial.Receipt
	answered, err := s.call(func(ctx context.Context, l *serial.Ledger) error {
		r, err := l.Redeem(ctx, req(account, key), s.signer(began))
		if err == nil {
			receipt = r
		}
		return err
	})
	var state *serial.StateError
	switch {
	case !answered:
		return false
	case err == nil:
		s.acknowledge(key, receipt)
		return true
	case errors.As(err, &state) && state.State == serial.Void:
		s.count("void answer")
		return true
	}
	return false
}

// acknowledge holds an answer against those that were given before. (I5)
func (s *sim) acknowledge(key string, r serial.Receipt) {
	r.Replayed = false
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, ok := s.stamps[key]; ok && was != r {
		s.t.Errorf("I5: %s was answered with %v, then with %v", key, was, r)
	}
	s.stamps[key] = r
}

// signer makes an output that is another one each time.
func (s *sim) signer(began time.Time) runFunc {
	return func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		if kept, ok := s.sink.outputs()[r.Number]; ok && kept.at.Before(began) {
			s.t.Errorf("I5: the signer was asked again for %s, whose output was kept before the call", r.Number)
		}
		switch {
		case s.happens(10, "signer fails"):
			return errors.New("token removed")
		case s.happens(10, "signer hangs"):
			<-ctx.Done()
			return ctx.Err()
		case s.happens(15, "signer is late"):
			s.sleep(simLate)
		default:
			s.sleep(time.Second)
		}
		s.mu.Lock()
		s.signed[r.Number]++
		run := s.signed[r.Number]
		s.mu.Unlock()
		_, err := fmt.Fprintf(w, "%s %s signature %d", r.Number, r.Time, run)
		return err
	}
}

// lastRound: without faults one call is enough for a final answer. (I25)
func (s *sim) lastRound(account, key string) {
	s.mu.Lock()
	_, known := s.stamps[key]
	s.mu.Unlock()
	if s.redeemOnce(account, key) {
		return
	}
	s.t.Errorf("I25: no answer for %s after the faults had ended (answered before: %v)", key, known)
}

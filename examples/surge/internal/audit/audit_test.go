package audit_test

import (
	"context"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/surge/internal/audit"
	"github.com/seed-574216e4/meterai/examples/surge/internal/chaos"
	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/examples/surge/internal/plant"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/examples/surge/internal/replay"
	"github.com/seed-574216e4/meterai/examples/surge/internal/view"
	"github.com/seed-574216e4/meterai/serial"
)

const (
	guard = time.Minute // for answers, on a machine that is slow
	seed  = 443         // of people of whom one leaves a unit held, one goes away, some are paid back, and one payment is lost
)

// replayed is a small replay, ready to be audited, and what the ledger's own audit says. The key is lost before an outage of
// the ledger and until after it, so that people wait for their stamps all that time.
func replayed(t *testing.T) (*audit.Input, *serial.AuditReport) {
	t.Helper()
	meter := &portal.Meter{}
	p, err := plant.NewEmbedded(t.Context(), plant.Options{
		Dir: t.TempDir(), Front: portal.Options{Meter: meter, Timeout: 20 * time.Second, Again: 100 * time.Millisecond},
		Sweep: &serial.SweepOptions{Hold: time.Hour, Void: time.Millisecond},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	r, err := replay.Run(t.Context(), replay.Config{
		Seed: seed, Length: 3 * time.Second, Rush: 300 * time.Millisecond, Over: 1, Usual: 1, Capacity: 24, Dealers: 2, Pool: 5000,
		Late: 200 * time.Millisecond, Drain: guard, Tick: 100 * time.Millisecond, Look: 500 * time.Millisecond,
		Scale: load.Scale{Callback: 50 * time.Millisecond, Late: 400 * time.Millisecond},
		Plans: []chaos.Plan{
			{Kind: chaos.KeyLost, At: 0.1, For: 2300 * time.Millisecond}, {Kind: chaos.Outage, At: 0.4, For: 900 * time.Millisecond},
			{Kind: chaos.TSADown, At: 0.75, For: time.Second},
		},
	}, p, meter, view.New(io.Discard))
	require.NoError(t, err)
	ledger, store := p.Ledger()
	specimen, _ := p.PKI()
	trust, err := plant.Trust(specimen, 1)
	require.NoError(t, err)
	in := &audit.Input{
		Outputs: plant.Outputs(p.Dir()), Extended: plant.Extended(p.Dir()), Verify: trust,
		Entries: audit.Export(t.Context(), store), Genuine: func(n serial.Number) bool { return plant.Genuine(n, 1) },
		People: r.Plan, Wants: r.Crowd.Wants(), Payments: r.Crowd.Payments(), Late: r.Config.Late,
		AtOnce: guard, Answer: guard, Workers: 2,
	}
	require.NoError(t, in.AskAll(t.Context(), ledger, r.Start, r.Faults))
	require.Len(t, in.Outages, 1)
	own, err := ledger.Audit(t.Context())
	require.NoError(t, err)
	return in, own
}

// stamps are the wants of documents that were stamped.
func stamps(in *audit.Input) (out []*crowd.Want) {
	for _, w := range in.Wants {
		if w.Op == portal.Stamp && w.Outcome == portal.Done {
			out = append(out, w)
		}
	}
	return out
}

func file(in *audit.Input, w *crowd.Want) string {
	return filepath.Join(in.Outputs, w.Serial[3:5], w.Serial)
}

// change changes what stands in w for the time of a test.
func change[T any](t *testing.T, at *T, to T) {
	was := *at
	*at = to
	t.Cleanup(func() { *at = was })
}

// rewrite writes another content into a file for the time of a test.
func rewrite(t *testing.T, name string, content []byte) {
	was, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, content, 0o600))
	t.Cleanup(func() { require.NoError(t, os.WriteFile(name, was, 0o600)) })
}

// entries changes the export.
func entries(t *testing.T, in *audit.Input, edit func(*serial.Entry) []serial.Entry) {
	was := in.Entries
	change(t, &in.Entries, iter.Seq2[serial.Entry, error](func(yield func(serial.Entry, error) bool) {
		for e, err := range was {
			if err != nil {
				yield(e, err)
				return
			}
			for _, n := range edit(&e) {
				if !yield(n, nil) {
					return
				}
			}
		}
	}))
}

// The checks, by their order in the report.
const (
	conserved = iota
	unique
	genuine
	chain
	promises
	served
	money
	manners
	exists
	good
	extended
	harm
	outage
)

// fault is something that is planted: which check finds it, and what the check says.
type fault struct {
	finds int
	says  string
	plant func(*testing.T)
}

// all audits everything, books all but the documents.
func all(t *testing.T, in *audit.Input) *audit.Report {
	r, err := audit.Run(context.Background(), in)
	require.NoError(t, err)
	return r
}

func books(t *testing.T, in *audit.Input) *audit.Report {
	r, err := audit.Books(in)
	require.NoError(t, err)
	return r
}

// found plants a fault and sees it found.
func (f *fault) found(t *testing.T, in *audit.Input) {
	f.plant(t)
	look := books
	if f.finds == exists || f.finds == good || f.finds == extended {
		look = all
	}
	r := look(t, in)
	require.False(t, r.Clean)
	require.NotZero(t, r.Checks[f.finds].Wrong)
	require.Contains(t, strings.Join(r.Checks[f.finds].Problems, "\n"), f.says)
}

// TestAuditorFindsPlantedFaults: a clean replay is clean, and every fault that is planted is found by the check that
// should find it.
func TestAuditorFindsPlantedFaults(t *testing.T) {
	in, own := replayed(t)
	clean := all(t, in)
	for _, c := range clean.Checks {
		require.Zero(t, c.Wrong, "%s: %v", c.Name, c.Problems)
		require.NotZero(t, c.Looked, c.Name)
	}
	require.True(t, clean.Clean)
	require.NotZero(t, clean.Levels["B-B, timestamp later"])
	require.NotZero(t, clean.Levels["B-T"])
	require.NotEmpty(t, in.Whole.Harms)
	s := stamps(in)
	require.Greater(t, len(s), 12)
	for _, faults := range []func(*audit.Input, []*crowd.Want) map[string]fault{
		bookFaults, moneyFaults, paperFaults, peopleFaults, servedFaults, harmFaults, stampFaults, caseFaults, windowFaults,
	} {
		for name, f := range faults(in, s) {
			t.Run(name, func(t *testing.T) { f.found(t, in) })
		}
	}
	for name, lived := range harmless(in, s) {
		t.Run(name, func(t *testing.T) {
			lived(t)
			require.True(t, books(t, in).Clean)
		})
	}
	again := all(t, in)
	require.True(t, again.Clean, "nothing is left of the faults")
	ownAudit(t, again, own)
}

// ownAudit: the ledger's own audit is a second witness, which must not find anything and must count the same.
func ownAudit(t *testing.T, found *audit.Report, own *serial.AuditReport) {
	for name, edit := range map[string]func(*serial.AuditReport){
		"":                  func(*serial.AuditReport) {},
		"a problem":         func(r *serial.AuditReport) { r.Problems = []serial.Problem{{Text: "something is wrong"}} },
		"another count":     func(r *serial.AuditReport) { r.Totals.Stamped++ },
		"a unit more":       func(r *serial.AuditReport) { r.Totals.Available++ },
		"a purchase less":   func(r *serial.AuditReport) { r.Totals.Purchased-- },
		"an entry less":     func(r *serial.AuditReport) { r.Entries-- },
		"another state":     func(r *serial.AuditReport) { r.Reservations = map[serial.State]int64{serial.Stamped: 1} },
		"an account more":   func(r *serial.AuditReport) { r.Accounts++ },
		"problems left out": func(r *serial.AuditReport) { r.Omitted = 1 },
	} {
		report, witness := *found, *own
		report.Checks = slices.Clone(found.Checks)
		edit(&witness)
		report.Ledger(&witness)
		require.Equal(t, name == "", report.Clean, name)
		require.Equal(t, name == "", report.Checks[len(report.Checks)-1].Wrong == 0, name)
	}
}

package audit_test

import (
	"context"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
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

const guard = time.Minute // for answers, on a machine that is slow

// replayed is a small replay with an outage and a timestamp authority that is down, ready to be audited.
func replayed(t *testing.T) *audit.Input {
	t.Helper()
	meter := &portal.Meter{}
	p, err := plant.NewEmbedded(t.Context(), plant.Options{
		Dir: t.TempDir(), Front: portal.Options{Meter: meter, Timeout: 20 * time.Second, Again: 100 * time.Millisecond},
		Sweep: &serial.SweepOptions{Hold: time.Hour, Void: time.Hour},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	r, err := replay.Run(t.Context(), replay.Config{
		Seed: 3, Length: 3 * time.Second, Rush: 300 * time.Millisecond, Over: 1, Usual: 1, Capacity: 14, Dealers: 2, Pool: 5000,
		Late: 200 * time.Millisecond, Drain: guard, Tick: 100 * time.Millisecond, Look: 500 * time.Millisecond,
		Scale: load.Scale{Callback: 50 * time.Millisecond, Late: 400 * time.Millisecond},
		Plans: []chaos.Plan{{Kind: chaos.KeyLost, At: 0.3, For: 1500 * time.Millisecond}, {Kind: chaos.TSADown, At: 0.6, For: time.Second}},
	}, p, meter, view.New(io.Discard))
	require.NoError(t, err)
	ledger, store := p.Ledger()
	specimen, _ := p.PKI()
	trust, err := plant.Trust(specimen, 1)
	require.NoError(t, err)
	in := &audit.Input{
		Outputs: plant.Outputs(p.Dir()), Extended: plant.Extended(p.Dir()), Verify: trust,
		Entries: audit.Export(t.Context(), store), Genuine: func(n serial.Number) bool { return plant.Genuine(n, 1) },
		Wants: r.Crowd.Wants(), Payments: r.Crowd.Payments(), From: r.Start, To: time.Now(), Late: r.Config.Late,
		AtOnce: guard, Answer: guard, Workers: 2,
	}
	payments := slices.Clone(in.Payments)
	for h, err := range ledger.Affected(t.Context(), &serial.Outage{From: in.From, To: in.To, Late: in.Late, Payments: func(yield func(serial.Payment, error) bool) {
		for _, p := range payments {
			if !yield(p, nil) {
				return
			}
		}
	}}) {
		require.NoError(t, err)
		in.Harms = append(in.Harms, h)
	}
	return in
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
	money
	manners
	exists
	good
	extended
	harm
)

// TestAuditorFindsPlantedFaults: a clean replay is clean, and every fault that is planted is found by the check that
// should find it.
func TestAuditorFindsPlantedFaults(t *testing.T) {
	in := replayed(t)
	run := func(t *testing.T) *audit.Report {
		r, err := audit.Run(context.Background(), in)
		require.NoError(t, err)
		return r
	}
	clean := run(t)
	for _, c := range clean.Checks {
		require.Zero(t, c.Wrong, "%s: %v", c.Name, c.Problems)
		require.NotZero(t, c.Looked, c.Name)
	}
	require.True(t, clean.Clean)
	require.NotZero(t, clean.Levels["B-B, timestamp later"])
	require.NotZero(t, clean.Levels["B-T"])
	require.NotEmpty(t, in.Harms)
	s := stamps(in)
	require.Greater(t, len(s), 12)
	for name, f := range faults(in, s) {
		t.Run(name, func(t *testing.T) {
			f.plant(t)
			r := run(t)
			require.False(t, r.Clean)
			require.NotZero(t, r.Checks[f.finds].Wrong, "%s is not found", name)
			require.NotEmpty(t, r.Checks[f.finds].Problems)
		})
	}
	require.True(t, run(t).Clean, "nothing is left of the faults")
}

type fault struct {
	finds int
	plant func(*testing.T)
}

func faults(in *audit.Input, s []*crowd.Want) map[string]fault {
	first := func(kind serial.Kind, edit func(*serial.Entry) []serial.Entry) func(*serial.Entry) []serial.Entry {
		done := false
		return func(e *serial.Entry) []serial.Entry {
			if done || e.Kind != kind {
				return []serial.Entry{*e}
			}
			done = true
			return edit(e)
		}
	}
	out := map[string]fault{
		"an output is gone": {exists, func(t *testing.T) {
			require.NoError(t, os.Rename(file(in, s[0]), file(in, s[0])+".away"))
			t.Cleanup(func() { require.NoError(t, os.Rename(file(in, s[0])+".away", file(in, s[0]))) })
		}},
		"an output too many": {exists, func(t *testing.T) {
			scheme, err := serial.NewScheme('0', "ZY", [32]byte{9})
			require.NoError(t, err)
			n, err := scheme.Number(7)
			require.NoError(t, err)
			name := filepath.Join(in.Outputs, n.String())
			require.NoError(t, os.WriteFile(name, []byte("x"), 0o600))
			t.Cleanup(func() { require.NoError(t, os.Remove(name)) })
		}},
		"a byte of a document differs": {good, func(t *testing.T) {
			b, err := os.ReadFile(file(in, s[1]))
			require.NoError(t, err)
			b[len(b)/4] ^= 1
			rewrite(t, file(in, s[1]), b)
		}},
		"a stamped document of another serial": {good, func(t *testing.T) {
			b, err := os.ReadFile(file(in, s[2]))
			require.NoError(t, err)
			rewrite(t, file(in, s[1]), b)
		}},
		"a document without a stamp": {good, func(t *testing.T) { rewrite(t, file(in, s[3]), s[3].Document.Bytes()) }},
		"somebody else's document":   {good, func(t *testing.T) { change(t, &s[4].Document.Index, 99) }},
		"a serial that was doubled": {unique, func(t *testing.T) {
			entries(t, in, first(serial.KindReserve, func(e *serial.Entry) []serial.Entry {
				second := *e
				second.Account = "zz somebody else"
				return []serial.Entry{*e, second}
			}))
		}},
		"a serial that is no number of ours": {genuine, func(t *testing.T) {
			change(t, &in.Genuine, func(n serial.Number) bool { return n.String() != s[0].Serial })
		}},
		"an acknowledged stamp that the ledger lost": {promises, func(t *testing.T) {
			entries(t, in, func(e *serial.Entry) []serial.Entry {
				if e.Number.String() == s[0].Serial {
					return nil
				}
				return []serial.Entry{*e}
			})
		}},
		"an acknowledged stamp under another request": {promises, func(t *testing.T) { change(t, &s[5].Key, "another") }},
		"an acknowledged stamp with another document": {promises, func(t *testing.T) { change(t, &s[5].Digest, [32]byte{1}) }},
		"a unit that vanished": {conserved, func(t *testing.T) {
			entries(t, in, first(serial.KindTransferIn, func(e *serial.Entry) []serial.Entry { e.Units--; return []serial.Entry{*e} }))
		}},
		"an entry that was changed": {chain, func(t *testing.T) {
			entries(t, in, first(serial.KindStamped, func(e *serial.Entry) []serial.Entry { e.Length++; return []serial.Entry{*e} }))
		}},
		"an entry that is missing": {chain, func(t *testing.T) {
			entries(t, in, first(serial.KindSigning, func(*serial.Entry) []serial.Entry { return nil }))
		}},
		"a payment that was not credited": {money, func(t *testing.T) {
			change(t, &in.Payments, append(slices.Clone(in.Payments), serial.Payment{Account: s[0].Account, Units: 2, Reference: []byte("lost")}))
		}},
		"units that nobody paid": {money, func(t *testing.T) {
			change(t, &in.Wants, slices.DeleteFunc(slices.Clone(in.Wants), func(w *crowd.Want) bool { return w.Op == portal.Credit }))
		}},
		"a request without an answer":        {manners, func(t *testing.T) { change(t, &s[6].Outcome, portal.None) }},
		"a refusal that took its time":       {manners, func(t *testing.T) { change(t, &s[6].Refusal, 2*guard) }},
		"a refusal without a time to return": {manners, func(t *testing.T) { change(t, &s[6].NoReturn, 1) }},
		"somebody who heard nothing":         {manners, func(t *testing.T) { change(t, &s[6].Longest, 2*guard) }},
		"two answers to one request":         {manners, func(t *testing.T) { change(t, &s[6].Contradicts, "done, then void") }},
		"a timestamp that is still owed": {extended, func(t *testing.T) {
			change(t, &in.Extended, t.TempDir())
		}},
	}
	for name, f := range harmFaults(in, s) {
		out[name] = f
	}
	return out
}

// harmFaults are reports of who was harmed that do not agree with what people lived through.
func harmFaults(in *audit.Input, s []*crowd.Want) map[string]fault {
	return map[string]fault{
		"nobody is said to be harmed": {harm, func(t *testing.T) {
			change(t, &s[7].Held, s[7].Asked)
			change(t, &s[7].Worked, s[7].Asked.Add(guard))
			change(t, &s[7].Settled, s[7].Asked.Add(guard))
			change(t, &in.Harms, nil)
		}},
		"somebody is said to be harmed who does not exist": {harm, func(t *testing.T) {
			change(t, &in.Harms, append(slices.Clone(in.Harms), serial.Harm{Account: "nobody", Cases: []serial.Case{{Kind: serial.CaseVoid, Key: "x"}}}))
		}},
		"a stamp is said to be late that was handed out before": {harm, func(t *testing.T) {
			change(t, &in.Harms, append(slices.Clone(in.Harms), serial.Harm{Account: s[8].Account, Cases: []serial.Case{
				{Kind: serial.CaseLateStamp, Key: s[8].Key, From: s[8].Asked, To: s[8].Settled.Add(guard)},
			}}))
		}},
		"a stamp is said to be void that was handed out": {harm, func(t *testing.T) {
			change(t, &in.Harms, append(slices.Clone(in.Harms), serial.Harm{Account: s[8].Account, Cases: []serial.Case{{Kind: serial.CaseVoid, Key: s[8].Key}}}))
		}},
		"a payment is said to be missing at the end": {harm, func(t *testing.T) {
			i := slices.IndexFunc(in.Wants, func(w *crowd.Want) bool { return w.Op == portal.Credit })
			change(t, &in.Harms, append(slices.Clone(in.Harms), serial.Harm{Account: in.Wants[i].Account, Cases: []serial.Case{{Kind: serial.CaseUncredited, Key: in.Wants[i].Key}}}))
		}},
	}
}

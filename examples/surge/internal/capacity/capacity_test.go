package capacity_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/surge/internal/capacity"
)

// always is a time that does not vary.
func always(seconds float64) capacity.Samples { return capacity.Samples{seconds} }

func costs() capacity.Costs {
	return capacity.Costs{
		Stamp: capacity.Samples{0.001, 0.0015, 0.002}, Token: always(0.016), Sessions: 16, Book: 1.0 / 8000, Credit: 1.0 / 24000,
		Commit: capacity.Samples{0.002, 0.004}, Disk: capacity.Samples{0.006, 0.01}, Writers: 16, Stamped: 50_000,
	}
}

// single is a fleet of one of each.
func single() capacity.Fleet {
	return capacity.Fleet{Issuers: 1, Cores: 1, Tokens: 1, Databases: 1, Disks: 1}
}

// TestTheory: one server with random arrivals and a service time that does not vary waits rho*s/(2(1-rho)) on average
// (Pollaczek and Khinchine). Whichever part is the server, the simulation must give that.
func TestTheory(t *testing.T) {
	const s = 0.01
	for name, c := range map[string]capacity.Costs{
		"core":  {Stamp: always(s), Sessions: 1, Writers: 1},
		"token": {Token: always(s), Sessions: 1, Writers: 1},
		"disk":  {Disk: always(s), Sessions: 1, Writers: 1},
	} {
		for _, rho := range []float64{0.5, 0.8} {
			l := capacity.Simulate(c, single(), capacity.Traffic{Rate: rho / s}, 2000, 7)
			require.InEpsilon(t, rho*s/(2*(1-rho)), l.Mean-s, 0.05, "%s at %g", name, rho)
			require.InEpsilon(t, rho/s, l.Served, 0.02, name)
			require.InDelta(t, 0, l.Growth, 1e-4, name)
		}
		over := capacity.Simulate(c, single(), capacity.Traffic{Rate: 1.1 / s}, 500, 7)
		require.InEpsilon(t, 0.1, over.Growth, 0.15, "a tenth more comes than can be served: %s", name)
		require.InEpsilon(t, 1/s, over.Served, 0.01)
	}
}

// TestWithoutChance: callers who come again as soon as they are served, and times that do not vary. Few callers never meet,
// many wait for the slowest part alone.
func TestWithoutChance(t *testing.T) {
	c := capacity.Costs{Stamp: always(0.004), Token: always(0.002), Disk: always(0.001), Commit: always(0.0005), Sessions: 1, Writers: 1}
	const alone = 0.004 + 0.002 + 0.001 + 2*0.0005
	for _, s := range []struct {
		callers int
		took    float64
	}{{1, alone}, {2, alone}, {16, 16 * 0.004}} {
		l := capacity.Simulate(c, single(), capacity.Traffic{Callers: s.callers}, 100, 1)
		require.InEpsilon(t, float64(s.callers)/s.took, l.Served, 0.001, s.callers)
		require.InEpsilon(t, s.took, l.P50, 1e-6, s.callers)
		require.InEpsilon(t, s.took, l.P99, 1e-6, s.callers)
	}
}

// TestSimulationAgreesWithArithmetic: far below the limits the times add up, the parts are as busy as they should be, and
// above the first limit no more than that is served.
func TestSimulationAgreesWithArithmetic(t *testing.T) {
	c := costs()
	f := capacity.Fleet{Issuers: 2, Cores: 4, Tokens: 2, Databases: 1, Disks: 1, Site: 25, Link: 25}
	l := capacity.Simulate(c, f, capacity.Traffic{Rate: 100, Credits: 0.5}, 60, 1)
	require.InEpsilon(t, c.Stamp.Mean()+c.Token.Mean()+c.Disk.Mean()+2*c.Commit.Mean()+c.Book, l.Mean, 0.15)
	require.InEpsilon(t, 100, l.Served, 0.05)
	require.InEpsilon(t, 100*c.Stamp.Mean()/8, l.Busy[0], 0.1)
	require.InEpsilon(t, 100*c.Token.Mean()/32, l.Busy[1], 0.1)
	require.InEpsilon(t, 100*(c.Book+c.Credit/2), l.Busy[2], 0.1)
	require.InEpsilon(t, 100*c.Disk.Mean()/16, l.Busy[3], 0.1)

	limits := capacity.Limits(c, f, capacity.Traffic{})
	require.InDelta(t, 2000, limits[1], 1)
	t.Run("over", func(t *testing.T) {
		over := capacity.Simulate(c, f, capacity.Traffic{Rate: 3 * limits[1]}, 20, 1)
		require.InEpsilon(t, limits[1], over.Served, 0.05)
		require.Greater(t, over.Busy[1], 0.95)
		require.Greater(t, over.P99, 5*l.P99)
		require.Greater(t, over.Units, l.Units, "groups grow with the load")
		require.Equal(t, over, capacity.Simulate(c, f, capacity.Traffic{Rate: 3 * limits[1]}, 20, 1), "the same seed, the same answer")
	})
	t.Run("links", func(t *testing.T) {
		f.Site = 0.1
		network := capacity.Limits(c, f, capacity.Traffic{})[4]
		require.InEpsilon(t, 0.1e9/8/(1.1*c.Stamped), network, 1e-6)
		require.InEpsilon(t, network, capacity.Simulate(c, f, capacity.Traffic{Rate: 2 * network}, 60, 1).Served, 0.05)
	})
}

// TestHotAccount: one account is one row of one database. More databases carry more of the others, and never more of it.
func TestHotAccount(t *testing.T) {
	c := costs()
	served := func(databases int, hot float64) float64 {
		f := capacity.Fleet{Issuers: 4, Cores: 64, Tokens: 64, Databases: databases, Disks: 64}
		return capacity.Simulate(c, f, capacity.Traffic{Callers: 4096, Hot: hot}, 2, 3).Served
	}
	others, hot := served(1, 0), served(1, 1)
	require.InEpsilon(t, 8000, others, 0.05)
	require.Less(t, hot, others, "transactions wait for each other to the end")
	require.Greater(t, hot, others/2, "but a group commits as one")
	require.InEpsilon(t, hot, served(8, 1), 0.05)
	require.Greater(t, served(8, 0), 4*others)

	traffic := capacity.Mix(1000)
	require.Greater(t, capacity.Busiest(c, traffic, 1000), traffic.Hot*c.Book)
	require.Less(t, capacity.Busiest(c, traffic, 1000), 1.01*traffic.Hot*c.Book)
	require.Less(t, capacity.Plan(c, capacity.Mix(1e6)).Databases, 100, "an account that is too hot ends the search")
}

// TestPlans: every goal is carried, also with one issuer and one token less.
func TestPlans(t *testing.T) {
	c := costs()
	for _, g := range capacity.Goals() {
		traffic := capacity.Mix(g.Rate())
		f := capacity.Plan(c, traffic)
		for part, limit := range capacity.Limits(c, f, traffic) {
			require.Greater(t, limit, g.Rate()*1.3, "%s: %s", g.Name, capacity.Parts[part])
		}
		require.Greater(t, capacity.Years(f, g.Day), 1000.0)
		seconds := math.Max(2, 20_000/g.Rate())
		l := capacity.Simulate(c, f, traffic, seconds, 2)
		require.InEpsilon(t, g.Rate(), l.Served, 0.1, g.Name)
		require.Less(t, l.P99, 0.5)
		f.Issuers, f.Tokens = f.Issuers-1, f.Tokens-1
		require.InEpsilon(t, g.Rate(), capacity.Simulate(c, f, traffic, seconds, 2).Served, 0.1, g.Name)
	}
	var out bytes.Buffer
	capacity.WritePlan(&out, c, 1)
	require.Contains(t, out.String(), "100 million")
	require.Contains(t, out.String(), "the hot account")
}

// TestMeasure: every part costs something, and the whole at least what its dearest part does.
func TestMeasure(t *testing.T) {
	m, err := capacity.Measure(t.Context(), t.TempDir(), &capacity.Effort{Rounds: 1, Calls: 4})
	require.NoError(t, err)
	for name, cost := range map[string]float64{
		"document": m.Document.Mean(), "key": m.Key, "ledger": m.Ledger, "purchase": m.Credit, "sink": m.Sink,
		"timestamp": m.Timestamp, "authority": m.Authority, "disk": m.Disk.Mean(), "commit": m.Commit.Mean(),
	} {
		require.Positive(t, cost, name)
	}
	require.Len(t, m.Disk, capacity.Callers*4)
	require.Greater(t, m.Plain.CPU, m.Key)
	require.Greater(t, m.Stamped, m.Source, "a stamp is an update at the end")
	require.InEpsilon(t, 15_000, m.Source, 0.3)
	require.Greater(t, m.Parts(true), m.Parts(false))
	require.Positive(t, m.Predict(m.Timed, 1).Served)

	c := m.Costs(capacity.Taken{Token: 1000, Sessions: 16, Database: 8000, Commit: 0.003})
	require.InEpsilon(t, m.Timed.CPU-m.Authority, c.Stamp.Mean(), 1e-6)
	require.InEpsilon(t, 0.003, c.Commit.Mean(), 1e-6)
	var out bytes.Buffer
	m.Write(&out, 1)
	require.Contains(t, out.String(), "with one, the authority on the same cores")
}

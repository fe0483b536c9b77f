package capacity_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/surge/internal/capacity"
)

func costs() capacity.Costs {
	return capacity.Costs{Stamp: 0.001, Token: 0.016, Sessions: 16, Book: 1.0 / 8000, Commit: 0.003, Disk: 0.008, Writers: 16}
}

// TestSimulationAgreesWithQueueing: far below the limits the times add up, the parts are as busy as the arithmetic says,
// and above the first limit no more than that is served.
func TestSimulationAgreesWithQueueing(t *testing.T) {
	c := costs()
	f := capacity.Fleet{Issuers: 2, Cores: 4, Tokens: 2, Databases: 1, Disks: 1}
	l := capacity.Simulate(c, f, 100, 60, 1)
	alone := c.Stamp + c.Token + c.Disk + 2*c.Commit + c.Book
	require.InEpsilon(t, alone, l.P50, 0.25)
	require.InEpsilon(t, 100, l.Served, 0.05)
	require.InEpsilon(t, 100*c.Stamp/8, l.Busy[0], 0.1)
	require.InEpsilon(t, 100*c.Token/32, l.Busy[1], 0.1)
	require.InEpsilon(t, 100*c.Disk/16, l.Busy[3], 0.1)

	limits := capacity.Limit(c, f)
	require.InDelta(t, 2000, limits[1], 1)
	over := capacity.Simulate(c, f, 3*limits[1], 20, 1)
	require.InEpsilon(t, limits[1], over.Served, 0.05)
	require.Greater(t, over.Busy[1], 0.95)
	require.Greater(t, over.P99, 5*l.P99)
	require.Greater(t, over.Units, l.Units, "groups grow with the load")
	require.Equal(t, over, capacity.Simulate(c, f, 3*limits[1], 20, 1), "the same seed, the same answer")
}

// TestPlans: every goal is carried, also with one issuer and one token less.
func TestPlans(t *testing.T) {
	c := costs()
	for _, g := range capacity.Goals() {
		f := capacity.Plan(c, g.Rate())
		for part, limit := range capacity.Limit(c, f) {
			require.Greater(t, limit, g.Rate()*1.3, "%s: %s", g.Name, capacity.Parts[part])
		}
		seconds := math.Max(2, 20_000/g.Rate())
		l := capacity.Simulate(c, f, g.Rate(), seconds, 2)
		require.InEpsilon(t, g.Rate(), l.Served, 0.1, g.Name)
		require.Less(t, l.P99, 0.5)
		f.Issuers, f.Tokens = f.Issuers-1, f.Tokens-1
		require.InEpsilon(t, g.Rate(), capacity.Simulate(c, f, g.Rate(), seconds, 2).Served, 0.1, g.Name)
	}
	var out bytes.Buffer
	require.NoError(t, capacity.Write(&out, c, 1))
	require.Contains(t, out.String(), "100 million a day")
	require.Contains(t, out.String(), "first limit")
}

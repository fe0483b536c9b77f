package load_test

import (
	"bytes"
	"crypto/sha256"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign"
)

func curve() *load.Curve {
	return &load.Curve{Length: 100 * time.Second, Peak: 400, Rush: 5 * time.Second, Over: 3}
}

// TestArrivalsFollowTheCurve: chi square over fifty bins, for several seeds. With 49 degrees of freedom a sum above 98 has
// a chance below 1 in 20,000 for a right curve; a curve that is wrong by a tenth gives hundreds.
func TestArrivalsFollowTheCurve(t *testing.T) {
	c := curve()
	for seed := range uint64(5) {
		at := c.Arrivals(seed)
		require.IsNonDecreasing(t, at)
		const bins = 50
		var counts [bins]float64
		for _, a := range at {
			require.GreaterOrEqual(t, a, time.Duration(0))
			require.Less(t, a, c.Length)
			counts[int(float64(a)/float64(c.Length)*bins)]++
		}
		var right, wrong float64
		for i := range counts {
			expected := c.Expected(time.Duration(i)*c.Length/bins, time.Duration(i+1)*c.Length/bins)
			right += (counts[i] - expected) * (counts[i] - expected) / expected
			wrong += math.Pow(counts[i]-1.1*expected, 2) / (1.1 * expected)
		}
		require.Less(t, right, 98.0, "seed %d", seed)
		require.Greater(t, wrong, 150.0, "seed %d: the test can fail", seed)
	}
}

// TestArrivalsAreAPoissonProcess: in ordinary hours the gaps, in units of the expected one, are exponential: mean and
// deviation 1.
func TestArrivalsAreAPoissonProcess(t *testing.T) {
	c := curve()
	at := c.Arrivals(3)
	var sum, squares, n float64
	for i := 1; i < len(at); i++ {
		gap := (at[i] - at[i-1]).Seconds() * c.Rate(at[i])
		sum, squares, n = sum+gap, squares+gap*gap, n+1
	}
	mean := sum / n
	require.InDelta(t, 1, mean, 0.03)
	require.InDelta(t, 1, math.Sqrt(squares/n-mean*mean), 0.05)
}

func TestCurve(t *testing.T) {
	c := curve()
	require.Zero(t, c.Rate(-1))
	require.Zero(t, c.Rate(c.Length))
	require.Equal(t, 1200.0, c.Rate(c.Length-c.Rush))
	require.Equal(t, c.Length/120, c.Hour())
	noon, night := c.Rate(2*c.Length/5+10*c.Hour()), c.Rate(2*c.Length/5+3*c.Hour())
	require.Greater(t, noon, 5*night, "people sleep")
	require.Greater(t, c.Rate(3*c.Length/5+10*c.Hour()), noon, "each day is busier")
	require.InDelta(t, c.Expected(0, c.Length), float64(len(c.Arrivals(1))), 4*math.Sqrt(c.Expected(0, c.Length)))
}

func TestPopulationIsOfTheSeed(t *testing.T) {
	at := curve().Arrivals(7)
	s := load.Scale{Callback: time.Second, Late: 5 * time.Second}
	people := load.Population(7, at, 8, s)
	require.Equal(t, people, load.Population(7, curve().Arrivals(7), 8, s))
	require.NotEqual(t, people[0].Seed, load.Population(8, at, 8, s)[0].Seed)
	var direct, dealer, known, lost, doubled, impatient, leave, refund, bytes float64
	for _, p := range people {
		require.Len(t, p.Documents, 2)
		for _, d := range p.Documents {
			require.GreaterOrEqual(t, d.Size, load.MinSize)
			require.LessOrEqual(t, d.Size, load.MaxSize)
			bytes += float64(d.Size)
		}
		switch p.Way {
		case load.Direct:
			direct++
			if len(p.Callbacks) == 0 {
				lost++
			}
		case load.Dealer:
			dealer++
			require.NotEmpty(t, p.Callbacks)
		default:
			require.Empty(t, p.Callbacks)
		}
		count(&known, p.Known)
		count(&doubled, len(p.Callbacks) > 1)
		count(&impatient, p.Impatient)
		count(&leave, p.Leaving != load.Stays)
		count(&refund, p.Refund)
	}
	n := float64(len(people))
	require.Greater(t, n, 10_000.0)
	require.InDelta(t, 0.2, direct/n, 0.02)
	require.InDelta(t, 0.2, dealer/n, 0.02)
	require.InDelta(t, 0.5, known/(direct+dealer), 0.02)
	require.InDelta(t, 0.01, lost/direct, 0.01)
	require.NotZero(t, lost)
	require.InDelta(t, 0.1, doubled/(direct+dealer), 0.02)
	require.InDelta(t, 0.3, impatient/n, 0.02)
	require.InDelta(t, 0.03, leave/n, 0.01)
	require.InDelta(t, 0.04, refund/n, 0.01)
	require.InDelta(t, 15_000, bytes/n/2, 1_500)
}

// TestDocuments: each is a document that can be stamped, always the same, and no two are equal.
func TestDocuments(t *testing.T) {
	seen := make(map[[32]byte]bool)
	sizes := load.Sizes(1, 1)
	for i := range 40 {
		d := load.Document{Seed: 5, Person: i / 2, Index: i % 2, Size: sizes()}
		b := d.Bytes()
		require.Equal(t, b, d.Bytes())
		require.False(t, seen[sha256.Sum256(b)])
		seen[sha256.Sum256(b)] = true
		require.InDelta(t, d.Size, len(b), 800)
		f, err := pdf.Open(bytes.NewReader(b), int64(len(b)), nil)
		require.NoError(t, err)
		require.NotNil(t, f)
		_, err = sign.Open(bytes.NewReader(b), int64(len(b)), nil)
		require.NoError(t, err)
	}
}

func count(n *float64, yes bool) {
	if yes {
		*n++
	}
}

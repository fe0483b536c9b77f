// Package load says who comes when, and with what: the arrival curve of the days before a deadline, scaled in time, the
// plan of every simulated person, and the documents that they bring. Everything follows from a seed.
//
// The load is open: nobody looks at how the system is doing before coming. What a person does after having been refused
// is the matter of package crowd.
package load

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"
)

// Days is how many days before the deadline are replayed.
const Days = 5

// Curve is the rate at which people come, over the replayed days and the last hours before the deadline.
type Curve struct {
	// Length is how long the replay lasts: [Days] days in little.
	Length time.Duration
	// Peak is the rate, in people a second, of the busiest ordinary hour.
	Peak float64
	// Rush is how long the last hours are, at the end of Length, and Over how many times Peak comes in them.
	Rush time.Duration
	Over float64
}

// The days before the deadline: each is busier than the one before.
var days = [Days]float64{0.45, 0.6, 0.75, 0.9, 1}

// The hours of a day, as parts of its busiest: offices in the morning, families in the evening, hardly anybody at three.
var hours = [24]float64{
	0.30, 0.18, 0.12, 0.10, 0.12, 0.20, 0.38, 0.62, 0.85, 0.97, 1.00, 0.95,
	0.78, 0.82, 0.90, 0.88, 0.80, 0.70, 0.72, 0.85, 0.95, 0.90, 0.70, 0.48,
}

// Hour is how long an hour of the replayed days lasts.
func (c *Curve) Hour() time.Duration { return c.Length / (Days * 24) }

// Rate is people a second at a moment after the start, zero outside of the curve.
func (c *Curve) Rate(at time.Duration) float64 {
	switch {
	case at < 0 || at >= c.Length:
		return 0
	case at >= c.Length-c.Rush:
		return c.Over * c.Peak
	}
	hour := float64(at) / float64(c.Length) * Days * 24
	return c.Peak * days[int(hour/24)] * between(hour)
}

// between interpolates the hours.
func between(hour float64) float64 {
	whole := math.Floor(hour)
	a, b := hours[int(whole)%24], hours[int(whole+1)%24]
	return a + (b-a)*(hour-whole)
}

// steps is in how many pieces the curve is summed up.
const steps = 4096

// Expected is how many people come between two moments, on average.
func (c *Curve) Expected(from, to time.Duration) float64 {
	sum, width := 0.0, c.Length.Seconds()/steps
	for i := range steps {
		at := time.Duration((float64(i) + 0.5) * width * float64(time.Second))
		if at >= from && at < to {
			sum += c.Rate(at) * width
		}
	}
	return sum
}

// Arrivals draws when people come, in order: a Poisson process with the rate of the curve.
func (c *Curve) Arrivals(seed uint64) []time.Duration {
	rng := rand.New(rand.NewPCG(seed, 0xa11))
	width := c.Length.Seconds() / steps
	sums := make([]float64, steps+1)
	for i := range steps {
		sums[i+1] = sums[i] + width*c.Rate(time.Duration((float64(i)+0.5)*width*float64(time.Second)))
	}
	var out []time.Duration
	for at := rng.ExpFloat64(); at < sums[steps]; at += rng.ExpFloat64() {
		i := sort.SearchFloat64s(sums, at) // sums[i-1] < at <= sums[i]
		part := (at - sums[i-1]) / (sums[i] - sums[i-1])
		out = append(out, time.Duration((float64(i-1)+part)*width*float64(time.Second)))
	}
	return out
}

package load

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Way is how a person comes to have units.
type Way int

// The ways.
const (
	Prepared Way = iota // has units since earlier days
	Direct              // buys from the issuer, who learns of the payment by a callback
	Dealer              // buys from a distributor, who hands over units of its pool
)

// Leaving says whether somebody goes away before the end.
type Leaving int

// The kinds of leaving.
const (
	Stays    Leaving = iota
	Hangs            // closes the page while a stamping is on its way, and never comes back
	Reserves         // has a unit held for a document, and never stamps it
)

// Person is the plan of one simulated person. It is fixed before the start; what the system answers changes only how
// often the same is asked again.
type Person struct {
	Index     int
	Account   string
	Comes     time.Duration // after the start
	Way       Way
	Known     bool // who buys and has an account already
	Dealer    int  // whose customer, for [Dealer]
	Units     int64
	Documents []Document
	Impatient bool // asks again before the time that was said, and twice at once
	Leaving   Leaving
	Refund    bool // gives back what is left
	// Callbacks are how long after the payment each message about it comes; none: it is lost.
	Callbacks []time.Duration
	Seed      uint64 // of what else is drawn on the way
}

// Scale shortens what people and payment providers take.
type Scale struct {
	Callback time.Duration // how long the message about a payment usually takes
	Late     time.Duration // and how long a late one takes at least
}

// Population draws the plans of those who come at the given times. Dealers is how many distributors there are.
func Population(seed uint64, arrivals []time.Duration, dealers int, s Scale) []Person {
	out := make([]Person, len(arrivals))
	for i, at := range arrivals {
		out[i] = person(seed, i, at, dealers, s)
	}
	return out
}

func person(seed uint64, i int, at time.Duration, dealers int, s Scale) Person {
	rng := rand.New(rand.NewPCG(seed, uint64(i)+1))
	p := Person{
		Index: i, Account: fmt.Sprintf("person-%06d", i), Comes: at, Dealer: rng.IntN(dealers), Units: 2,
		Impatient: rng.Float64() < 0.3, Seed: rng.Uint64(),
	}
	switch x := rng.Float64(); {
	case x < 0.2:
		p.Way = Direct
	case x < 0.4:
		p.Way = Dealer
	}
	p.Known = p.Way != Prepared && rng.Float64() < 0.5
	switch x := rng.Float64(); {
	case x < 0.02:
		p.Leaving = Hangs
	case x < 0.03:
		p.Leaving = Reserves
	}
	if p.Refund = p.Leaving == Stays && rng.Float64() < 0.04; p.Refund {
		p.Units++
	}
	for k := range 2 {
		p.Documents = append(p.Documents, Document{Seed: seed, Person: i, Index: k, Size: size(rng)})
	}
	if p.Way != Prepared {
		p.Callbacks = callbacks(rng, s, p.Way == Direct)
	}
	return p
}

// callbacks draws the messages about one payment: usually one, a tenth late, a tenth doubled or tripled, and of a
// direct purchase one in a hundred never.
func callbacks(rng *rand.Rand, s Scale, mayLose bool) []time.Duration {
	if rng.Float64() < 0.01 && mayLose {
		return nil
	}
	n := 1
	if rng.Float64() < 0.1 {
		n += 1 + rng.IntN(2)
	}
	out := make([]time.Duration, n)
	for i := range out {
		out[i] = time.Duration(rng.ExpFloat64() * float64(s.Callback))
		if rng.Float64() < 0.1 {
			out[i] = s.Late + time.Duration(rng.ExpFloat64()*float64(s.Late))
		}
		out[i] = min(out[i], 4*s.Late)
	}
	return out
}

package admission

import "time"

// Lane is a class of work. A lower value goes first.
type Lane uint8

// The lanes, in order of priority. The zero Lane is none: nothing gets a priority by having been forgotten.
const (
	Resume   Lane = iota + 1 // goes on with what was begun: retries of a key that the ledger knows, stampings in process
	Redeem                   // uses a unit that was paid
	Purchase                 // credits or begins a purchase
	Register                 // makes an account, and everything that can wait
)

const lanes = 4

// String returns "resume", "redeem", "purchase", "register" or "none".
func (l Lane) String() string {
	if !l.valid() {
		return "none"
	}
	return [lanes]string{"resume", "redeem", "purchase", "register"}[l-1]
}

func (l Lane) valid() bool { return l >= Resume && l <= Register }

// What holds where the options say nothing.
const (
	defaultWorkers  = 16
	defaultCapacity = 1024
	accountPart     = 16 // an account may take this part of a lane
	defaultPatience = 16
	minPatience     = lanes
	defaultMaxWait  = 30 * time.Second
	defaultService  = 100 * time.Millisecond
	defaultMinRetry = time.Second
	defaultMaxRetry = 5 * time.Minute
	defaultEvery    = time.Second
)

// Options shape a [Queue]. Nil and zero values are safe defaults; negative numbers count as zero.
type Options struct {
	// Workers is how many may run at a time. 0 is 16.
	Workers int
	// Capacity is how many may wait in a lane. A lane not named has 1024 places; one named with 0 is shut: it admits
	// nothing, even if workers are free.
	Capacity map[Lane]int
	// PerAccount is how many of one account may wait in one lane. 0 is a sixteenth of the lane's capacity, at least 1.
	PerAccount int
	// Patience is how often in a row a waiting lane may be passed over before it is due. 0 is 16, the least is 4. A lane
	// in which somebody waits gets at least one of Patience + 4 starts in a row.
	Patience int
	// MaxWait is the longest wait. Who is estimated to wait longer is refused, who waited so long is answered. 0 is 30 s.
	MaxWait time.Duration
	// Service is the guess, before anything was measured, how long work holds a worker. 0 is 100 ms.
	Service time.Duration
	// MinRetry and MaxRetry bound [RefusedError.RetryAfter]. 0 is 1 s and 5 min. MaxRetry is at least MinRetry.
	MinRetry, MaxRetry time.Duration
	// Now is the clock for measuring. Nil is time.Now. Timers for MaxWait are those of package time.
	Now func() time.Time
}

// Ticket says who wants to enter, and where.
type Ticket struct {
	Lane    Lane
	Account string // whose turn is taken; any text
	// Notify, if not nil, is called while the caller waits: once when it has a place in the line and then every Every. It
	// runs in the caller's goroutine. It must not block, for the turn may come meanwhile.
	Notify func(Place)
	// Every is the interval of Notify. 0 is 1 s.
	Every time.Duration
}

// Place is where a caller stands in the line.
type Place struct {
	Ahead int           // how many would start before it if nobody else came: its lane's and those of all higher lanes
	Wait  time.Duration // the estimated time until its turn
}

func orInt(v, fallback int) int {
	if v <= 0 {
		return fallback
	}
	return v
}

func orTime(v, fallback time.Duration) time.Duration {
	if v <= 0 {
		return fallback
	}
	return v
}

package admission

import (
	"math/rand/v2"
	"time"
)

// A waiter is one caller in a line, and a node of that line's tree.
type waiter struct {
	turn        uint64  // the round of turns in which it is served
	seq         uint64  // order of arrival
	account     uint64  // keyed hash of the account
	earlier     *waiter // of the same account in the same line
	later       *waiter
	left, right *waiter
	size        int32 // nodes of this subtree
	weight      uint32
	lane        Lane
	state       state
	ready       chan struct{} // closed when the state has become started or answered
	start       time.Time     // when it was started
	refused     *RefusedError // what it was answered
}

type state uint8

const (
	waiting state = iota
	started
	answered
	gone
)

// before orders a line: rounds of turns, and within a round first come, first served.
func (w *waiter) before(o *waiter) bool {
	return w.turn < o.turn || w.turn == o.turn && w.seq < o.seq
}

// A turns is what one account has waiting in a line: a list linked through its waiters.
type turns struct {
	count int
	last  *waiter
}

// A line holds the waiters of one lane in a treap ordered by round and arrival: the first, the rank of anyone, an
// insertion and a removal each take logarithmic time, whatever order the callers force upon it.
type line struct {
	root     *waiter
	round    uint64 // round of the last one served
	accounts map[uint64]turns
}

func (l *line) len() int { return int(size(l.root)) }

// turn returns the round in which the account's next request will be served: after its last one, and not before the
// round that follows the present one, so that who comes again at once does not overtake those who wait.
func (l *line) turn(account uint64) uint64 {
	if last := l.accounts[account].last; last != nil {
		return max(l.round, last.turn) + 1
	}
	return l.round + 1
}

func (l *line) push(w *waiter) {
	a := l.accounts[w.account]
	if w.earlier = a.last; w.earlier != nil {
		w.earlier.later = w
	}
	l.accounts[w.account] = turns{count: a.count + 1, last: w}
	w.weight, w.size = rand.Uint32(), 1
	left, right := split(l.root, w)
	l.root = merge(merge(left, w), right)
}

// pop takes the first. The line is not empty.
func (l *line) pop() *waiter {
	w := l.root
	for w.left != nil {
		w = w.left
	}
	l.remove(w)
	l.round = w.turn
	return w
}

// remove takes w, which is in the line, out of it.
func (l *line) remove(w *waiter) {
	l.root = without(l.root, w)
	a := l.accounts[w.account]
	a.count--
	if w.earlier != nil {
		w.earlier.later = w.later
	}
	if w.later != nil {
		w.later.earlier = w.earlier
	} else {
		a.last = w.earlier
	}
	if a.count > 0 {
		l.accounts[w.account] = a
	} else {
		delete(l.accounts, w.account)
	}
	w.left, w.right, w.earlier, w.later = nil, nil, nil, nil
}

// rank counts those before w, which need not be in the line.
func (l *line) rank(w *waiter) int {
	n := 0
	for at := l.root; at != nil; {
		if at.before(w) {
			n += int(size(at.left)) + 1
			at = at.right
		} else {
			at = at.left
		}
	}
	return n
}

func size(w *waiter) int32 {
	if w == nil {
		return 0
	}
	return w.size
}

func (w *waiter) count() *waiter {
	w.size = size(w.left) + size(w.right) + 1
	return w
}

// split divides a tree into those before w and the others.
func split(t, w *waiter) (left, right *waiter) {
	if t == nil {
		return nil, nil
	}
	if t.before(w) {
		t.right, right = split(t.right, w)
		return t.count(), right
	}
	left, t.left = split(t.left, w)
	return left, t.count()
}

// merge joins two trees; all of a are before all of b.
func merge(a, b *waiter) *waiter {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.weight > b.weight:
		a.right = merge(a.right, b)
		return a.count()
	default:
		b.left = merge(a, b.left)
		return b.count()
	}
}

func without(t, w *waiter) *waiter {
	switch {
	case t == w:
		return merge(t.left, t.right)
	case t.before(w):
		t.right = without(t.right, w)
	default:
		t.left = without(t.left, w)
	}
	return t.count()
}

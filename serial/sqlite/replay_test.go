package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
)

const sector = 512 // bytes that a disk writes whole

// power is a machine before its power goes: what is on the disk for certain, and the operations since then that may be.
type power struct {
	durable image
	pending map[string][]diskOp // by file
	fresh   map[string]bool     // files whose first sync syncs the directory: logs and journals that SQLite makes
}

func (p *power) take(o *diskOp) {
	switch {
	case o.kind == opSync:
		p.settle(o.file, len(p.pending[o.file]))
		if p.fresh[o.file] {
			p.syncDir()
			delete(p.fresh, o.file)
		}
		return
	case o.kind == opOpen && strings.HasSuffix(o.file, "-wal"), o.kind == opOpen && strings.HasSuffix(o.file, "-journal"):
		p.fresh[o.file] = true
	}
	p.pending[o.file] = append(p.pending[o.file], *o)
	if o.kind == opDelete && o.offset != 0 {
		p.syncDir()
	}
}

// settle makes the first n operations on a file durable.
func (p *power) settle(file string, n int) {
	for i := range n {
		p.durable.apply(&p.pending[file][i])
	}
	p.pending[file] = p.pending[file][n:]
}

// syncDir makes durable what was deleted.
func (p *power) syncDir() {
	for file, ops := range p.pending {
		for i := len(ops); i > 0; i-- {
			if ops[i-1].kind == opDelete {
				p.settle(file, i)
				break
			}
		}
	}
}

// fail gives what is on the disk when the power has gone: keep says of each sector of a write, and of each other operation,
// whether it got there.
func (p *power) fail(keep func() bool) image {
	m := p.durable.clone()
	for _, ops := range p.pending {
		for i := range ops {
			o := ops[i]
			if o.kind == opDelete && !keep() {
				break // what follows is in another file of this name, to which no name leads yet
			}
			if o.kind != opWrite {
				if o.kind == opDelete || keep() {
					m.apply(&o)
				}
				continue
			}
			for from := 0; from < len(o.data); {
				to := min(len(o.data), from+sector-int(o.offset+int64(from))%sector)
				if keep() {
					m.apply(&diskOp{kind: opWrite, file: o.file, offset: o.offset + int64(from), data: o.data[from:to]})
				}
				from = to
			}
		}
	}
	return m
}

// TestPowerFailure records what is written while a ledger is used, and lets the power go at each moment: of the writes
// that were not synchronised yet none, all, or some sectors get to the disk. What was acknowledged before is there, nothing
// is in two places, and the witness is never ahead of what a power failure leaves. (I7, I8)
func TestPowerFailure(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	d.record = true
	path := filepath.Join(t.TempDir(), "l.db")
	witness := make(map[int][]byte) // by operation before which it was so
	d.setFault(func(i int, _ *diskOp) fault {
		if b, err := os.ReadFile(path + ".witness"); err == nil {
			witness[i] = b
		}
		return noFault
	})
	st, err := sqlite.Open(t.Context(), path, sqlite.OnVFS(d.name))
	require.NoError(t, err)
	s, sink := newScript(), newMemorySink()
	s.sink, sink.clock = sink, d.done
	l := s.ledger(t, st)
	require.NoError(t, s.run(l, 1, d.done))
	require.NoError(t, l.Close())
	require.NoError(t, st.Close())
	require.Len(t, d.ops, d.done(), "every operation is recorded")

	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	keeps := map[string]func() bool{
		"none": func() bool { return false }, "all": func() bool { return true },
		"half": func() bool { return random.IntN(2) == 0 }, "most": func() bool { return random.IntN(8) > 0 },
	}
	failures := 0
	p := &power{durable: image{"l.db": nil}, pending: make(map[string][]diskOp), fresh: make(map[string]bool)} // Store makes the file, and syncs it
	moments := sampled(len(d.ops), 4, 23)
	for at := range d.ops {
		if len(moments) > 0 && moments[0] == at {
			moments = moments[1:]
			for name, keep := range keeps {
				m := p.fail(keep)
				if b, ok := witness[at]; ok {
					m["l.db.witness"] = b
				}
				dir := t.TempDir()
				m.write(t, dir)
				s.upTo(at).finish(t, filepath.Join(dir, "l.db"), fmt.Sprintf("power off before call %d (%s), %s kept, seed %d", at, &d.ops[at], name, seed))
				failures++
			}
		}
		p.take(&d.ops[at])
	}
	require.Empty(t, moments)
	t.Logf("%d power failures at %d calls, seed %d", failures, len(d.ops), seed)
}

// TestFullDisk: when there is no room, the error says so, what was acknowledged stays and can be read, and when there is
// room the same keys go on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	path := filepath.Join(t.TempDir(), "l.db")
	st, err := sqlite.Open(t.Context(), path, sqlite.OnVFS(d.name))
	require.NoError(t, err)
	l := newScript().ledger(t, st)
	_, err = l.Credit(t.Context(), "a", 100, []byte("x"))
	require.NoError(t, err)
	numbers := make(map[string]serial.Number)
	take := func(key string) error {
		r, err := l.Reserve(t.Context(), req("a", key))
		if was, ok := numbers[key]; ok && err == nil {
			require.Equal(t, was, r.Number)
		}
		if err == nil {
			numbers[key] = r.Number
		}
		return err
	}
	require.NoError(t, take("1"))
	for round := range 3 {
		d.setFault(func(_ int, o *diskOp) fault {
			if o.kind == opWrite {
				return full
			}
			return noFault
		})
		for i := range 6 {
			err := take(fmt.Sprint("full", round, i))
			require.ErrorContains(t, err, "full")
		}
		require.NoError(t, take("1"), "a stored answer needs no room")
		b, err := l.Balance(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, int64(len(numbers)), b.Reserved)
		d.setFault(nil)
		for i := range 6 {
			require.NoError(t, take(fmt.Sprint("full", round, i)))
		}
	}
	require.Len(t, numbers, 19)
	require.Empty(t, problems(t, st))
	require.NoError(t, l.Close())
	require.NoError(t, st.Close())
}

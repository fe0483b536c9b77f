package verify

import (
	"context"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// digestJob asks for the digest of the bytes [0, gapStart) and [gapEnd, end)
// of the file. A prefix has gapStart = gapEnd = end.
type digestJob struct {
	alg                   cms.Digest
	gapStart, gapEnd, end int64
	sum                   []byte // the answer
	state                 hash.Hash
}

// digests reads the file once and answers all jobs. The ranges of a document's
// signatures nest: up to its gap a job shares one running hash per algorithm
// with all others, and only from the gap to its end it has one of its own,
// cloned at the gap. Memory is constant; a byte is hashed once per algorithm,
// and once more for each job whose tail it lies in. Hash functions that cannot
// be cloned are hashed by themselves; soloJobs bounds them.
func digests(ctx context.Context, r io.ReaderAt, jobs []*digestJob) error {
	d := &hashing{common: map[cms.Digest]hash.Hash{}}
	if err := d.plan(jobs); err != nil {
		return err
	}
	var pos int64
	var buf []byte
	for len(d.stops) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.stops[0] == pos {
			if err := d.stop(pos); err != nil {
				return err
			}
			continue
		}
		if buf == nil {
			buf = make([]byte, min(bufferSize, d.stops[len(d.stops)-1]))
		}
		n := min(int64(len(buf)), d.stops[0]-pos)
		if err := readFull(r, buf[:n], pos); err != nil {
			return err
		}
		d.write(buf[:n])
		pos += n
	}
	return nil
}

// hashing is the state of one pass.
type hashing struct {
	jobs   []*digestJob
	common map[cms.Digest]hash.Hash // over everything so far, while somebody waits for it
	active []*digestJob             // past their gap, before their end
	stops  []int64                  // where something happens, ascending
}

func (d *hashing) plan(jobs []*digestJob) error {
	d.jobs = jobs
	for _, j := range jobs {
		if !j.alg.Available() {
			return fmt.Errorf("verify: hash function %v is not available", j.alg)
		}
		h := j.alg.New()
		if _, ok := h.(hash.Cloner); !ok {
			j.state = h // an old function: a state of its own from the beginning
			d.active = append(d.active, j)
		} else if d.common[j.alg] == nil {
			d.common[j.alg] = h
		}
		d.stops = append(d.stops, j.gapStart, j.gapEnd, j.end)
	}
	slices.Sort(d.stops)
	d.stops = slices.Compact(d.stops)
	return nil
}

// stop handles everything that happens at pos.
func (d *hashing) stop(pos int64) error {
	for _, j := range d.jobs {
		if j.gapStart == pos && j.state == nil && j.sum == nil {
			c, ok := d.common[j.alg].(hash.Cloner)
			if !ok {
				return fmt.Errorf("verify: hash function %v cannot be cloned", j.alg)
			}
			state, err := c.Clone()
			if err != nil {
				return fmt.Errorf("verify: cloning a hash state: %w", err)
			}
			j.state = state
		}
		if j.gapStart == pos {
			d.active = slices.DeleteFunc(d.active, func(a *digestJob) bool { return a == j })
		}
		if j.gapEnd == pos && j.end > pos {
			d.active = append(d.active, j)
		}
		if j.end == pos {
			j.sum = j.state.Sum(nil)
			j.state = nil
		}
	}
	d.active = slices.DeleteFunc(d.active, func(j *digestJob) bool { return j.end <= pos })
	d.retire(pos)
	d.stops = d.stops[1:]
	return nil
}

// retire drops the common states that no job waits for any more.
func (d *hashing) retire(pos int64) {
	for alg := range d.common {
		if !slices.ContainsFunc(d.jobs, func(j *digestJob) bool { return j.alg == alg && j.gapStart > pos }) {
			delete(d.common, alg)
		}
	}
}

func (d *hashing) write(p []byte) {
	for _, h := range d.common {
		h.Write(p)
	}
	for _, j := range d.active {
		j.state.Write(p)
	}
}

// readFull fills p from offset off, or fails.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("verify: reading %d bytes at %d: %w", len(p), off, err)
}

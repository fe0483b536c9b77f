package serial

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
)

// CheckpointError refuses a text that is no whole checkpoint.
type CheckpointError struct {
	Line   int // from 1; 0 of an empty text
	Reason string
}

func (e *CheckpointError) Error() string {
	return fmt.Sprintf("checkpoint, line %d: %s", e.Line, e.Reason)
}

// The lines of a checkpoint: JSON, the series first, then the accounts, both by name, then the end, whose digest is over
// the lines before.
type checkpointLine struct {
	Version  string `json:"meterai,omitempty"` // of the first line
	Series   string `json:"series,omitempty"`
	Mark     uint64 `json:"mark,omitempty"`
	Term     uint64 `json:"term,omitempty"`
	Account  string `json:"account,omitempty"`
	Sequence int64  `json:"sequence,omitempty"`
	Head     string `json:"head,omitempty"`
	Digest   string `json:"sha256,omitempty"` // of the last line
}

func (l *checkpointLine) series() SeriesID { return SeriesID{Epoch: l.Series[0], Issuer: l.Series[1:]} }

const (
	checkpointVersion = "checkpoint v1"
	maxCheckpointLine = 4096
)

// WriteCheckpoint writes how far the ledger has come: the mark of each series and the newest entry of each account, as of
// one moment, as lines of JSON. Kept on another machine it shows with [Ledger.CompareCheckpoint], at any later time, that
// nothing of it was lost, also not by rolling back the whole machine, and together with [Ledger.Audit], which computes the
// hashes anew, that nothing of it was changed.
func (l *Ledger) WriteCheckpoint(ctx context.Context, w io.Writer) error {
	c := &checkpointWriter{w: bufio.NewWriter(w), sum: sha256.New()}
	err := l.store.Scan(ctx, func(r Reader) error {
		c.line(&checkpointLine{Version: checkpointVersion})
		for s, err := range r.Series(ctx) {
			if err != nil {
				return err
			}
			c.line(&checkpointLine{Series: s.ID.String(), Mark: s.Mark, Term: s.Term})
		}
		for a, err := range r.Accounts(ctx) {
			if err != nil {
				return err
			}
			c.line(&checkpointLine{Account: a.Name, Sequence: a.Sequence, Head: hex.EncodeToString(a.Head[:])})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	c.line(&checkpointLine{Digest: hex.EncodeToString(c.sum.Sum(nil))})
	if c.err == nil {
		c.err = c.w.Flush()
	}
	return c.err
}

// checkpointWriter keeps its first error.
type checkpointWriter struct {
	w   *bufio.Writer
	sum hash.Hash
	err error
}

func (c *checkpointWriter) line(l *checkpointLine) {
	b, err := json.Marshal(l)
	if c.err == nil {
		c.err = err
	}
	b = append(b, '\n')
	c.sum.Write(b)
	if c.err == nil {
		_, c.err = c.w.Write(b)
	}
}

// CompareCheckpoint gives what a checkpoint has and this ledger has not: a series whose mark or term went back, an account
// whose entry is missing or another one. It reads one entry an account. At most 100
// problems are given. A text that is no whole checkpoint is a
// [*CheckpointError].
func (l *Ledger) CompareCheckpoint(ctx context.Context, checkpoint io.Reader) ([]Problem, error) {
	var problems []Problem
	err := l.store.Scan(ctx, func(r Reader) error {
		problems = nil
		series := make(map[string]Series)
		for s, err := range r.Series(ctx) {
			if err != nil {
				return err
			}
			series[s.ID.String()] = s
		}
		for line, err := range readCheckpoint(checkpoint) {
			if err != nil {
				return err
			}
			text, err := compareLine(ctx, r, series, line)
			if err != nil {
				return err
			}
			if text != "" && len(problems) < maxProblems {
				problems = append(problems, Problem{Account: line.Account, Sequence: line.Sequence, Text: text})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("compare with a checkpoint: %w", err)
	}
	return problems, nil
}

func compareLine(ctx context.Context, r Reader, series map[string]Series, line *checkpointLine) (problem string, err error) {
	if line.Series != "" {
		if s := series[line.Series]; s.Mark < line.Mark || s.Term < line.Term {
			problem = fmt.Sprintf("series %s is at mark %d, term %d; the checkpoint at %d, %d: numbers may be issued twice",
				line.Series, s.Mark, s.Term, line.Mark, line.Term)
		}
		return problem, nil
	}
	problem = "the entry of the checkpoint is missing"
	for e, err := range r.Entries(ctx, line.Account, line.Sequence-1) {
		if err != nil {
			return "", err
		}
		switch {
		case e.Sequence != line.Sequence:
		case hex.EncodeToString(e.Hash[:]) != line.Head:
			problem = "is another entry than that of the checkpoint"
		default:
			problem = ""
		}
		break
	}
	return problem, nil
}

// readCheckpoint walks the series and accounts of a checkpoint; the last element is an error if the text is not whole.
func readCheckpoint(r io.Reader) iter.Seq2[*checkpointLine, error] {
	return func(yield func(*checkpointLine, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxCheckpointLine)
		lines.Split(wholeLines)
		sum := sha256.New()
		n := 0
		ended := false
		fail := func(reason string) { yield(nil, &CheckpointError{Line: n, Reason: reason}) }
		for lines.Scan() {
			n++
			line, err := parseCheckpointLine(lines.Bytes())
			switch {
			case err != nil:
				fail(err.Error())
				return
			case ended || (n == 1) != (line.Version != ""):
				fail("is not where it belongs")
				return
			case line.Digest != "":
				if ended = line.Digest == hex.EncodeToString(sum.Sum(nil)); !ended {
					fail("the digest is not that of the lines before")
					return
				}
			case n > 1 && !yield(line, nil):
				return
			}
			sum.Write(lines.Bytes())
			sum.Write([]byte{'\n'})
		}
		switch err := lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			n++
			fail("is too long")
		case errors.Is(err, io.ErrUnexpectedEOF):
			n++
			fail("does not end")
		case err != nil:
			yield(nil, fmt.Errorf("checkpoint: %w", err))
		case !ended:
			fail("the end is missing")
		}
	}
}

// wholeLines is a [bufio.SplitFunc]: lines as they are, of which the last must end as well.
func wholeLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}

func parseCheckpointLine(b []byte) (*checkpointLine, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	l := &checkpointLine{}
	if err := d.Decode(l); err != nil {
		return nil, errors.New("is not a line of a checkpoint")
	}
	if canonical, err := json.Marshal(l); err != nil || !bytes.Equal(canonical, b) {
		return nil, errors.New("is not written as checkpoints are")
	}
	head, err := hex.DecodeString(l.Head)
	account := l.Account != "" && l.Sequence > 0 && err == nil && len(head) == 32
	switch {
	case *l == checkpointLine{Version: checkpointVersion}, *l == checkpointLine{Digest: l.Digest} && l.Digest != "":
	case *l == checkpointLine{Series: l.Series, Mark: l.Mark, Term: l.Term} && len(l.Series) == 3 && l.series().check() == nil:
	case *l == checkpointLine{Account: l.Account, Sequence: l.Sequence, Head: l.Head} && account:
	default:
		return nil, errors.New("has fields that do not belong together")
	}
	return l, nil
}

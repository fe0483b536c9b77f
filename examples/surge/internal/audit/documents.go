package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/verify"
)

// papers are the checks of the documents. They are looked at by several workers.
type papers struct {
	in     *Input
	report *Report
	wants  map[request]load.Document

	mu                     sync.Mutex
	exists, good, extended Check
	done                   int
}

// documents opens everything that is in the folder of outputs, and misses what is not.
func (b *book) documents(ctx context.Context, in *Input, r *Report) ([]*Check, error) {
	p := &papers{in: in, report: r, wants: brought(in.Wants)}
	p.exists.Name = "every stamp that is booked exists as a document, and no other is handed out"
	p.good.Name = "every stamped document verifies, with its seal, and is the one that its owner brought"
	p.extended.Name = "every timestamp that was owed is there"
	r.Levels = make(map[string]int64)
	files, err := p.list(b)
	if err == nil {
		err = p.strangers(b)
	}
	if err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, in.Workers))
	for n, s := range b.numbers {
		if s.state != serial.Stamped {
			continue
		}
		p.exists.look(1)
		file, ok := files[n]
		if !ok {
			p.note(&p.exists, "serial %s of %s is booked as stamped, and there is no document", n, s.account)
			continue
		}
		g.Go(func() error { return p.judge(ctx, n, s, file) })
	}
	return []*Check{&p.exists, &p.good, &p.extended}, g.Wait()
}

func brought(wants []*crowd.Want) map[request]load.Document {
	out := make(map[request]load.Document)
	for _, w := range wants {
		if w.Op == portal.Stamp {
			out[request{w.Account, w.Key, true}] = w.Document
		}
	}
	return out
}

func (p *papers) note(c *Check, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.wrong(format, args...)
}

// list finds the outputs. One that belongs to no stamp must be of a serial that was given up.
func (p *papers) list(b *book) (map[serial.Number]string, error) {
	files := make(map[serial.Number]string)
	err := filepath.WalkDir(p.in.Outputs, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == p.in.Outputs {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		name := d.Name()
		n, err := serial.Parse(name)
		if err != nil || n.String() != name { // a claim, or a temporary file
			base, _, _ := strings.Cut(name, "-")
			if _, err := serial.Parse(base); err != nil && !strings.HasPrefix(name, ".put-") {
				p.note(&p.exists, "%s is in the folder of outputs and is none", name)
			}
			return nil
		}
		files[n] = path
		switch s := b.numbers[n]; {
		case s == nil:
			p.note(&p.exists, "there is a document under serial %s, which nobody was given", n)
		case s.state != serial.Stamped && s.state != serial.Void:
			p.note(&p.exists, "there is a document under serial %s, which is %s", n, s.state)
		}
		return nil
	})
	return files, err
}

// judge looks at one document.
func (p *papers) judge(ctx context.Context, n serial.Number, s *stamp, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if sha256.Sum256(content) != s.digest || int64(len(content)) != s.length {
		p.note(&p.good, "the document of serial %s is not the one that was booked", n)
	}
	source, ok := p.wants[request{s.account, s.key, true}]
	if !ok {
		p.note(&p.good, "nobody asked for serial %s, %q of %s", n, s.key, s.account)
	} else if !bytes.HasPrefix(content, source.Bytes()) {
		p.note(&p.good, "serial %s stamps another document than the one that %s brought", n, s.account)
	}
	level, why, err := p.verify(ctx, n, content)
	if err != nil {
		return err
	}
	if why != "" && why != noTimestamp {
		p.note(&p.good, "the document of serial %s: %s", n, why)
	}
	if level, err = p.later(ctx, n, content, level); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.good.look(1)
	p.report.Levels[level]++
	p.report.Bytes += int64(len(content))
	if p.done++; p.in.Progress != nil {
		p.in.Progress(p.done)
	}
	return nil
}

// verify judges a document as anybody would who trusts the issuer, and says what level it has and what is wrong.
func (p *papers) verify(ctx context.Context, n serial.Number, content []byte) (level, why string, err error) {
	r, err := verify.Document(ctx, bytes.NewReader(content), int64(len(content)), p.in.Verify)
	if err != nil {
		return "", "", err
	}
	if r.Indication != verify.TotalPassed || len(r.Signatures) == 0 {
		return "", strings.ReplaceAll(r.Text(), "\n", " "), nil
	}
	sig := &r.Signatures[0]
	switch st := sig.Stamp; {
	case st == nil || !st.Genuine || !st.DocumentBound:
		why = "it verifies, but its stamp does not"
	case st.Serial != n.String():
		why = "it carries serial " + st.Serial
	case !st.Specimen || st.Value != 10000:
		why = fmt.Sprintf("its stamp is worth %d", st.Value)
	case sig.Timestamp == nil:
		why = noTimestamp
	}
	return sig.Level, why, nil
}

const noTimestamp = "it has no timestamp"

// later judges the document that was extended because it owed a timestamp, and says of what level the document is then.
// One that has its timestamp may have been extended all the same: after a first attempt that was not finished and owed it.
func (p *papers) later(ctx context.Context, n serial.Number, before []byte, level string) (string, error) {
	content, err := os.ReadFile(filepath.Join(p.in.Extended, n.String()))
	owed := level != "B-T"
	if !owed && errors.Is(err, fs.ErrNotExist) {
		return level, nil
	}
	p.mu.Lock()
	p.extended.look(1)
	p.mu.Unlock()
	if errors.Is(err, fs.ErrNotExist) {
		p.note(&p.extended, "serial %s has no timestamp", n)
		return "B-B", nil
	}
	if err != nil {
		return "", err
	}
	_, why, err := p.verify(ctx, n, content)
	if err != nil {
		return "", err
	}
	switch {
	case !bytes.HasPrefix(content, before):
		p.note(&p.extended, "the extended document of serial %s is another one", n)
	case why != "":
		p.note(&p.extended, "the extended document of serial %s: %s", n, why)
	}
	if owed {
		level = "B-B, timestamp later"
	}
	return level, nil
}

// strangers looks for extended documents of serials that are not stamped. Temporary files begin with a dot.
func (p *papers) strangers(b *book) error {
	entries, err := os.ReadDir(p.in.Extended)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		n, err := serial.Parse(e.Name())
		if s := b.numbers[n]; err != nil || n.String() != e.Name() || s == nil || s.state != serial.Stamped {
			p.note(&p.extended, "%s is among the extended documents, and no stamp is booked under it", e.Name())
		}
	}
	return nil
}

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"
)

// stampAll stamps every *.pdf of a folder. A document that is refused does not
// stop the others.
func (s *stamper) stampAll(cmd *cobra.Command) error {
	if filepath.Clean(s.inDir) == filepath.Clean(s.outDir) {
		return usage("--out-dir must be another folder than --in-dir")
	}
	names, err := pdfNames(s.inDir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.outDir, 0o755); err != nil {
		return err
	}
	bar := newBar(cmd.ErrOrStderr(), len(names))
	var mu sync.Mutex
	var failed, again int
	group, ctx := errgroup.WithContext(cmd.Context())
	group.SetLimit(s.workers)
	for _, name := range names {
		group.Go(func() error {
			r, err := s.stamp(ctx, filepath.Join(s.inDir, name), filepath.Join(s.outDir, name))
			mu.Lock()
			defer mu.Unlock()
			bar.Add(1)
			if err != nil {
				failed++
				fmt.Fprintln(cmd.ErrOrStderr(), "meterai: "+oneLine(err.Error()))
				return ctx.Err()
			}
			if r.Replayed {
				again++
			}
			return s.say(cmd, r)
		})
	}
	err = group.Wait()
	bar.Finish()
	if again > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "meterai: note: %d documents had been stamped before; no unit was taken for them\n", again)
	}
	if failed > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d documents were not stamped", failed, len(names)))
	}
	return err
}

func pdfNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && strings.EqualFold(filepath.Ext(e.Name()), ".pdf") {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s holds no *.pdf", dir)
	}
	return names, nil
}

// newBar is a progress bar on a terminal, and silent elsewhere.
func newBar(w io.Writer, total int) *progressbar.ProgressBar {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return progressbar.DefaultSilent(int64(total))
	}
	return progressbar.NewOptions(total, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("stamping"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionClearOnFinish())
}

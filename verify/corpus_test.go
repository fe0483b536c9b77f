package verify_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/verify"
)

// corpusFile is a line of manifest.tsv: path, class, integrity.
type corpusFile struct{ path, class, integrity string }

// TestCorpus judges a folder of signed PDFs with known integrity verdicts,
// named by METERAI_CORPUS. No bad file may pass, none may take more than five
// seconds; the share of good files accepted is printed, per class.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("METERAI_CORPUS")
	if dir == "" {
		t.Skip("METERAI_CORPUS names no folder with a manifest.tsv")
	}
	files := readManifest(t, dir)
	require.NotEmpty(t, files)
	type score struct{ good, accepted, bad, refused int }
	classes := map[string]*score{}
	var total score
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.path))
		require.NoError(t, err)
		start := time.Now()
		r, err := verify.Document(context.Background(), bytes.NewReader(b), int64(len(b)), &verify.Options{IntegrityOnly: true})
		require.NoError(t, err, f.path)
		took := time.Since(start)
		require.Less(t, took, 5*time.Second, f.path)
		s := classes[f.class]
		if s == nil {
			s = &score{}
			classes[f.class] = s
		}
		passed := r.Indication == verify.TotalPassed
		switch f.integrity {
		case "valid":
			s.good++
			total.good++
			if passed {
				s.accepted++
				total.accepted++
			}
		case "invalid", "modified", "nosig":
			s.bad++
			total.bad++
			if !passed {
				s.refused++
				total.refused++
			} else {
				t.Errorf("%s (%s) is %s and passes", f.path, f.class, f.integrity)
			}
		}
		if testing.Verbose() {
			t.Logf("%-13s %-13s %-20s %6s %s\n%s", f.integrity, r.Indication, f.class, took.Round(time.Millisecond), f.path, indent(r.Text()))
		}
	}
	names := make([]string, 0, len(classes))
	for n := range classes {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		s := classes[n]
		fmt.Printf("%-20s good accepted %3d/%-3d  bad refused %3d/%-3d\n", n, s.accepted, s.good, s.refused, s.bad)
	}
	fmt.Printf("%-20s good accepted %3d/%-3d  bad refused %3d/%-3d\n", "all", total.accepted, total.good, total.refused, total.bad)
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ")
}

func readManifest(t *testing.T, dir string) []corpusFile {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "manifest.tsv"))
	require.NoError(t, err)
	defer f.Close()
	var out []corpusFile
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		cols := strings.Split(sc.Text(), "\t")
		if len(cols) < 3 || cols[0] == "path" {
			continue
		}
		out = append(out, corpusFile{cols[0], cols[1], cols[2]})
	}
	require.NoError(t, sc.Err())
	return out
}

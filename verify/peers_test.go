package verify_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pdfsign "github.com/digitorus/pdfsign/verify"
	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/verify"
)

// peer is another verifier, asked whether the signatures of a file are good
// when trust is set aside.
type peer struct {
	name string
	good func(t *testing.T, path string) bool
}

// TestPeers prints what others make of the files that METERAI_CORPUS names, when
// METERAI_PEERS is set: how many good files each accepts and how many bad ones it
// refuses. Programs that are missing are left out. The only claim is our own: no
// peer is better than us at either.
func TestPeers(t *testing.T) {
	dir := os.Getenv("METERAI_CORPUS")
	if dir == "" || os.Getenv("METERAI_PEERS") == "" {
		t.Skip("METERAI_CORPUS names no folder with a manifest.tsv, or METERAI_PEERS is not set")
	}
	peers := []peer{
		{"meterai", meteraiSays},
		{"pdfsig, signatures alone", func(t *testing.T, path string) bool { return pdfsigSays(path, false) }},
		{"pdfsig, the total document", func(t *testing.T, path string) bool { return pdfsigSays(path, true) }},
		{"mutool, signatures alone", func(t *testing.T, path string) bool { return mutoolSays(path, false) }},
		{"mutool, unchanged", func(t *testing.T, path string) bool { return mutoolSays(path, true) }},
		{"pdfsign", pdfsignSays},
	}
	files := readManifest(t, dir)
	var accepted, refused [8]int
	for i, p := range peers {
		good, bad := 0, 0
		for _, f := range files {
			says := p.good(t, filepath.Join(dir, f.path))
			switch f.integrity {
			case "valid":
				good++
				if says {
					accepted[i]++
				}
			case "invalid", "modified", "nosig":
				bad++
				if !says {
					refused[i]++
				}
			}
		}
		fmt.Printf("%-28s good accepted %3d/%-3d  bad refused %3d/%-3d\n", p.name, accepted[i], good, refused[i], bad)
		require.LessOrEqual(t, accepted[i], accepted[0], p.name)
		require.LessOrEqual(t, refused[i], refused[0], p.name)
	}
}

func meteraiSays(t *testing.T, path string) bool {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	r, err := verify.Document(context.Background(), bytes.NewReader(b), int64(len(b)), &verify.Options{IntegrityOnly: true})
	require.NoError(t, err)
	return r.Indication == verify.TotalPassed
}

// said runs a program for at most a minute.
func said(name string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, _ := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out)
}

// pdfsigSays wants every signature valid, and if whole the last one over the
// total document.
func pdfsigSays(path string, whole bool) bool {
	out := said("pdfsig", "-nocert", path)
	valid := strings.Count(out, "Signature Validation: Signature is Valid.")
	if valid == 0 || valid != strings.Count(out, "Signature Validation:") {
		return false
	}
	return !whole || strings.Contains(out, "Total document signed")
}

// mutoolSays wants every digest right, and if unchanged no edits since.
func mutoolSays(path string, unchanged bool) bool {
	out := said("mutool", "sign", "-v", path)
	same := strings.Count(out, "The document is unchanged since signing")
	good := same + strings.Count(out, "The signature is valid but there have been edits")
	if good == 0 || strings.Contains(out, "Digest error") {
		return false
	}
	return !unchanged || same > 0
}

// pdfsignSays is false when the library panics, which it does on some files.
func pdfsignSays(_ *testing.T, path string) (good bool) {
	answer := make(chan bool, 1)
	go func() {
		defer func() {
			if recover() != nil {
				answer <- false
			}
		}()
		b, err := os.ReadFile(path)
		if err != nil {
			answer <- false
			return
		}
		//lint:ignore SA1019 the newer call mixes trust into its answer
		r, err := pdfsign.Verify(bytes.NewReader(b), int64(len(b)))
		good := err == nil && len(r.Signers) > 0
		for i := 0; good && i < len(r.Signers); i++ {
			good = r.Signers[i].ValidSignature
		}
		answer <- good
	}()
	select {
	case good := <-answer:
		return good
	case <-time.After(time.Minute):
		return false
	}
}

package examples_test

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/seed-574216e4/meterai/"

// mayImport lists, for every package of the library, which of its packages it
// may import directly. A package that is not listed may import none. Tests
// that stand outside of their package may use testdata.
var mayImport = map[string][]string{
	"pdf/content":           {"pdf"},
	"serial/postgres":       {"serial"},
	"serial/sqlite":         {"serial"},
	"serial/storetest":      {"serial"},
	"sign/seal":             {"serial"},
	"sign/internal/artwork": {"serial", "sign/seal"},
	"sign":                  {"pdf", "pdf/content", "serial", "sign/cms", "sign/internal/artwork", "sign/ltv", "sign/seal", "sign/tsa"},
	"sign/tsa":              {"sign/cms"},
	"verify":                {"pdf", "serial", "sign/cms", "sign/seal", "verify/internal/qrtext"},
	"verify/scan":           {"sign/seal", "verify/internal/qrtext"},
	"verify/verifytest":     {"verify", "verify/scan"},
}

// drivers are modules that only leaf packages may pull in.
var drivers = map[string][]string{
	"github.com/jackc/":            {"serial/postgres"},
	"modernc.org/":                 {"serial/sqlite"},
	"github.com/cloudflare/circl":  {"sign/cms"},
	"github.com/ProtonMail/":       {"sign/cms"},
	"github.com/skip2/go-qrcode":   {"sign/seal"},
	"github.com/makiuchi-d/":       {"verify/scan"},
	"github.com/miekg/pkcs11":      {"sign/pkcs11"},
	"rsc.io/qr":                    {"sign/seal", "verify"},
	"golang.org/x/image":           {"sign/internal/artwork"},
	"github.com/spf13/":            {},
	"github.com/digitorus/":        {},
	"go.mozilla.org/pkcs7":         {},
	"github.com/stretchr/testify/": {"serial/storetest", "verify/verifytest"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

// listPackages lists the packages of the library without the examples.
func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var list []goPackage
	for dec := json.NewDecoder(out); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		if !strings.HasPrefix(p.ImportPath, module+"examples") {
			list = append(list, p)
		}
	}
	require.NoError(t, cmd.Wait())
	require.Greater(t, len(list), 6, "go list found too few packages")
	return list
}

func TestImportsRunOneWay(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, imp := range p.Imports {
			ours, ok := strings.CutPrefix(imp, module)
			if !ok || strings.HasPrefix(ours, name+"/internal/") {
				continue
			}
			require.Truef(t, slices.Contains(mayImport[name], ours), "%s must not import %s", name, ours)
		}
	}
}

func TestDriversStayInLeaves(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, imp := range p.Imports {
			for prefix, users := range drivers {
				if strings.HasPrefix(imp, prefix) {
					require.Truef(t, slices.Contains(users, name), "%s must not import %s", name, imp)
				}
			}
		}
	}
}

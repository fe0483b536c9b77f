package examples_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"image"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/verify"
	"github.com/seed-574216e4/meterai/verify/verifytest"
)

// readme is the README's snippet: it is compiled here, and held to the README
// by TestSnippets. What the program has beforehand are the parameters.
func readme(ctx context.Context, file io.ReaderAt, size int64, sealKey crypto.Signer, ledger *serial.Ledger, credential *sign.Credential,
	roots *x509.CertPool, crls []*x509.RevocationList, trust *verify.SealTrust,
) (errs []error) {
	// begin README
	// Preflight: whatever can be refused is refused before a serial is taken.
	doc, err := sign.Open(file, size, &sign.Options{
		Stamp: &sign.Stamp{Value: 10000, Seal: sealKey}, // last page, bottom right
	})
	errs = append(errs, err)
	request, err := doc.Request(ctx, "shop-17", []byte("order-4711"))
	errs = append(errs, err)

	// Take a unit and a serial, stamp, keep the output. Call again with the same key after any
	// error or crash: the same serial, the same document, never a second unit.
	receipt, err := ledger.Redeem(ctx, request, func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		_, err := doc.Sign(ctx, w, credential, sign.Issue{Number: r.Number, Time: r.Time})
		return err
	})
	errs = append(errs, err)
	output, err := ledger.Output(ctx, receipt.Number)
	errs = append(errs, err)
	stamped, err := io.ReadAll(output)
	errs = append(errs, err)

	// Verify: an indication by the names of EN 319 102-1, and reasons.
	report, err := verify.Document(ctx, bytes.NewReader(stamped), int64(len(stamped)), &verify.Options{
		Roots: roots, CRLs: crls, SealTrust: trust,
	})
	fmt.Print(report.Text()) // or report.TextIn(language.Indonesian)
	// end README
	return append(errs, err)
}

// guide is the snippet of the guides about test suites.
func guide(t *testing.T, document, changed []byte, picture image.Image, options *verify.Options) {
	// begin guide
	report := verifytest.Stamped(t, document, options) // every signature TOTAL-PASSED, the stamp genuine and bound
	verifytest.Refused(t, changed, options, verify.HashFailure)
	verifytest.Sealed(t, picture, document, options) // the symbol on a rasterised page
	// end guide
	require.NotNil(t, report)
}

func TestSnippets(t *testing.T) {
	require.NotNil(t, readme)
	require.NotNil(t, guide)
	source, err := os.ReadFile("readme_test.go")
	require.NoError(t, err)
	for name, file := range map[string]string{"README": "../README.md", "guide": "README.md"} {
		_, code, _ := strings.Cut(string(source), "\t// begin "+name+"\n")
		code, _, found := strings.Cut(code, "\t// end "+name+"\n")
		require.True(t, found)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		_, block, _ := bytes.Cut(text, []byte("```go\n"))
		block, _, _ = bytes.Cut(block, []byte("```"))
		require.Equal(t, snippet(code), snippet(string(block)), file)
	}
}

// snippet drops what the README leaves to its reader: error handling,
// indentation, and declarations that differ from assignments.
func snippet(code string) []string {
	var lines []string
	for line := range strings.Lines(code) {
		line = strings.Join(strings.Fields(strings.ReplaceAll(line, ":=", "=")), " ")
		if line != "" && !strings.HasPrefix(line, "errs = append") {
			lines = append(lines, line)
		}
	}
	return lines
}

package scan_test

import (
	"bytes"
	"context"
	"image"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify/scan"
)

// stamped gives a document with a stamp on its last page, and the serial of it.
func stamped(t testing.TB) ([]byte, serial.Number) {
	t.Helper()
	specimen, err := pki.New(nil)
	require.NoError(t, err)
	source, err := testdata.FS.ReadFile("pdf/surat-pernyataan.pdf")
	require.NoError(t, err)
	doc, err := sign.Open(bytes.NewReader(source), int64(len(source)), &sign.Options{
		Stamp: &sign.Stamp{Value: 10000, Specimen: true, Seal: specimen.SealP256, Prefix: "HTTPS://STAMP.EXAMPLE/S/"},
	})
	require.NoError(t, err)
	credential, err := sign.NewCredential(specimen.StampP256.Cert, specimen.StampP256.Chain, specimen.StampP256.Key, nil)
	require.NoError(t, err)
	scheme, err := serial.NewScheme('1', "ZZ", [32]byte{1})
	require.NoError(t, err)
	number, err := scheme.Number(1)
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = doc.Sign(context.Background(), &out, credential, sign.Issue{Number: number})
	require.NoError(t, err)
	return out.Bytes(), number
}

// TestRasterisedStamp: a stamped page as another program draws it, whole, in both
// formats.
func TestRasterisedStamp(t *testing.T) {
	render, err := exec.LookPath("pdftoppm")
	if err != nil {
		t.Skip("pdftoppm (Debian package poppler-utils) is not installed: no page is rasterised")
	}
	doc, number := stamped(t)
	file := filepath.Join(t.TempDir(), "stamped.pdf")
	require.NoError(t, os.WriteFile(file, doc, 0o600))
	for _, dpi := range []int{100, 150, 200, 300} {
		for _, format := range []string{"-png", "-jpeg", "-gray"} {
			out, err := exec.Command(render, "-f", "2", "-singlefile", "-r", strconv.Itoa(dpi), format, file).Output()
			require.NoError(t, err)
			var texts []string
			if format == "-gray" { // a portable gray map
				texts, err = scan.Image(context.Background(), grayMap(t, out), nil)
			} else {
				texts, err = scan.Seals(context.Background(), bytes.NewReader(out), nil)
			}
			require.NoError(t, err)
			require.Len(t, texts, 1, "%d dpi, %s", dpi, format)
			s, _, err := seal.ParseText(texts[0])
			require.NoError(t, err)
			require.Equal(t, number, s.Serial)
		}
	}
}

// grayMap reads what a program gives to another: P5, width, height, 255, pixels.
func grayMap(t testing.TB, b []byte) image.Image {
	t.Helper()
	var fields [3]int
	r := bytes.NewBuffer(b)
	magic, err := r.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "P5\n", magic)
	for i := range fields {
		var word []byte
		for {
			c, err := r.ReadByte()
			require.NoError(t, err)
			if c == ' ' || c == '\n' {
				break
			}
			word = append(word, c)
		}
		fields[i], err = strconv.Atoi(string(word))
		require.NoError(t, err)
	}
	img := image.NewGray(image.Rect(0, 0, fields[0], fields[1]))
	_, err = io.ReadFull(r, img.Pix)
	require.NoError(t, err)
	return img
}

package verify_test

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/verify"
)

// withSymbol stamps a document and draws the symbol of a seal's bytes, changed
// in between; place puts the appearance just before the field.
func (w *world) withSymbol(t testing.TB, base, raw, shown []byte, prefix string, level seal.Level, change func([]byte) []byte) *verify.Report {
	t.Helper()
	text, err := seal.Text(prefix, shown)
	require.NoError(t, err)
	y, err := seal.NewSymbolLevel(text, level)
	require.NoError(t, err)
	content := y.AppendPath([]byte("/C cs 0 0 0 sc\n"), 3, 4, 1.27559, 0.113)
	if change != nil {
		content = change(content)
	}
	return check(t, w.sign(t, base, job{stamp: &stampJob{number: serialNumber(t, 1), raw: raw}, extra: func(u *pdf.Update, _ *pdf.File) {
		u.Set(pdf.Ref{Number: u.Alloc().Number - 2}, &pdf.Stream{Dict: pdf.Dict{"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form")}, Data: content})
	}}), w.opt)
}

// The symbol that people see must be that of the seal that counts.
func TestSymbolOnThePage(t *testing.T) {
	w := newWorld(t)
	base := plain("agreement", 1, 0)
	raw := w.seal(t, base, &stampJob{number: serialNumber(t, 1)})
	other := w.seal(t, base, &stampJob{number: serialNumber(t, 2)})
	long := w.seal(t, base, &stampJob{number: serialNumber(t, 1), change: func(s *seal.Seal) {
		s.Extra = []seal.TLV{{Type: 1, Value: bytes.Repeat([]byte("x"), 200)}}
	}})
	for _, prefix := range []string{"", "HTTPS://S.TEST/", "HTTPS://STAMP.EXAMPLE.ORG/S/"} {
		for _, level := range []seal.Level{seal.LevelM, seal.LevelQ} {
			for _, bytes := range [][]byte{raw, long} {
				r := w.withSymbol(t, base, bytes, bytes, prefix, level, nil)
				require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
				require.NotContains(t, r.Text(), "not compared")
				r = w.withSymbol(t, base, bytes, other, prefix, level, nil)
				require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
				require.Contains(t, r.Signatures[0].Reasons[0], "not that of the seal")
				require.False(t, r.Signatures[0].Stamp.Genuine)
			}
		}
	}
}

// A symbol that differs from that of the seal in any module is not it; one that
// another program drew is not read, and the report says so.
func TestSymbolsThatAreNot(t *testing.T) {
	w := newWorld(t)
	base := plain("agreement", 1, 0)
	raw := w.seal(t, base, &stampJob{number: serialNumber(t, 1)})
	for name, c := range map[string]struct {
		change func([]byte) []byte
		says   string
		ind    verify.Indication
	}{
		"something after it": {func(b []byte) []byte { return append(b, "0 0 99 99 re f\n"...) }, "not drawn as this program", verify.TotalPassed},
		"other matrix":       {func(b []byte) []byte { return bytes.Replace(b, []byte(" 0 0 -"), []byte(" 0 1 -"), 1) }, "not drawn as this program", verify.TotalPassed},
		"a curve in between": {func(b []byte) []byte { return bytes.Replace(b, []byte("re\n"), []byte("re\n0 0 m\n"), 1) }, "not drawn as this program", verify.TotalPassed},
		"huge rectangle": {func(b []byte) []byte {
			return bytes.Replace(b, []byte("f Q\n"), []byte("0 0 999999999 1 re\nf Q\n"), 1)
		}, "not drawn as this program", verify.TotalPassed},
		"negative rectangle":  {func(b []byte) []byte { return bytes.Replace(b, []byte("f Q\n"), []byte("-5 0 1 1 re\nf Q\n"), 1) }, "not drawn as this program", verify.TotalPassed},
		"no number":           {func(b []byte) []byte { return bytes.Replace(b, []byte("f Q\n"), []byte("NaN 0 1 1 re\nf Q\n"), 1) }, "not drawn as this program", verify.TotalPassed},
		"all dark":            {func(b []byte) []byte { return bytes.Replace(b, []byte("f Q\n"), []byte("0 0 49 49 re\nf Q\n"), 1) }, "cannot be read", verify.TotalFailed},
		"picture without one": {func([]byte) []byte { return []byte("0 0 54 54 re S") }, "not drawn as this program", verify.TotalPassed},
		"thousands over each other": {func(b []byte) []byte {
			return bytes.Replace(b, []byte("f Q\n"), append(bytes.Repeat([]byte("0 0 49 49 re\n"), 30_000), "f Q\n"...), 1)
		}, "not drawn as this program", verify.TotalPassed},
		"nothing": {func([]byte) []byte { return nil }, "not drawn as this program", verify.TotalPassed},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.withSymbol(t, base, raw, raw, "", seal.LevelM, c.change)
			require.Equal(t, c.ind, r.Indication, r.Text())
			require.Contains(t, r.Text(), c.says)
		})
	}
}

// Any module that is missing is found: of those that stand alone, which no other
// rectangle covers, each is left out once.
func TestSymbolWithoutAModule(t *testing.T) {
	w := newWorld(t)
	base := plain("agreement", 1, 0)
	raw := w.seal(t, base, &stampJob{number: serialNumber(t, 1)})
	alone := regexp.MustCompile(`(?m)^\d+ \d+ \.\d+ \.\d+ re\n`)
	for n := range 12 {
		r := w.withSymbol(t, base, raw, raw, "", seal.LevelM, func(b []byte) []byte {
			all := alone.FindAllIndex(b, -1)
			require.Greater(t, len(all), 24)
			at := all[n*(len(all)-1)/11]
			return append(bytes.Clone(b[:at[0]]), b[at[1]:]...)
		})
		require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
		require.Contains(t, r.Signatures[0].Reasons[0], "symbol drawn on the page")
	}
}

package verify_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/verify"
)

func TestGoodStamp(t *testing.T) {
	w := newWorld(t)
	doc := w.stamped(t)
	r := check(t, doc, w.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.Equal(t, 0, r.ExitCode())
	require.Len(t, r.Signatures, 1)
	s := r.Signatures[0]
	require.Equal(t, "B-B", s.Level)
	require.Equal(t, verify.CoverageWhole, s.Coverage)
	require.Equal(t, verify.ModificationNone, s.Modification)
	require.NotNil(t, s.Stamp)
	require.True(t, s.Stamp.DocumentBound)
	require.True(t, s.Stamp.Specimen)
	require.Equal(t, "IDR", s.Stamp.Currency)
	require.EqualValues(t, 10000, s.Stamp.Value)
	require.Equal(t, serialNumber(t, 1).String(), s.Stamp.Serial)
}

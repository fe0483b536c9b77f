package storetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// TestFaulty: each fault calls decide, keeps the batch and answers as its name says.
func TestFaulty(t *testing.T) {
	for name, tc := range map[string]struct {
		fault         storetest.Fault
		decided       int
		kept          bool
		fails, unsure bool
	}{
		"none":        {storetest.NoFault, 1, true, false, false},
		"unreachable": {storetest.Unreachable, 0, false, true, false},
		"refused":     {storetest.Refused, 1, false, true, false},
		"lost":        {storetest.Lost, 1, false, true, true},
		"persisted":   {storetest.Persisted, 1, true, true, true},
		"repeated":    {storetest.Repeated, 2, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var methods []string
			memory := storetest.NewMemory()
			store := &storetest.Faulty{Store: memory, Next: func(method string) storetest.Fault {
				methods = append(methods, method)
				return tc.fault
			}}
			id := serial.SeriesID{Epoch: '1', Issuer: "ZK"}
			q := &serial.Query{Series: id}
			decided := 0
			err := store.Update(t.Context(), q, func(s *serial.Snapshot) (*serial.Batch, error) {
				require.Zero(t, s.Series.Term, "each decision has a snapshot of its own")
				s.Series.Term = 7
				decided++
				return &serial.Batch{Series: &serial.Series{ID: id, Mark: 1, Term: 1}}, nil
			})
			require.Equal(t, tc.decided, decided)
			if tc.fails {
				require.ErrorIs(t, err, storetest.ErrFault)
			} else {
				require.NoError(t, err)
			}
			if tc.unsure {
				require.ErrorIs(t, err, serial.ErrUnknownOutcome)
			} else {
				require.NotErrorIs(t, err, serial.ErrUnknownOutcome)
			}
			snap, err := memory.View(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, tc.kept, snap.Series.Mark == 1)

			_, err = store.View(t.Context(), q)
			require.Equal(t, tc.fails, err != nil)
			err = store.Scan(t.Context(), func(serial.Reader) error { return nil })
			require.Equal(t, tc.fails, err != nil)
			require.Equal(t, []string{"Update", "View", "Scan"}, methods)
		})
	}
	faults := func(fault storetest.Fault) *storetest.Faulty {
		return &storetest.Faulty{Store: storetest.NewMemory(), Next: func(string) storetest.Fault { return fault }}
	}
	for _, fault := range []storetest.Fault{storetest.Lost, storetest.Repeated} {
		decided := 0
		err := faults(fault).Update(t.Context(), &serial.Query{}, func(*serial.Snapshot) (*serial.Batch, error) {
			decided++
			return nil, serial.ErrFenced
		})
		require.Equal(t, serial.ErrFenced, err, "an error of decide is what it is")
		require.Equal(t, 1, decided)
	}
	err := faults(storetest.Persisted).Update(t.Context(), &serial.Query{}, func(*serial.Snapshot) (*serial.Batch, error) { return nil, nil })
	require.ErrorIs(t, err, serial.ErrUnknownOutcome, "also of nothing")
}

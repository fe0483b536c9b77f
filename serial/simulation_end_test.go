package serial_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

// requireEnd looks at what is left when everything has ended, with the memory store and the sink alone.
func (s *sim) requireEnd() {
	t := s.t
	l, err := serial.Open(t.Context(), s.memory, &serial.Options{Sink: s.sink})
	require.NoError(t, err)
	defer l.Close()
	for r, err := range l.Unresolved(t.Context()) {
		require.NoError(t, err)
		t.Errorf("I25: %s is still %s", r.Number, r.State)
	}
	report, err := l.Audit(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	for account, paid := range s.paid {
		b, err := l.Balance(t.Context(), account)
		require.NoError(t, err)
		require.Equal(t, serial.Balance{Purchased: paid, Available: paid - b.Stamped, Stamped: b.Stamped}, b, "I1")
	}
	byNumber := make(map[serial.Number]string)
	for key, r := range s.stamps {
		require.NotContains(t, byNumber, r.Number, "I8: one number for two keys")
		byNumber[r.Number] = key
		got, err := l.Lookup(t.Context(), r.Number)
		require.NoError(t, err, "I7: %s was acknowledged", key)
		require.Equal(t, serial.Stamped, got.State, "I7: %s was acknowledged", key)
		require.Equal(t, r.Output, got.Output)
		require.Equal(t, key, string(got.Request.Key))
	}
	s.requireOutputs(l)
	require.Equal(t, report.Reservations[serial.Stamped], int64(len(s.stamps)), "each stamp was acknowledged, in the last round if not before")
	s.counts["stamped"] += int(report.Reservations[serial.Stamped])
	s.counts["void"] += int(report.Reservations[serial.Void])
	s.counts["released"] += int(report.Reservations[serial.Released])
}

// requireOutputs: an output belongs to a stamped number, which hands it out, or is an orphan, which nobody gets.
func (s *sim) requireOutputs(l *serial.Ledger) {
	t := s.t
	stamped := 0
	for n, kept := range s.sink.outputs() {
		r, err := l.Lookup(t.Context(), n)
		require.NoError(t, err)
		require.Positive(t, s.signed[n], "I9: an output that nobody signed")
		if r.State == serial.Stamped {
			require.Equal(t, outputOf(kept.bytes), r.Output)
			stamped++
			continue
		}
		s.counts["orphan"]++
		require.Equal(t, serial.Void, r.State, "I10")
		require.False(t, kept.at.Add(5*time.Minute).Before(r.Resolved), "I10: %s was given up long after its output was kept", n)
		_, err = l.Output(t.Context(), n)
		var state *serial.StateError
		require.ErrorAs(t, err, &state, "I11: an orphan is not handed out")
		if r.Output != (serial.Output{}) {
			s.counts["orphan noted"]++
			require.Equal(t, outputOf(kept.bytes), r.Output, "I11")
		}
	}
	b := serial.Balance{}
	for a, err := range l.Accounts(t.Context()) {
		require.NoError(t, err)
		b.Stamped += a.Stamped
	}
	require.Equal(t, int64(stamped), b.Stamped, "I10: as many outputs as units used")
}

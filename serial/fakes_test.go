package serial_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

// fakeSink is a ClaimSink in memory whose calls fail as a test says.
type fakeSink struct {
	mu    *sync.Mutex
	files map[serial.Number]fakeOutput
	// next says what happens to a step: "open", "put" before the work is done, "keep" after it. It may wait; nil is never
	// a fault.
	next func(step string) storetest.Fault
}

type fakeOutput struct {
	claim [32]byte
	bytes []byte
	at    time.Time // when it was kept
}

func newFakeSink() *fakeSink {
	return &fakeSink{mu: new(sync.Mutex), files: make(map[serial.Number]fakeOutput)}
}

// of gives the same sink as another process has it.
func (s *fakeSink) of(next func(step string) storetest.Fault) *fakeSink {
	return &fakeSink{mu: s.mu, files: s.files, next: next}
}

func (s *fakeSink) fault(step string) storetest.Fault {
	if s.next == nil {
		return storetest.NoFault
	}
	return s.next(step)
}

func (s *fakeSink) Put(context.Context, serial.Number, func(io.Writer) error) error {
	return errors.New("an output without a claim")
}

func (s *fakeSink) PutClaimed(_ context.Context, n serial.Number, claim [32]byte, write func(io.Writer) error) error {
	fault := s.fault("put")
	if fault == storetest.Unreachable {
		return storetest.ErrFault
	}
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	late := s.fault("keep")
	for _, f := range []storetest.Fault{fault, late} {
		if f != storetest.NoFault && f != storetest.Repeated && f != storetest.Persisted {
			return storetest.ErrFault
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.files[n]; ok {
		return fs.ErrExist
	}
	s.files[n] = fakeOutput{claim, b.Bytes(), time.Now()}
	if fault == storetest.Persisted || late == storetest.Persisted {
		return storetest.ErrFault
	}
	return nil
}

func (s *fakeSink) Open(_ context.Context, n serial.Number) (io.ReadCloser, error) {
	if fault := s.fault("open"); fault != storetest.NoFault && fault != storetest.Repeated {
		return nil, storetest.ErrFault
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.files[n]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(f.bytes)), nil
}

func (s *fakeSink) OpenClaimed(ctx context.Context, n serial.Number, claim [32]byte) (io.ReadCloser, error) {
	rc, err := s.Open(ctx, n)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files[n].claim != claim {
		return nil, &serial.ForeignOutputError{Number: n}
	}
	return rc, nil
}

// outputs gives a copy of what is kept.
func (s *fakeSink) outputs() map[serial.Number]fakeOutput {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.files)
}

func outputOf(b []byte) serial.Output {
	return serial.Output{Digest: sha256.Sum256(b), Length: int64(len(b))}
}

// numberFromEnv gives the number that an environment variable holds, or the one given.
func numberFromEnv(t testing.TB, name string, otherwise uint64) uint64 {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(s, 10, 64)
	require.NoError(t, err, name)
	return n
}

// seedFromEnv gives METERAI_SEED, or a seed that differs each time.
func seedFromEnv(t testing.TB) uint64 {
	t.Helper()
	return numberFromEnv(t, "METERAI_SEED", uint64(time.Now().UnixNano()))
}

// classOf puts an error in one word and what it carries, so that two can be compared. An unknown outcome is never taken
// for anything else.
func classOf(err error) string {
	var (
		request  *serial.RequestError
		conflict *serial.ConflictError
		state    *serial.StateError
		clock    *serial.ClockError
		foreign  *serial.ForeignOutputError
		refused  *serial.RefusedError
	)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, serial.ErrUnknownOutcome):
		return "unknown"
	case strings.Contains(err.Error(), storetest.ErrFault.Error()):
		return "fault"
	case errors.As(err, &foreign):
		return "foreign"
	case errors.Is(err, serial.ErrFenced):
		return "fenced"
	case errors.As(err, &clock):
		return "clock"
	case errors.As(err, &state):
		return fmt.Sprintf("state %s %s %s", state.State, state.Step, state.Note)
	case errors.As(err, &conflict):
		return "conflict " + conflict.Field
	case errors.As(err, &request):
		return "request " + request.Field
	case errors.As(err, &refused):
		return "refused"
	case errors.Is(err, serial.ErrInsufficient):
		return "insufficient"
	case errors.Is(err, serial.ErrNotFound):
		return "not found"
	case errors.Is(err, serial.ErrClosed):
		return "closed"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return err.Error()
}

package tsa

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// responseSeeds are answers of every kind, with an element in place of the token.
func responseSeeds() [][]byte {
	return [][]byte{
		{},
		{0x30, 0},
		{0x30, 5, 0x30, 3, 2, 1, 0},
		{0x30, 7, 0x30, 3, 2, 1, 0, 0x30, 0},
		{0x30, 9, 0x30, 3, 2, 1, 1, 0x30, 0x80, 0, 0},
		{0x30, 15, 0x30, 13, 2, 1, 2, 0x30, 4, 0x0c, 2, 'n', 'o', 3, 2, 7, 0x80},
		{0x30, 12, 0x30, 10, 2, 1, 2, 3, 5, 6, 0, 0, 0, 0x40},
		{0x30, 13, 0x30, 11, 2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0},
		{0x30, 5, 0x30, 3, 2, 1, 3, 0},
		{0x30, 0x84, 0xff, 0xff, 0xff, 0xff},
		bytes.Repeat([]byte{0x30, 0x80}, 30),
	}
}

// FuzzResponse reads any answer. It stands inside of the package because a client's
// goroutines would make the fuzzer take every input for a new one.
func FuzzResponse(f *testing.F) {
	seeds := responseSeeds()
	require.NotEmpty(f, seeds)
	for _, b := range seeds {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseResponse(b)
		if err != nil {
			require.Nil(t, r)
			require.ErrorIs(t, err, ErrToken)
			return
		}
		require.LessOrEqual(t, len([]rune(r.text)), maxText+3)
		require.NotContains(t, r.text, "\n")
		raw, err := r.tokenOf("http://tsa.example/")
		if err != nil {
			require.True(t, errors.Is(err, ErrRetry) || errors.Is(err, ErrRefused) || errors.Is(err, ErrToken))
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.True(t, bytes.HasSuffix(b, raw))
		require.NotEmpty(t, raw)
		if _, err := Parse(raw); err != nil {
			require.ErrorIs(t, err, ErrToken)
		}
	})
}

// TestResponses says what the seeds are.
func TestResponses(t *testing.T) {
	want := []string{"!", "!", "no token", "token", "token", "badAlg", "systemFailure", "!", "!", "!", "!"}
	for i, b := range responseSeeds() {
		got := "!"
		if r, err := parseResponse(b); err == nil {
			_, err := r.tokenOf("")
			var status *StatusError
			switch {
			case err == nil:
				got = "token"
			case errors.As(err, &status):
				got = status.Failure.String()
			default:
				got = "no token"
			}
		}
		require.Equal(t, want[i], got, "seed %d", i)
	}
}

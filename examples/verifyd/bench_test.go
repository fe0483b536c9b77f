package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/verify"
)

// BenchmarkVerify posts a stamped document of 62 KB to the handler; before it comes
// the verification alone.
func BenchmarkVerify(b *testing.B) {
	var source bytes.Buffer
	require.NoError(b, pdfs.Scan(&source, 62<<10))
	sp, err := newSpecimen(source.Bytes())
	require.NoError(b, err)
	r := start(b, nil)
	r.cfg.Files = sp.write(b, b.TempDir())
	r.reload()
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			report, err := verify.Document(b.Context(), bytes.NewReader(sp.stamped), int64(len(sp.stamped)), r.trusted.Load().options)
			require.NoError(b, err)
			require.Equal(b, verify.TotalPassed, report.Indication)
		}
	})
	b.Run("handler", func(b *testing.B) {
		handler := r.handler()
		for b.Loop() {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/verify", bytes.NewReader(sp.stamped)))
			require.Equal(b, http.StatusOK, w.Code)
		}
	})
}

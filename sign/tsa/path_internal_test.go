package tsa

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPathIsRemembered: a chain that was built stands for the same certificate while all of it is valid, and no longer.
func TestPathIsRemembered(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	leaf := &x509.Certificate{Raw: []byte("leaf"), NotBefore: day(1), NotAfter: day(20)}
	p := newPath([]*x509.Certificate{
		leaf, {Raw: []byte("between"), NotBefore: day(3), NotAfter: day(30)}, {Raw: []byte("root"), NotBefore: day(2), NotAfter: day(10)},
	})
	at := func(c *x509.Certificate, n time.Time) bool { return p.leads(&Token{Certificate: c, Time: n}) }
	require.True(t, at(leaf, day(3)))
	require.True(t, at(leaf, day(10)))
	require.False(t, at(leaf, day(3).Add(-time.Second)), "the one between is not valid yet")
	require.False(t, at(leaf, day(10).Add(time.Second)), "the root is not valid any more")
	require.False(t, at(&x509.Certificate{Raw: []byte("other")}, day(5)))
	require.False(t, (*path)(nil).leads(&Token{Certificate: leaf, Time: day(5)}))
}

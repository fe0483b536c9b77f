package tsa

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPathIsRemembered: a chain that was built stands for the same certificates while all of it is valid, and no longer.
func TestPathIsRemembered(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	leaf := &x509.Certificate{Raw: []byte("leaf"), NotBefore: day(1), NotAfter: day(20)}
	between := &x509.Certificate{Raw: []byte("between"), NotBefore: day(3), NotAfter: day(30)}
	root := &x509.Certificate{Raw: []byte("root"), NotBefore: day(2), NotAfter: day(10)}
	of := func(at time.Time, c *x509.Certificate, more ...*x509.Certificate) *Token {
		return &Token{Certificate: c, Certificates: append([]*x509.Certificate{c}, more...), Time: at}
	}
	p := newPath(of(day(5), leaf, between), []*x509.Certificate{leaf, between, root})
	require.True(t, p.leads(of(day(3), leaf, between)))
	require.True(t, p.leads(of(day(10), leaf, between)))
	require.False(t, p.leads(of(day(3).Add(-time.Second), leaf, between)), "the one between is not valid yet")
	require.False(t, p.leads(of(day(10).Add(time.Second), leaf, between)), "the root is not valid any more")
	require.False(t, p.leads(of(day(5), root, between)))
	require.False(t, p.leads(of(day(5), leaf)), "without the one between there may be no path")
	require.False(t, (*path)(nil).leads(of(day(5), leaf, between)))
}

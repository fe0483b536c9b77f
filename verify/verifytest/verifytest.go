// Package verifytest has assertions for tests of programs that stamp: is this
// document genuinely stamped, is that one refused, and does this picture or text
// carry the seal that it should. They are for tests that use testify; a failure
// prints the whole report, which says why.
//
//	report := verifytest.Stamped(t, out, options)
//	require.Equal(t, receipt.Number.String(), report.Signatures[0].Stamp.Serial)
//
// The options decide what is trusted, as in package verify. Nil options trust
// nobody, so nothing passes with them.
package verifytest

import (
	"bytes"
	"context"
	"image"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/verify"
	"github.com/seed-574216e4/meterai/verify/scan"
)

// helper marks a function as one of the test's own, where the test can do that.
func helper(t require.TestingT) {
	if h, ok := t.(interface{ Helper() }); ok {
		h.Helper()
	}
}

// Stamped requires that every signature of the document is TOTAL-PASSED and that
// its newest stamp is genuine and bound to it. With Options.IntegrityOnly, which
// knows no trust, the stamp need only be bound.
func Stamped(t require.TestingT, document []byte, opt *verify.Options) *verify.Report {
	helper(t)
	r := Passed(t, document, opt)
	for _, s := range slices.Backward(r.Signatures) {
		if s.Stamp == nil {
			continue
		}
		require.True(t, s.Stamp.DocumentBound, "the stamp is not bound to the document\n%s", r.Text())
		if opt == nil || !opt.IntegrityOnly {
			require.True(t, s.Stamp.Genuine, "the stamp is not genuine\n%s", r.Text())
		}
		return r
	}
	require.Fail(t, "no signature carries a stamp", r.Text())
	return r
}

// Passed requires that every signature of the document is TOTAL-PASSED.
func Passed(t require.TestingT, document []byte, opt *verify.Options) *verify.Report {
	helper(t)
	r := report(t, document, opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	return r
}

// Refused requires that the document is not TOTAL-PASSED, and for this reason;
// with an empty sub-indication any reason will do.
func Refused(t require.TestingT, document []byte, opt *verify.Options, why verify.SubIndication) *verify.Report {
	helper(t)
	r := report(t, document, opt)
	require.NotEqual(t, verify.TotalPassed, r.Indication, "it passes\n%s", r.Text())
	if why != "" {
		require.Equal(t, why, r.SubIndication, r.Text())
	}
	return r
}

func report(t require.TestingT, document []byte, opt *verify.Options) *verify.Report {
	helper(t)
	r, err := verify.Document(context.Background(), bytes.NewReader(document), int64(len(document)), opt)
	require.NoError(t, err)
	return r
}

// Sealed requires that the picture of a page shows exactly one seal, that it is
// genuine, and that it was made for the document, which is the one before
// stamping or the stamped one.
func Sealed(t require.TestingT, page image.Image, document []byte, opt *verify.Options) *verify.SealReport {
	helper(t)
	texts, err := scan.Image(context.Background(), page, nil)
	require.NoError(t, err)
	require.Len(t, texts, 1, "symbols on the page")
	return SealedText(t, texts[0], document, opt)
}

// SealedText is Sealed for the text that a reader has found.
func SealedText(t require.TestingT, text string, document []byte, opt *verify.Options) *verify.SealReport {
	helper(t)
	r, err := verify.SealForDocument(context.Background(), text, bytes.NewReader(document), int64(len(document)), opt)
	require.NoError(t, err)
	require.True(t, r.Genuine, "the seal is not genuine\n%s", r.Text())
	require.True(t, r.DocumentBound, "the seal is of another document\n%s", r.Text())
	return r
}

// Package scan finds printed seals in images: a scanned or photographed page, or
// one that the caller rasterised. It gives their texts, and no verdict:
//
//	texts, err := scan.Seals(ctx, file, nil) // PNG or JPEG
//	for _, text := range texts {
//		report, err := verify.Seal(text, options)
//	}
//
// A text that has the form of a seal is as good as one that a phone read. Whether
// the seal is genuine, and of what, only package verify says, and a printed seal
// can be a photocopy.
//
// # How it reads
//
// Symbols are found by their three corners, at the size of the image and at
// halves and doubles of it, in any rotation, mirrored too, and moderately out of
// perspective. Edges are located between pixels and modules are sampled in shades
// of gray, so that modules of 2 pixels suffice; scans of 150 dpi have 2.4 and more
// for stamps drawn by our rules. Of coloured images a second reading takes the
// lightest of the three colours, in which blue or red ink across a black symbol is
// hardly there. Error correction (ISO/IEC 18004) is gozxing's.
//
// # Hostile images
//
// The header is read first, and an image of too many pixels is refused before it
// is decoded. Candidates, readings and so the time for a pixel are bounded
// (limits.go); the context is asked in between. Memory is at most some 16 bytes a
// pixel, most of it that of the decoder, and what a JPEG file has before its size,
// which Options.MaxBytes bounds.
//
// # What is left out
//
// Light symbols on dark ground, and pages that are creased or bent so far that
// straight lines are no longer straight.
package scan

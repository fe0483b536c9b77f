// Package content finds out what is drawn on a page, and where: its text, so that
// something can be put next to a word, and its occupied places, so that
// something can be put where nothing is.
//
// It follows ISO 32000-2:2020, 7.8.2 (content streams), 8 (graphics) and 9
// (text). [Read] interprets the content of one page, the forms that it draws
// included; the [Layout] answers with [Layout.Find] and [Layout.Free]:
//
//	page, err := f.Page(-1)
//	l, err := content.Read(ctx, f, page, nil)
//	for _, box := range l.Find("Yang membuat pernyataan,") { ... }
//	spot, ok := l.Free(150, 80, 36, content.BottomRight)
//
// Nothing is rendered. Left out are the outlines of glyphs, colours beyond
// whether they are white, the inside of images, optional content (all of it is
// taken to be seen) and the appearance of annotations (their rectangles stand
// for them).
//
// # Text
//
// Text comes from /ToUnicode, else from /Encoding with the Latin names of the
// Adobe Glyph List, else from the encoding in the clear part of a Type 1 font
// program. The encodings inside of TrueType and CFF programs are not read: where
// the dictionary names none, their codes are taken to be those of WinAnsiEncoding
// and StandardEncoding, as other readers do. Predefined CMaps other than Identity
// and those of UTF-16 are not known: where nothing says what a glyph means, its
// text is U+FFFD. Widths come from the font dictionary. The fourteen standard fonts may leave them out: those of Helvetica
// and Times are built in for the characters of WinAnsiEncoding, Courier is 0.6
// em, Symbol and ZapfDingbats are 0.55 and 0.79 em throughout.
//
// # What is occupied
//
// A place is occupied where something is painted, seen or not under what is
// painted later:
//
//   - text, from descent to ascent of its font, that is not invisible (text
//     rendering modes 3 and 7) and not only white space;
//   - images, even when they cover the page, as scans do: there is no free place on a
//     scanned page;
//   - each filled part of a path by the box around it, and shadings;
//   - each straight line of a stroked path by the box around it, when a part of the
//     path has at most 16 of them, otherwise the box around all: what stands in a
//     frame is not occupied by the frame.
//
// Clipping cuts these boxes off by the box around the clipping path. Not occupied
// are
//
//   - the background: a rectangle alone in its path, or a shading, that is filled
//     and covers at least 90 % of the crop box. A drawing that covers so much and
//     is no rectangle occupies it;
//   - fills and strokes in white (full light in DeviceGray, DeviceRGB, CalGray,
//     CalRGB and ICC-based spaces, no ink in DeviceCMYK) in the normal blend mode,
//     since they show nothing on paper; where they show something on a picture or
//     a coloured panel, that is occupied itself. Once a page has a background that
//     is not white they count.
//
// # Limits
//
// Work and memory are bounded by [Limits], recursion by counters. A page that
// exceeds a limit, or of which something is damaged, gives a layout that is
// Truncated, with the reason: what was found is there to be searched, but no free
// place is claimed. Unbalanced q and Q, missing operands and unknown operators are
// passed over as other readers do.
package content

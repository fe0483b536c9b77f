// Package artwork draws the visible stamp: the content stream of the form
// XObject (ISO 32000-2, 8.10) that is the appearance of a stamp's signature
// field.
//
// [Append] gives the content, [Resources] the resource dictionary it needs, and
// [DefaultSize] the box it looks best in. The artwork is neutral and our own: a
// perforated frame, a rosette of ellipses, the words METERAI ELEKTRONIK, the
// tariff in figures and words, the QR symbol with its quiet zone beside or
// above them, and the serial number. Stamps of test credentials carry SPESIMEN.
//
// Text is drawn as outlines, so that there is no font to embed, and colours are
// CalRGB (ISO 32000-2, 8.6.5.3), so that the result may stand in PDF/A files of
// any output intent. There is no transparency and no image. The
// box is painted white first: what the page shows below cannot disturb the
// symbol.
//
// What is left out: the state emblem and the official artwork, which are
// protected; an issuer that may use them brings its own appearance.
package artwork

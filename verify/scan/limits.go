package scan

// Limits of what a hostile image can make the search do. They are far above what
// a page of stamps needs.
const (
	// defaultPixels is an A4 page at 600 dpi, with some margin.
	defaultPixels = 36_000_000
	// defaultBytes is the greatest length of an image file.
	defaultBytes = 64 << 20

	// doublePixels: only smaller images are searched at twice their size; in
	// larger ones the modules of a printed stamp are large enough.
	doublePixels = 5_000_000
	// halfFirst: larger images are searched at half their size first.
	halfFirst = 12_000_000
	// leastEdge is the least edge in pixels of an image that is searched, the 21
	// modules of the smallest symbol at a pixel each.
	leastEdge = 21

	// maxCorners bounds the corners of symbols that are kept of one search.
	maxCorners = 256
	// maxTriples bounds the groups of three corners that are tried of one search.
	maxTriples = 64
	// maxTexts bounds the texts that are given.
	maxTexts = 64
)

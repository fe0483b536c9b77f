package artwork

// Limits of what is printed.
const (
	// ModuleDefault and ModuleMin are edges of the symbol's modules in
	// millimetres: at 0.45 all readers that were tried read the symbol from
	// paper, below 0.40 some no longer do.
	ModuleDefault = 0.45
	ModuleMin     = 0.40

	// shrinkMM is how much narrower dark areas are drawn, in all, against the
	// spread of ink.
	shrinkMM = 0.04

	// maxEdge is the greatest edge of a box in points: the size of the largest
	// page that all readers take.
	maxEdge = 14400

	// maxFigures and maxWords bound the texts in bytes. The longest number in
	// words below 2^32 has 133.
	maxFigures = 24
	maxWords   = 200

	// maxLines is the greatest number of lines the words are broken into.
	maxLines = 4
)

// pointsPerMM converts millimetres to points.
const pointsPerMM = 72 / 25.4

package artwork

// rect is a place in a layout: its lower left corner and its size.
type rect struct{ x, y, w, h float64 }

// layout is an arrangement. Its unit is the point of a symbol of version 8 at
// the default module; other symbols and boxes scale all of it.
type layout struct {
	w, h    float64
	symbol  rect // with quiet zone
	header  []line
	rosette rect
	figures rect
	words   rect
	band    rect // an ornament, or the mark of a specimen
	serial  [2]rect
}

// line is a fixed text and its place.
type line struct {
	text string
	at   rect
}

// symbolEdge is the edge of a version 8 symbol with its quiet zone, 57 modules
// of 0.45 mm, in points: the unit of the layouts.
const symbolEdge = 57 * ModuleDefault * pointsPerMM

// pitch is the distance of the frame's perforations; the edges of the layouts
// are multiples of it.
const pitch = 3

// layouts gives the arrangements: texts to the right of the symbol, and texts
// above and below it.
func layouts() [2]layout {
	const left = 80.5 // of the texts beside the symbol
	const wide = 66
	const low = 38 // lower end of the symbol above texts
	margin := (81 - symbolEdge) / 2
	return [2]layout{{
		w: 153, h: 81,
		symbol: rect{margin, margin, symbolEdge, symbolEdge},
		header: []line{
			{"METERAI", rect{left, 66.6, wide, 7.4}},
			{"ELEKTRONIK", rect{left, 57, wide, 7.4}},
		},
		rosette: rect{left + 1, 9, 64, 64},
		figures: rect{left, 38.8, wide, 14.4},
		words:   rect{left, 28.6, wide, 8.6},
		band:    rect{left, 19.6, wide, 7.4},
		serial:  [2]rect{{left, 12.6, wide, 4.6}, {left, 5.9, wide, 4.6}},
	}, {
		w: 81, h: 123,
		symbol:  rect{margin, low, symbolEdge, symbolEdge},
		header:  []line{{"METERAI ELEKTRONIK", rect{6.5, 111.5, 68, 5.2}}},
		rosette: rect{24.5, 5, 32, 32},
		figures: rect{6.5, 28.2, 30, 8.8},
		words:   rect{39, 27.8, 35.5, 9.4},
		band:    rect{6.5, 18.9, 68, 6.7},
		serial:  [2]rect{{6.5, 12.4, 68, 4.6}, {6.5, 5.8, 68, 4.6}},
	}}
}

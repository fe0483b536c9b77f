package pdf

// Limits bounds what a file may ask of the reader. A field that is zero (or
// negative) has the default given with it, which lies far above what honest
// files need and keeps memory and time of a hostile one in hand. What goes
// beyond gets a [*LimitError].
type Limits struct {
	// StreamBytes is the size of one stream before and after each of its
	// filters. Default 75,000,000.
	StreamBytes int64

	// DecodedBytes is how much the filters of all streams may put out
	// altogether while a File, with the states that File.At gives of it, lives.
	// Each filter of a stream counts; so does a stream that is decoded again.
	// Default 500,000,000.
	DecodedBytes int64

	// ObjectBytes is the length in the file of one object, without the data
	// of a stream. Default 32,000,000.
	ObjectBytes int

	// Elements is how many values one object may hold, nested ones included,
	// and how many objects one object stream. Default 1,000,000.
	Elements int

	// NameBytes is the length of one name. Default 65,535.
	NameBytes int

	// ObjectNumber is the highest object number (ISO 32000-1, Annex C).
	// Default 8,388,607.
	ObjectNumber uint32

	// Sections is the length of the chain of cross-reference sections.
	// Default 1,024.
	Sections int

	// XRefBytes is the memory for all cross-reference sections together, about:
	// the decoded bytes of streams, and what their dictionaries take.
	// Default 100,000,000.
	XRefBytes int64

	// Changes is how many objects File.Changed lists of one revision.
	// Default 2,000,000.
	Changes int

	// Definitions is how many objects, trailers and ends of revisions a repair
	// may find, objects in object streams included; they take some 60 bytes each,
	// which count as XRefBytes too. Default 1,000,000.
	Definitions int

	// Subsections is how many ranges one cross-reference section may list.
	// Default 1,000,000.
	Subsections int

	// Nesting is the depth of arrays and dictionaries in each other, and of
	// the page and field trees. Default 256.
	Nesting int

	// References is how many references may lead from one to the next.
	// Default 32.
	References int

	// Filters is how many filters one stream may have. Default 16.
	Filters int

	// Columns is the /Columns of a predictor. Default 250,000.
	Columns int

	// Fields is how many nodes the field tree may have. Default 200,000.
	Fields int

	// WalkBytes is how much may be parsed in one walk over pages or fields,
	// the full names of the fields included. Default 300,000,000.
	WalkBytes int64

	// Tail is how far from the end of the file startxref may begin.
	// Default 2,048.
	Tail int
}

// withDefaults returns l with its zero fields filled in; l may be nil.
func (l *Limits) withDefaults() Limits {
	var v Limits
	if l != nil {
		v = *l
	}
	setDefault(&v.StreamBytes, 75_000_000)
	setDefault(&v.DecodedBytes, 500_000_000)
	setDefault(&v.ObjectBytes, 32_000_000)
	setDefault(&v.Elements, 1_000_000)
	setDefault(&v.NameBytes, 65_535)
	setDefault(&v.ObjectNumber, 8_388_607)
	setDefault(&v.Sections, 1_024)
	setDefault(&v.XRefBytes, 100_000_000)
	setDefault(&v.Changes, 2_000_000)
	setDefault(&v.Definitions, 1_000_000)
	setDefault(&v.Subsections, 1_000_000)
	setDefault(&v.Nesting, 256)
	setDefault(&v.References, 32)
	setDefault(&v.Filters, 16)
	setDefault(&v.Columns, 250_000)
	setDefault(&v.Fields, 200_000)
	setDefault(&v.WalkBytes, 300_000_000)
	setDefault(&v.Tail, 2_048)
	return v
}

func setDefault[T int | int64 | uint32](p *T, v T) {
	if *p <= 0 {
		*p = v
	}
}

// repairWaste is how many bytes beyond the length of the file a repair may read
// for objects that then prove to be none.
const repairWaste = 1 << 20

// Limits of encryption, which but for the last are those of the format.
const (
	oldVerifier = 32  // bytes of /O and /U up to revision 4, and of a password there
	newVerifier = 48  // bytes of /O and /U of revisions 5 and 6
	maxVerifier = 127 // bytes of them with the zeros that some writers append
	maxPassword = 127 // bytes of a password that revisions 5 and 6 look at
	hashRounds  = 287 // of algorithm 2.B: after so many every last byte, at most 255, is small enough
	maxHandlers = 16  // different encryption dictionaries of a file and its earlier states whose passwords are tried
)

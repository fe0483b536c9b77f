package sign

// Limits of the file of a prepared document, in bytes; see [ReadPrepared].
const (
	maxState       = 64 << 20 // the file
	maxStateName   = 64 << 10 // the name of the field
	maxAttributes  = 64 << 10 // the signed attributes
	maxStateSeal   = 4 << 10  // the seal
	maxStateSymbol = 16 << 10 // the text of the printed symbol
)

// Limits of what is read of a structure tree. A tree that goes beyond is left alone.
const (
	maxKeys      = 200_000   // entries of the parent tree; every page has about one
	maxKeyNodes  = 20_000    // nodes of the parent tree
	maxKeyDepth  = 16        // its levels
	maxKids      = 100_000   // of the element that the stamp is put under
	maxStructKey = 1<<31 - 2 // the largest key that all readers can go on from
	maxRoles     = 8         // names that a role map leads through
)

//go:build js && wasm

package main

// Limits of what the page reads at once.
const (
	// maxSide is the width and height of a picture, in pixels. The page makes
	// larger ones smaller before they come here.
	maxSide = 4096

	// blockSize and blocks say what is kept of a document: a read that crosses
	// from here to the browser takes about as long for 256 KiB as for one byte.
	blockSize = 256 << 10
	blocks    = 32
)

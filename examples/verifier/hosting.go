package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"slices"
)

//go:embed hosting.txt
var hostingText []byte

// hostHeaders is the file by which several hosts of static sites set headers.
func hostHeaders() []byte {
	return append([]byte("/*\n"), headerLines("  %s: %s\n")...)
}

// hosting says what a web server has to do.
func hosting() []byte {
	return bytes.ReplaceAll(hostingText, []byte("{{HEADERS}}"), headerLines("        add_header %s \"%s\" always;\n"))
}

func headerLines(format string) []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		fmt.Fprintf(&b, format, name, headers[name])
	}
	return b.Bytes()
}

// Package examples holds programs that stand on the library: quickstart, the
// shortest way from a serial number to a verified stamped document, and
// meterai, the command line. It has no code of its own but the test that keeps
// the import rules of DESIGN.md.
package examples

//go:build race

package cms_test

// raceEnabled says that the race detector slows everything down.
const raceEnabled = true

//go:build race

package sign_test

// raceEnabled says that the race detector slows everything down.
const raceEnabled = true

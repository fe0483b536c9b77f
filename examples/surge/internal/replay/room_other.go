//go:build !linux

package replay

// room does not know here what is left.
func room(string, int64) error { return nil }

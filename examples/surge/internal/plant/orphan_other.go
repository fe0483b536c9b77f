//go:build unix && !linux

package plant

import "syscall"

// dieWithUs can do nothing here.
func dieWithUs(*syscall.SysProcAttr) {}

//go:build linux || darwin || freebsd

package main

import "syscall"

// freeDisk gives the bytes that an ordinary user may still write where path is.
func freeDisk(path string) (uint64, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, false
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true
}

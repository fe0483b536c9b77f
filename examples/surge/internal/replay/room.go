//go:build linux

package replay

import (
	"fmt"
	"syscall"
)

// stampedSize is what a stamped document takes on the disk, about, with its entries in the ledger.
const stampedSize = 70_000

// room says whether a folder has room for so many stamped documents: better now than by a full disk of everybody else.
func room(dir string, documents int64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return err
	}
	if free, need := int64(s.Bavail)*int64(s.Frsize), documents*stampedSize; free < need {
		return fmt.Errorf("%d documents take about %d MB and %s has %d MB left: choose another --dir", documents, need>>20, dir, free>>20)
	}
	return nil
}

package plant

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

// onDiskName is the figure of the ledger's files; a PostgreSQL with a standby has them twice, with its log.
const onDiskName = "ledger on the disk, MB"

// onDisk is how many bytes the files of a folder have, or a file.
func onDisk(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				sum += info.Size()
			}
		}
		return nil // a file that has gone meanwhile counts for nothing
	})
	return sum
}

// resident is how many bytes of memory a process has, as Linux tells; elsewhere what the runtime of this one took.
func resident(pid string) int64 {
	b, err := os.ReadFile("/proc/" + pid + "/statm")
	if fields := bytes.Fields(b); err == nil && len(fields) > 1 {
		if pages, err := strconv.ParseInt(string(fields[1]), 10, 64); err == nil {
			return pages * int64(os.Getpagesize())
		}
	}
	if pid != "self" {
		return 0
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}

// used is the processor time of a process, as Linux tells in hundredths of a second; elsewhere zero.
func used(pid string) time.Duration { own, _ := times(pid); return own }

// times are the processor time of a process, and that of the children it has waited for.
func times(pid string) (own, children time.Duration) {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	_, after, ok := bytes.Cut(b, []byte(") ")) // the name before may hold anything
	fields := bytes.Fields(after)
	if err != nil || !ok || len(fields) < 15 {
		return 0, 0
	}
	var t [4]time.Duration
	for i := range t {
		ticks, _ := strconv.ParseInt(string(fields[11+i]), 10, 64)
		t[i] = time.Duration(ticks) * (time.Second / 100)
	}
	return t[0] + t[1], t[2] + t[3]
}

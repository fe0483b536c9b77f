package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seed-574216e4/meterai/serial"
)

// How many of the newest kept stamps are looked up, and in how much of the sink they are
// looked for: it may have millions.
const (
	keptStamps  = 64
	keptFolders = 16
	keptFiles   = 256 // of a folder
)

// checkKept looks whether the ledger knows the newest stamps that the sink keeps: a
// ledger from a backup does not know those that were made after it.
func (d *doctor) checkKept(ctx context.Context, l *serial.Ledger) {
	const check = "kept stamps"
	newest := newestStamps(d.home.stamps())
	unknown, first := 0, serial.Number{}
	for _, n := range newest {
		_, err := l.Lookup(ctx, n)
		switch {
		case errors.Is(err, serial.ErrNotFound):
			if unknown++; unknown == 1 {
				first = n
			}
		case err != nil:
			return // said of the ledger
		}
	}
	if len(newest) == 0 {
		d.ok(check, "there is none yet")
		return
	}
	if unknown > 0 {
		d.warn(check, "after a restore: credit the payments since the backup again and keep these stamps, which were made after it; see 'meterai fence --help'",
			"of the newest %d the ledger does not know %d, the first: %s", len(newest), unknown, first.Grouped())
		return
	}
	d.ok(check, "the ledger knows the newest %d", len(newest))
}

// newestStamps gives numbers that the sink keeps outputs of, the newest first.
func newestStamps(dir string) []serial.Number {
	type kept struct {
		number serial.Number
		time   time.Time
	}
	var list []kept
	for _, folder := range newestFirst(dir, -1, keptFolders) {
		for _, file := range newestFirst(filepath.Join(dir, folder.Name()), keptFiles, keptFiles) {
			n, err := serial.Parse(file.Name())
			if err == nil && n.String() == file.Name() { // not a claim, nor what a crash left
				list = append(list, kept{n, file.ModTime()})
			}
		}
	}
	slices.SortFunc(list, func(a, b kept) int { return b.time.Compare(a.time) })
	var numbers []serial.Number
	for _, k := range list[:min(len(list), keptStamps)] {
		numbers = append(numbers, k.number)
	}
	return numbers
}

// newestFirst reads so many entries of a folder, -1 for all, and gives the newest.
func newestFirst(dir string, read, most int) []fs.FileInfo {
	f, err := os.Open(dir)
	if err != nil {
		return nil // no stamp was made yet
	}
	defer f.Close()
	list, _ := f.Readdir(read)
	slices.SortFunc(list, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	return list[:min(len(list), most)]
}

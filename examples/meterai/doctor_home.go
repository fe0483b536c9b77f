package main

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/sqlite"
)

// Free disk space in bytes: below the first stamping will soon stop, below the second
// somebody should know.
const (
	diskLimit  = 256 << 20
	diskNotice = 2 << 30
)

func (d *doctor) checkHome(ctx context.Context) {
	if _, err := os.Stat(d.home.series()); err != nil {
		d.fail("directory", "make one with 'meterai init --dir DIR', or restore series.json from its backup", "%v", err)
		if !errors.Is(err, fs.ErrNotExist) {
			return
		}
		if entries, err := os.ReadDir(d.home.dir); err != nil || len(entries) == 0 {
			return
		}
	} else {
		d.ok("directory", "%s was made by init", d.home.dir)
	}
	d.checkModes()
	d.checkDisk()
	scheme := d.checkSeries()
	d.checkLedger(ctx, scheme)
	d.checkPKI(scheme)
}

// secret tells whether only the owner may read a file of the directory.
func secret(path string) bool {
	name := filepath.Base(path)
	return strings.HasSuffix(name, ".key") || name == "series.json" || strings.HasPrefix(name, "ledger.db")
}

func (d *doctor) checkModes() {
	const check = "permissions"
	if runtime.GOOS == "windows" {
		d.warn(check, "look at the access rights of the directory yourself", "not looked at on this system")
		return
	}
	bad := 0
	err := filepath.WalkDir(d.home.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == d.home.stamps() {
			return fs.SkipDir // may have millions, and what they are is on paper anyway
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm()
		switch {
		case e.IsDir() && mode&0o022 != 0:
			bad++
			d.fail(check, "chmod go-w "+path, "others may write in %s", path)
		case e.Type().IsRegular() && secret(path) && mode&0o077 != 0:
			bad++
			d.fail(check, "chmod 600 "+path+"; if others have accounts here, take its keys for stolen", "others may read %s", path)
		}
		return nil
	})
	switch {
	case err != nil:
		d.fail(check, "run this as the user that stamps", "%v", err)
	case bad == 0:
		d.ok(check, "keys and ledger are their owner's alone")
	}
}

func (d *doctor) checkDisk() {
	const check = "disk"
	free, known := freeDisk(d.home.dir)
	mb := free >> 20
	switch {
	case !known:
		d.warn(check, "watch the free space of the disk yourself", "free space is not told on this system")
	case free < diskLimit:
		d.fail(check, "make room: a full disk stops stamping (no unit is lost)", "%d MB are free", mb)
	case free < diskNotice:
		d.warn(check, "make room soon: a full disk stops stamping", "%d MB are free", mb)
	default:
		d.ok(check, "%d MB are free", mb)
	}
}

// checkSeries reads the series key; nil when it cannot be used.
func (d *doctor) checkSeries() *serial.Scheme {
	const check, do = "series key", "restore series.json from its backup: without this key the series cannot go on"
	var s series
	if err := readJSON(d.home.series(), &s); err != nil {
		d.fail(check, do, "%v", err)
		return nil
	}
	key, err := hex.DecodeString(s.Key)
	if err != nil || len(key) != 32 || len(s.Epoch) != 1 {
		d.fail(check, do, "%s is damaged", d.home.series())
		return nil
	}
	scheme, err := serial.NewScheme(s.Epoch[0], s.Issuer, [32]byte(key))
	if err != nil {
		d.fail(check, do, "%v", err)
		return nil
	}
	d.ok(check, "series %s", scheme.Series())
	return scheme
}

func (d *doctor) checkLedger(ctx context.Context, scheme *serial.Scheme) {
	const check = "ledger"
	const restore = "restore it from a backup beside the witness that is there; see 'meterai backup --help'"
	store, err := sqlite.Open(ctx, d.home.ledger(), &sqlite.Options{ReadOnly: true})
	if err != nil {
		d.fail(check, restore, "%v", err)
		return
	}
	defer store.Close()
	report, err := serial.Audit(ctx, store)
	switch {
	case err != nil:
		d.fail(check, restore, "it cannot be read: %v", err)
		return
	case !report.Clean():
		what := count(int64(len(report.Problems))+report.Omitted, "problem")
		do := "stop issuing; 'meterai audit --dir " + d.home.dir + "' lists them"
		if len(report.Problems) > 0 {
			what += ", the first: " + report.Problems[0].String()
		}
		if strings.Contains(what, serial.ErrFenced.Error()) {
			do = "see 'meterai fence --help'"
		}
		d.fail(check, do, "the audit finds %s", what)
	default:
		d.ok(check, "accounts %d, entries %d, head %s", report.Accounts, report.Entries, hex.EncodeToString(report.Head[:8]))
	}
	if n := report.Reservations[serial.Signing]; n > 0 {
		d.warn(check, "'meterai sweep --dir "+d.home.dir+"' ends what nobody finishes", "%s under way", count(n, "stamp"))
	}
	if scheme == nil {
		return
	}
	d.withReader(ctx, store, scheme)
}

// withReader looks at the ledger through a Ledger, which books nothing by itself and
// refuses a key that its numbers were not made with.
func (d *doctor) withReader(ctx context.Context, store serial.Store, scheme *serial.Scheme) {
	const check = "series key"
	l, err := serial.Open(ctx, store, &serial.Options{Scheme: scheme})
	if err != nil {
		d.fail(check, "stop issuing, and restore the series.json that belongs to this ledger: another key gives numbers twice", "%v", err)
		return
	}
	defer l.Close()
	d.ok(check, "it belongs to the ledger")
	d.checkCheckpoint(ctx, l)
	d.checkKept(ctx, l)
}

func (d *doctor) checkCheckpoint(ctx context.Context, l *serial.Ledger) {
	const check = "checkpoint"
	if d.checkpoint == "" {
		d.warn(check, "keep one on another machine ('meterai audit --write-checkpoint FILE') and give it here", "none was given: a machine that was rolled back as a whole is not noticed")
		return
	}
	f, err := os.Open(d.checkpoint)
	if err != nil {
		d.fail(check, "give a file written by 'meterai audit --write-checkpoint'", "%v", err)
		return
	}
	defer f.Close()
	problems, err := l.CompareCheckpoint(ctx, f)
	switch {
	case err != nil:
		d.fail(check, "give a file written by 'meterai audit --write-checkpoint'", "%v", err)
	case len(problems) > 0:
		d.fail(check, "stop issuing: the ledger was rolled back or changed; see 'meterai fence --help'", "%s, the first: %s", count(int64(len(problems)), "problem"), problems[0].String())
	default:
		d.ok(check, "everything of it is in the ledger")
	}
}

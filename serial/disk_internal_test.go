package serial

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// What happens at one step of a Disk.
const (
	StepDone          = iota
	StepFails         // nothing is done, but for half of a write
	StepFailsButDone  // done, and an error
	StepCrashesBefore // the machine goes down
	StepCrashesAfter
)

var (
	ErrStep = errors.New("injected fault")
	errDown = errors.New("the machine is down")
)

// Disk is the system below a [DirSink], on real files, as an adversary has it: a change of a directory lasts only once the
// directory was synchronised, bytes only once their file was. Of the changes of a directory that were not, a crash keeps
// the first few. It is here so that the tests outside the package can use it.
type Disk struct {
	Next func(step string) int // what happens to the next step

	mu      sync.Mutex
	root    string // of the sink
	stash   string // holds removed files, whose removal may be lost
	down    bool
	last    string
	files   []*diskFile
	changes []change // that are not durable
	stashed int
}

// change is a name that was made or, if it is in the stash, removed.
type change struct{ name, stashed string }

func (c *change) dir() string { return filepath.Dir(c.name) }

// NewDisk makes a disk for one sink.
func NewDisk(t testing.TB) *Disk {
	dir := t.TempDir()
	d := &Disk{root: filepath.Join(dir, "base", "outputs"), stash: filepath.Join(dir, "stash")}
	if err := os.Mkdir(d.stash, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Reboot(func() bool { return false }) })
	return d
}

// Root is the sink's directory.
func (d *Disk) Root() string { return d.root }

// Down reports whether the machine is down: then nothing on it happens any more.
func (d *Disk) Down() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.down
}

// NewSink starts a process.
func (d *Disk) NewSink() (*DirSink, error) {
	return newDirSink(d.root, dirSystem{mkdir: d.mkdir, syncDir: d.syncDir, create: d.create, link: d.link, remove: d.remove})
}

// Reboot brings the machine up again, without what was not durable and chance does not spare.
func (d *Disk) Reboot(lost func() bool) {
	for _, f := range d.files {
		if !f.synced && lost() {
			_ = f.file.Truncate(rand.Int64N(f.size + 1))
		}
		_ = f.file.Close()
	}
	broken := make(map[string]bool) // directories that have lost a change, and so those after it
	var undo []change
	for _, c := range d.changes {
		if broken[c.dir()] = broken[c.dir()] || lost(); broken[c.dir()] {
			undo = append(undo, c)
		}
	}
	for _, c := range slices.Backward(undo) {
		if c.stashed != "" {
			_ = os.Link(c.stashed, c.name)
		} else {
			_ = os.RemoveAll(c.name)
		}
	}
	d.files, d.changes, d.down = nil, nil, false
}

// step does one step, or not.
func (d *Disk) step(name string, half, do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return errDown
	}
	d.last = name
	what := StepDone
	if d.Next != nil {
		what = d.Next(name)
	}
	switch what {
	case StepFails:
		return errors.Join(ErrStep, half())
	case StepCrashesBefore:
		d.down = true
		return errDown
	}
	err := do()
	switch what {
	case StepFailsButDone:
		return ErrStep // which says nothing of what was there
	case StepCrashesAfter:
		d.down = true
		return errDown
	}
	return err
}

func nothing() error { return nil }

func (d *Disk) mkdir(dir string) error {
	name := "mkdir folder"
	if dir == d.root {
		name = "mkdir root"
	}
	return d.step(name, nothing, func() error {
		var made []change
		for up := dir; ; up = filepath.Dir(up) {
			if _, err := os.Stat(up); !errors.Is(err, fs.ErrNotExist) {
				break
			}
			made = append(made, change{name: up})
		}
		slices.Reverse(made)
		d.changes = append(d.changes, made...)
		return os.MkdirAll(dir, 0o700)
	})
}

func (d *Disk) syncDir(dir string) error {
	name := "sync parent"
	switch dir {
	case d.root:
		name = "sync root"
	default:
		if strings.HasPrefix(dir, d.root) {
			name = "sync folder"
		} else if len(dir) < len(filepath.Dir(d.stash)) {
			return nil // above the test's own directory
		}
	}
	return d.step(name, nothing, func() error {
		d.changes = slices.DeleteFunc(d.changes, func(c change) bool { return c.dir() == dir })
		return nil
	})
}

func (d *Disk) create(dir, prefix string) (file tempFile, err error) {
	err = d.step("create", nothing, func() error {
		f, err := os.CreateTemp(dir, prefix)
		if err != nil {
			return err
		}
		d.changes = append(d.changes, change{name: f.Name()})
		temp := &diskFile{disk: d, file: f, synced: true}
		d.files = append(d.files, temp)
		file = temp
		return nil
	})
	if err != nil {
		return nil, err
	}
	return file, nil
}

func (d *Disk) link(from, to string) error {
	name := "link claim"
	if !strings.Contains(filepath.Base(to), "-") {
		name = "heal name"
		if d.last == "link claim" {
			name = "link name"
		}
	}
	return d.step(name, nothing, func() error {
		err := os.Link(from, to)
		if err == nil {
			d.changes = append(d.changes, change{name: to})
		}
		return err
	})
}

func (d *Disk) remove(file string) error {
	name := "remove claim"
	if strings.HasPrefix(filepath.Base(file), tempPrefix) {
		name = "remove temp"
	}
	return d.step(name, nothing, func() error {
		d.stashed++
		stashed := filepath.Join(d.stash, strconv.Itoa(d.stashed))
		if err := os.Link(file, stashed); err != nil {
			return err
		}
		d.changes = append(d.changes, change{file, stashed})
		return os.Remove(file)
	})
}

// diskFile stays open until the machine goes down, so that its bytes can be lost under all its names.
type diskFile struct {
	disk   *Disk
	file   *os.File
	size   int64
	synced bool
	closed bool
}

func (f *diskFile) Name() string { return f.file.Name() }

func (f *diskFile) Write(p []byte) (n int, err error) {
	put := func(p []byte) error {
		var err error
		n, err = f.file.Write(p)
		f.size, f.synced = f.size+int64(n), false
		return err
	}
	err = f.disk.step("write", func() error { return put(p[:len(p)/2]) }, func() error { return put(p) })
	return n, err
}

func (f *diskFile) Sync() error {
	return f.disk.step("sync file", nothing, func() error {
		f.synced = true
		return nil
	})
}

func (f *diskFile) Close() error {
	if f.closed {
		return fs.ErrClosed
	}
	f.closed = true
	return f.disk.step("close", nothing, nothing)
}

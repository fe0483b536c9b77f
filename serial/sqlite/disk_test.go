package sqlite_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// A disk is a file system of SQLite's (a VFS) that hands everything to the operating system's, and on the way records
// what changes files, and fails when a test wants it to.

type opKind int

const (
	opOpen opKind = iota
	opWrite
	opTruncate
	opSync
	opDelete
	opShm // the index of the log is mapped or grown
)

var opNames = [...]string{"open", "write", "truncate", "sync", "delete", "map index"}

// diskOp is one call that changes a file or makes changes durable.
type diskOp struct {
	kind   opKind
	file   string // base name
	offset int64  // of a write; the new size of a truncation; 1 for a deletion that syncs the directory
	data   []byte // of a write, if the disk records
}

func (o *diskOp) String() string {
	return fmt.Sprintf("%s %s at %d", opNames[o.kind], o.file, o.offset)
}

// fault says what becomes of an operation.
type fault int

const (
	noFault   fault = iota
	fails           // an error, and nothing was done
	persisted       // an error, but it was done
	full            // no room: an error of its own kind, and nothing was done
)

type disk struct {
	name  string
	vfs   uintptr // sqlite3_vfs
	below *sqlite3.Tsqlite3_vfs
	table map[uintptr]uintptr // methods of the files below -> ours

	mu     sync.Mutex
	record bool
	ops    []diskOp // if record
	count  int
	fault  func(n int, o *diskOp) fault // nil for none
}

// What the calls from SQLite find their way back with.
var disks struct {
	sync.Mutex
	files map[uintptr]*diskFile // by sqlite3_file
	mount map[uintptr]*disk     // by sqlite3_vfs
}

var diskNumber atomic.Int64

type diskFile struct {
	disk  *disk
	name  string
	below *sqlite3.Tsqlite3_io_methods
}

// at looks at memory of SQLite's, which is not Go's.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// function and pointer turn the addresses of functions, as the translated C has them, into functions and back.
func function[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&struct{ p uintptr }{p})) }

func pointer[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&struct{ f F }{f})) }

type (
	openFunc   = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	deleteFunc = func(tls *libc.TLS, vfs, name uintptr, syncDir int32) int32
	writeFunc  = func(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32
	sizeFunc   = func(tls *libc.TLS, file uintptr, size int64) int32
	flagFunc   = func(tls *libc.TLS, file uintptr, flags int32) int32
	closeFunc  = func(tls *libc.TLS, file uintptr) int32
	mapFunc    = func(tls *libc.TLS, file uintptr, region, size, extend int32, out uintptr) int32
)

// newDisk registers a disk; the test's database is opened with sqlite.OnVFS(d.name).
func newDisk(t testing.TB) *disk {
	t.Helper()
	tls := libc.NewTLS()
	below := sqlite3.Xsqlite3_vfs_find(tls, 0)
	require.NotZero(t, below)
	d := &disk{name: fmt.Sprint("disk", diskNumber.Add(1)), table: make(map[uintptr]uintptr)}
	d.below = at[sqlite3.Tsqlite3_vfs](below)
	d.vfs = libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(*d.below)))
	name, err := libc.CString(d.name)
	require.NoError(t, err)
	own := at[sqlite3.Tsqlite3_vfs](d.vfs)
	*own = *d.below
	own.FpNext, own.FzName = 0, name
	own.FxOpen, own.FxDelete = pointer(openFunc(diskOpen)), pointer(deleteFunc(diskDelete))
	disks.Lock()
	if disks.mount == nil {
		disks.mount, disks.files = make(map[uintptr]*disk), make(map[uintptr]*diskFile)
	}
	disks.mount[d.vfs] = d
	disks.Unlock()
	require.Zero(t, sqlite3.Xsqlite3_vfs_register(tls, d.vfs, 0))
	t.Cleanup(func() {
		sqlite3.Xsqlite3_vfs_unregister(tls, d.vfs)
		disks.Lock()
		delete(disks.mount, d.vfs)
		disks.Unlock()
		tls.Close()
	})
	return d
}

// do counts and records an operation, and runs it or not.
func (d *disk) do(o diskOp, code int32, run func() int32) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.count
	d.count++
	what := noFault
	if d.fault != nil {
		what = d.fault(n, &o)
	}
	switch what {
	case fails:
		return code
	case full:
		return sqlite3.SQLITE_FULL
	}
	rc := run()
	if d.record && rc == sqlite3.SQLITE_OK {
		d.ops = append(d.ops, o)
	}
	if what == persisted {
		return code
	}
	return rc
}

func (d *disk) setFault(f func(n int, o *diskOp) fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

func (d *disk) done() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}

func mounted(vfs uintptr) *disk {
	disks.Lock()
	defer disks.Unlock()
	return disks.mount[vfs]
}

func opened(file uintptr) *diskFile {
	disks.Lock()
	defer disks.Unlock()
	return disks.files[file]
}

func diskOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	d := mounted(vfs)
	at[sqlite3.Tsqlite3_file](file).FpMethods = 0
	o := diskOp{kind: opOpen, file: filepath.Base(libc.GoString(name))}
	opened := false
	rc := d.do(o, sqlite3.SQLITE_CANTOPEN, func() int32 {
		rc := function[openFunc](d.below.FxOpen)(tls, vfs, name, file, flags, out)
		opened = rc == sqlite3.SQLITE_OK
		return rc
	})
	f := at[sqlite3.Tsqlite3_file](file)
	if rc != sqlite3.SQLITE_OK {
		if opened { // an error after it was opened: SQLite does not close it then
			function[closeFunc](at[sqlite3.Tsqlite3_io_methods](f.FpMethods).FxClose)(tls, file)
			f.FpMethods = 0
		}
		return rc
	}
	d.mu.Lock()
	ours, ok := d.table[f.FpMethods]
	if !ok {
		ours = libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_io_methods{})))
		m := at[sqlite3.Tsqlite3_io_methods](ours)
		*m = *at[sqlite3.Tsqlite3_io_methods](f.FpMethods)
		m.FxWrite, m.FxTruncate = pointer(writeFunc(diskWrite)), pointer(sizeFunc(diskTruncate))
		m.FxSync, m.FxClose, m.FxShmMap = pointer(flagFunc(diskSync)), pointer(closeFunc(diskClose)), pointer(mapFunc(diskMap))
		d.table[f.FpMethods] = ours
	}
	d.mu.Unlock()
	disks.Lock()
	disks.files[file] = &diskFile{d, o.file, at[sqlite3.Tsqlite3_io_methods](f.FpMethods)}
	disks.Unlock()
	f.FpMethods = ours
	return rc
}

func diskDelete(tls *libc.TLS, vfs, name uintptr, syncDir int32) int32 {
	d := mounted(vfs)
	return d.do(diskOp{kind: opDelete, file: filepath.Base(libc.GoString(name)), offset: int64(syncDir)}, sqlite3.SQLITE_IOERR_DELETE, func() int32 {
		return function[deleteFunc](d.below.FxDelete)(tls, vfs, name, syncDir)
	})
}

func diskWrite(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
	f := opened(file)
	o := diskOp{kind: opWrite, file: f.name, offset: offset}
	if f.disk.record {
		o.data = slices.Clone(unsafe.Slice(at[byte](data), n))
	}
	return f.disk.do(o, sqlite3.SQLITE_IOERR_WRITE, func() int32 {
		return function[writeFunc](f.below.FxWrite)(tls, file, data, n, offset)
	})
}

func diskTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	f := opened(file)
	return f.disk.do(diskOp{kind: opTruncate, file: f.name, offset: size}, sqlite3.SQLITE_IOERR_TRUNCATE, func() int32 {
		return function[sizeFunc](f.below.FxTruncate)(tls, file, size)
	})
}

func diskSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	f := opened(file)
	return f.disk.do(diskOp{kind: opSync, file: f.name}, sqlite3.SQLITE_IOERR_FSYNC, func() int32 {
		return function[flagFunc](f.below.FxSync)(tls, file, flags)
	})
}

func diskMap(tls *libc.TLS, file uintptr, region, size, extend int32, out uintptr) int32 {
	f := opened(file)
	return f.disk.do(diskOp{kind: opShm, file: f.name, offset: int64(region)}, sqlite3.SQLITE_IOERR_SHMMAP, func() int32 {
		return function[mapFunc](f.below.FxShmMap)(tls, file, region, size, extend, out)
	})
}

func diskClose(tls *libc.TLS, file uintptr) int32 {
	f := opened(file)
	disks.Lock()
	delete(disks.files, file)
	disks.Unlock()
	return function[closeFunc](f.below.FxClose)(tls, file)
}

// image is what files hold, by base name.
type image map[string][]byte

func (m image) apply(o *diskOp) {
	b := m[o.file]
	switch o.kind {
	case opWrite:
		if end := int(o.offset) + len(o.data); end > len(b) {
			b = append(b, make([]byte, end-len(b))...)
		}
		copy(b[o.offset:], o.data)
	case opTruncate:
		b = b[:min(int64(len(b)), o.offset)]
	case opDelete:
		delete(m, o.file)
		return
	default:
		return
	}
	m[o.file] = b
}

func (m image) clone() image {
	c := make(image, len(m))
	for name, b := range m {
		c[name] = bytes.Clone(b)
	}
	return c
}

// write makes the files in a directory.
func (m image) write(t testing.TB, dir string) {
	t.Helper()
	for name, b := range m {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
}

package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

// Run checks that a store does what [serial.Store] says. start prepares an empty data set for one test and gives a
// function that opens a store on it. It is called again for a second store on the same data, while the first is open and
// after it was closed. A store that has a Close method is closed by the test.
func Run(t *testing.T, start func(t *testing.T) (open func() serial.Store)) {
	for _, c := range []struct {
		name string
		test func(*testing.T, func() serial.Store)
	}{
		{"empty", testEmpty},
		{"round trip and reopen", testRoundTrip},
		{"times", testTimes},
		{"one reservation holds a key", testAttempts},
		{"a panic in a walk", testPanic},
		{"snapshot follows keys and numbers", testClosure},
		{"refused batches leave nothing", testRefused},
		{"an error of read comes back", testReadError},
		{"an error of decide rolls back", testDecideError},
		{"order of walks", testOrder},
		{"many rows in one transaction", testMany},
		{"updates are serialisable", testSerialisable},
		{"a scan sees one moment", testMoment},
		{"contexts", testContext},
		{"closed", testClosed},
		{"idempotency race", testRace},
		{"leases of two ledgers", testLeases},
		{"fencing", testFencing},
		{"numbers and answers outlive a reopen", testReopen},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, start(t)) })
	}
}

func closeStore(t *testing.T, s serial.Store) {
	if c, ok := s.(io.Closer); ok {
		require.NoError(t, c.Close())
	}
}

func opened(t *testing.T, open func() serial.Store) serial.Store {
	s := open()
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

// Scheme gives a scheme with a fixed key for tests: series 1ZK, key bytes 0, 1, ... 31.
func Scheme(t testing.TB) *serial.Scheme {
	t.Helper()
	var key [32]byte
	for i := range key {
		key[i] = byte(i)
	}
	s, err := serial.NewScheme('1', "ZK", key)
	require.NoError(t, err)
	return s
}

func ledger(t *testing.T, store serial.Store) *serial.Ledger {
	t.Helper()
	l, err := serial.Open(t.Context(), store, &serial.Options{Scheme: Scheme(t), Block: 64})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func request(account, key string) serial.Request {
	return serial.Request{Account: account, Key: []byte(key), Digest: [32]byte{1}, Length: 5, Value: 10000, Kind: "3", Placement: "1:36,36", Profile: "b-b"}
}

var instant = time.UnixMicro(1725436800123456).UTC()

// credited gives a batch that is the n-th purchase of one unit by an account.
func credited(a serial.Account, name string) (serial.Account, serial.Entry) {
	e := serial.Entry{Account: name, Sequence: a.Sequence + 1, Kind: serial.KindPurchase, Units: 1, Key: fmt.Append([]byte{0, 0xff}, a.Sequence), Time: instant}
	e.Hash = e.Chain(a.Head)
	a.Name, a.Sequence, a.Head, a.Time = name, e.Sequence, e.Hash, e.Time
	a.Purchased++
	a.Available++
	return a, e
}

// rows is a batch with each field of each row set.
func rows(t *testing.T) *serial.Batch {
	n, err := Scheme(t).Number(7)
	require.NoError(t, err)
	id := Scheme(t).Series()
	a := serial.Account{Name: "a", Sequence: 2, Head: [32]byte{9}, Time: instant, Balance: serial.Balance{Purchased: 10, Granted: 20,
		TransferredIn: 30, Postpaid: 40, Available: 11, Reserved: 12, Stamped: 13, Refunded: 14, TransferredOut: 50, Limit: 60}}
	r := serial.Reservation{Number: n, Account: "a", State: serial.Signing, Time: instant.Truncate(time.Second), Reserved: instant,
		Request: request("a", "k\x00\xff")}
	return &serial.Batch{
		Entries: []serial.Entry{
			{Account: "a", Sequence: 1, Kind: serial.KindTransferIn, Units: 30, Key: []byte{0}, Peer: "b é", Time: instant, Hash: [32]byte{8}},
			{Account: "a", Sequence: 2, Kind: serial.KindOrphan, Number: n, Digest: [32]byte{3}, Length: 99, Note: "why", Paid: instant.Add(-time.Hour), Time: instant, Hash: [32]byte{9}},
		},
		Accounts:     []serial.Account{a},
		Reservations: []serial.Reservation{r},
		Keys: []serial.Key{
			{ID: serial.KeyID{Account: "a", Op: serial.OpRedeem, Key: "k\x00\xff"}, Number: n, Sequence: 1, Units: 1, Time: instant},
			{ID: serial.KeyID{Account: "a", Op: serial.OpTransfer, Key: "k\x00\xff"}, Sequence: 2, Units: 7, Peer: "b", Time: instant},
		},
		Series: &serial.Series{ID: id, Mark: serial.MaxCounter, Term: 3, Fence: 2, Time: instant},
		Lease:  &serial.Lease{Series: id, Term: 3, Holder: "h", First: 5, Last: serial.MaxCounter, Time: instant},
	}
}

func write(t *testing.T, s serial.Store, b *serial.Batch) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), &serial.Query{}, func(*serial.Snapshot) (*serial.Batch, error) { return b, nil }))
}

func everything(b *serial.Batch) *serial.Query {
	q := &serial.Query{Accounts: []string{"a", "nobody"}}
	for _, k := range b.Keys {
		q.Keys = append(q.Keys, k.ID)
	}
	for _, r := range b.Reservations {
		q.Numbers = append(q.Numbers, r.Number)
	}
	if b.Series != nil {
		q.Series = b.Series.ID
	}
	return q
}

func requireRows(t *testing.T, s serial.Store, b *serial.Batch) {
	t.Helper()
	snap, err := s.View(t.Context(), everything(b))
	require.NoError(t, err)
	require.Len(t, snap.Accounts, 1)
	require.Equal(t, b.Accounts[0], snap.Accounts["a"])
	require.Len(t, snap.Keys, len(b.Keys))
	for _, k := range b.Keys {
		require.Equal(t, k, snap.Keys[k.ID])
	}
	require.Len(t, snap.Reservations, 1)
	require.Equal(t, b.Reservations[0], snap.Reservations[b.Reservations[0].Number])
	require.Equal(t, *b.Series, snap.Series)
	require.Equal(t, b.Entries, entries(t, s, "", 0))
	require.NoError(t, s.Scan(t.Context(), func(r serial.Reader) error {
		require.ElementsMatch(t, b.Keys, all(t, r.Keys(t.Context())))
		require.Equal(t, []serial.Series{*b.Series}, all(t, r.Series(t.Context())))
		require.Equal(t, []serial.Lease{*b.Lease}, all(t, r.Leases(t.Context())))
		return nil
	}))
}

func all[T any](t *testing.T, walk iter.Seq2[T, error]) (list []T) {
	t.Helper()
	for v, err := range walk {
		require.NoError(t, err)
		list = append(list, v)
	}
	return list
}

func entries(t *testing.T, s serial.Store, account string, after int64) []serial.Entry {
	t.Helper()
	var out []serial.Entry
	require.NoError(t, s.Scan(t.Context(), func(r serial.Reader) error {
		for e, err := range r.Entries(t.Context(), account, after) {
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return nil
	}))
	return out
}

func testEmpty(t *testing.T, open func() serial.Store) {
	s := opened(t, open)
	snap, err := s.View(t.Context(), everything(rows(t)))
	require.NoError(t, err)
	require.Empty(t, snap.Accounts)
	require.Empty(t, snap.Keys)
	require.Empty(t, snap.Reservations)
	require.Zero(t, snap.Series.Term)
	require.NotNil(t, snap.Accounts)
	require.NotNil(t, snap.Keys)
	require.NotNil(t, snap.Reservations)
	require.Empty(t, entries(t, s, "", 0))
	write(t, s, nil)
	write(t, s, &serial.Batch{})
}

func testRoundTrip(t *testing.T, open func() serial.Store) {
	b := rows(t)
	s := open()
	write(t, s, b)
	requireRows(t, s, b)

	r := &b.Reservations[0]
	r.State, r.Resolved, r.Output = serial.Stamped, instant, serial.Output{Digest: [32]byte{7}, Length: 1 << 39}
	write(t, s, &serial.Batch{Reservations: b.Reservations})
	requireRows(t, s, b)

	closeStore(t, s)
	requireRows(t, opened(t, open), b)
}

func testClosure(t *testing.T, open func() serial.Store) {
	s := opened(t, open)
	b := rows(t)
	write(t, s, b)
	n := b.Reservations[0].Number
	for name, q := range map[string]*serial.Query{
		"key":    {Keys: []serial.KeyID{b.Keys[0].ID}},
		"number": {Numbers: []serial.Number{n}},
	} {
		snap, err := s.View(t.Context(), q)
		require.NoError(t, err, name)
		require.Contains(t, snap.Reservations, n, name)
		require.Contains(t, snap.Accounts, "a", name)
		err = s.Update(t.Context(), q, func(snap *serial.Snapshot) (*serial.Batch, error) {
			require.Contains(t, snap.Reservations, n, name)
			require.Contains(t, snap.Accounts, "a", name)
			return nil, nil
		})
		require.NoError(t, err, name)
	}
}

func testRefused(t *testing.T, open func() serial.Store) {
	s := opened(t, open)
	b := rows(t)
	r := &b.Reservations[0]
	r.State, r.Resolved, r.Output = serial.Stamped, instant, serial.Output{Digest: [32]byte{7}, Length: 1}
	write(t, s, b)

	back := *r
	back.State = serial.Signing
	void := *r
	void.State = serial.Void
	stranger := *r
	stranger.Account = "b"
	series := *b.Series
	series.Mark--
	unbalanced := b.Accounts[0]
	unbalanced.Sequence++
	unbalanced.Available++
	negative := b.Accounts[0]
	negative.Sequence++
	negative.Available, negative.Stamped = -1, negative.Stamped+negative.Available+1
	for name, bad := range map[string]*serial.Batch{
		"entry twice":            {Entries: slices.Clone(b.Entries[:1])},
		"key twice":              {Keys: b.Keys[1:]},
		"final state goes back":  {Reservations: []serial.Reservation{back}},
		"final state changes":    {Reservations: []serial.Reservation{void}},
		"number changes account": {Reservations: []serial.Reservation{stranger}},
		"mark goes back":         {Series: &series},
		"lease twice":            {Lease: b.Lease},
		"units from nowhere":     {Accounts: []serial.Account{unbalanced}},
		"negative balance":       {Accounts: []serial.Account{negative}},
	} {
		require.Error(t, refused(t, s, &serial.Query{}, bad, name), name)
		requireRows(t, s, b)
	}
	// These are told from a store that failed, whether the transaction has read the reservation or not.
	for name, bad := range badKeys(t, s) {
		var ce *serial.CorruptError
		require.ErrorAs(t, refused(t, s, &serial.Query{}, bad, name), &ce, name)
		require.ErrorAs(t, refused(t, s, &serial.Query{Numbers: []serial.Number{bad.Keys[0].Number}}, bad, name), &ce, name)
		requireRows(t, s, b)
	}
}

// refused gives the error of a batch that must not be written. The bad row comes with good ones, which must not stay.
func refused(t *testing.T, s serial.Store, q *serial.Query, bad *serial.Batch, name string) error {
	t.Helper()
	all := *bad
	other, e := credited(serial.Account{}, "other")
	all.Entries = append(slices.Clone(bad.Entries), e)
	all.Accounts = append(slices.Clone(bad.Accounts), other)
	err := s.Update(t.Context(), q, func(*serial.Snapshot) (*serial.Batch, error) { return &all, nil })
	require.NotErrorIs(t, err, serial.ErrUnknownOutcome, name)
	snap, viewErr := s.View(t.Context(), &serial.Query{Accounts: []string{"other"}})
	require.NoError(t, viewErr, name)
	require.Empty(t, snap.Accounts, name)
	return err
}

// badKeys writes a reservation to which no key leads, and gives batches with a key of OpRedeem that is not its
// reservation's, or does not come with it.
func badKeys(t *testing.T, s serial.Store) map[string]*serial.Batch {
	made := func(counter uint64, key string) (serial.Reservation, serial.Key) {
		n, err := Scheme(t).Number(counter)
		require.NoError(t, err)
		r := serial.Reservation{Number: n, Account: "a", State: serial.Reserved, Reserved: instant, Request: request("a", key)}
		return r, serial.Key{ID: attempt(&r), Number: n, Sequence: 3, Units: 1, Time: instant}
	}
	old, late := made(100, "old")
	write(t, s, &serial.Batch{Reservations: []serial.Reservation{old}})
	signing := old
	signing.State, signing.Time = serial.Signing, instant.Truncate(time.Second)
	r, k := made(101, "new")
	other, _ := made(102, "other")
	bad := map[string]*serial.Batch{
		"a key later":                     {Keys: []serial.Key{late}},
		"a key later, with the same row":  {Reservations: []serial.Reservation{old}, Keys: []serial.Key{late}},
		"a key later, with a new state":   {Reservations: []serial.Reservation{signing}, Keys: []serial.Key{late}},
		"a key alone":                     {Keys: []serial.Key{k}},
		"a key with another reservation":  {Reservations: []serial.Reservation{other}, Keys: []serial.Key{k}},
		"two keys with their reservation": {Reservations: []serial.Reservation{r}, Keys: []serial.Key{k, k}},
	}
	for name, change := range map[string]func(*serial.Key){
		"account":  func(k *serial.Key) { k.ID.Account = "b" },
		"key":      func(k *serial.Key) { k.ID.Key = "old" },
		"units":    func(k *serial.Key) { k.Units = 2 },
		"peer":     func(k *serial.Key) { k.Peer = "b" },
		"time":     func(k *serial.Key) { k.Time = k.Time.Add(time.Microsecond) },
		"sequence": func(k *serial.Key) { k.Sequence = 0 },
	} {
		wrong := k
		change(&wrong)
		bad["a key with another "+name] = &serial.Batch{Reservations: []serial.Reservation{r}, Keys: []serial.Key{wrong}}
	}
	return bad
}

// testReadError: what read returns, Scan returns, perhaps wrapped; read is called once, and the store goes on.
func testReadError(t *testing.T, open func() serial.Store) {
	s := opened(t, open)
	write(t, s, rows(t))
	for _, mine := range []error{errors.New("mine"), context.Canceled, io.ErrUnexpectedEOF, serial.ErrUnknownOutcome} {
		calls := 0
		err := s.Scan(t.Context(), func(r serial.Reader) error {
			calls++
			for _, err := range r.Entries(t.Context(), "", 0) {
				require.NoError(t, err)
				break
			}
			return fmt.Errorf("read: %w", mine)
		})
		require.ErrorIs(t, err, mine)
		require.ErrorContains(t, err, "read: ")
		require.Equal(t, 1, calls)
	}
	requireRows(t, s, rows(t))
}

func testDecideError(t *testing.T, open func() serial.Store) {
	s := opened(t, open)
	mine := errors.New("mine")
	err := s.Update(t.Context(), &serial.Query{}, func(*serial.Snapshot) (*serial.Batch, error) { return rows(t), mine })
	require.ErrorIs(t, err, mine)
	require.Empty(t, entries(t, s, "", 0))
	write(t, s, rows(t))
}

func testOrder(t *testing.T, open func() serial.Store) {
	s := opened(t, open)
	names := []string{"a", "é", "B", "a b", "ab", "a-b", "10", "9"}
	want := []string{"10", "9", "B", "a", "a b", "a-b", "ab", "é"}
	for _, name := range names {
		a1, e1 := credited(serial.Account{}, name)
		a2, e2 := credited(a1, name)
		a3, e3 := credited(a2, name)
		write(t, s, &serial.Batch{Entries: []serial.Entry{e1, e2, e3}, Accounts: []serial.Account{a3}})
	}
	scheme := Scheme(t)
	for i := range 40 {
		n, err := scheme.Number(uint64(i))
		require.NoError(t, err)
		state := serial.State(1 + i%5)
		r := serial.Reservation{Number: n, Account: "a", State: state, Reserved: instant, Request: request("a", fmt.Sprint(i))}
		if state == serial.Stamped {
			r.Output = serial.Output{Digest: [32]byte{1}, Length: 1}
		}
		write(t, s, &serial.Batch{Reservations: []serial.Reservation{r}})
	}
	require.Len(t, entries(t, s, "ab", 1), 2)
	require.Len(t, entries(t, s, "ab", 9), 0)
	require.Len(t, entries(t, s, "unknown", 0), 0)
	for i, e := range entries(t, s, "", 0) {
		require.Equal(t, want[i/3], e.Account)
		require.Equal(t, int64(i%3+1), e.Sequence)
	}
	require.NoError(t, s.Scan(t.Context(), func(r serial.Reader) error {
		i := 0
		for a, err := range r.Accounts(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, want[i], a.Name)
			i++
		}
		require.Equal(t, len(want), i)
		for unresolved, count := range map[bool]int{false: 40, true: 16} {
			last, i := "", 0
			for v, err := range r.Reservations(t.Context(), unresolved) {
				require.NoError(t, err)
				require.Less(t, last, v.Number.String())
				require.False(t, unresolved && v.State.Final())
				last = v.Number.String()
				i++
			}
			require.Equal(t, count, i)
		}
		for range r.Accounts(t.Context()) {
			break // a walk may end early, and another begin
		}
		for _, err := range r.Entries(t.Context(), "a", 0) {
			require.NoError(t, err)
		}
		return nil
	}))
}

func testMany(t *testing.T, open func() serial.Store) {
	s := opened(t, open)
	scheme := Scheme(t)
	const n = 1237
	b := &serial.Batch{}
	q := &serial.Query{}
	for i := range n {
		name := fmt.Sprintf("account %d", i)
		a, e := credited(serial.Account{}, name)
		num, err := scheme.Number(uint64(i))
		require.NoError(t, err)
		k := serial.Key{ID: serial.KeyID{Account: name, Op: serial.OpRedeem, Key: "k"}, Number: num, Sequence: 1, Units: 1, Time: instant}
		b.Accounts, b.Entries, b.Keys = append(b.Accounts, a), append(b.Entries, e), append(b.Keys, k)
		b.Reservations = append(b.Reservations, serial.Reservation{Number: num, Account: name, State: serial.Reserved, Reserved: instant, Request: request(name, "k")})
		q.Accounts, q.Keys, q.Numbers = append(q.Accounts, name), append(q.Keys, k.ID), append(q.Numbers, num)
	}
	write(t, s, b)
	for _, q := range []*serial.Query{q, {Keys: q.Keys}} {
		snap, err := s.View(t.Context(), q)
		require.NoError(t, err)
		require.Len(t, snap.Accounts, n)
		require.Len(t, snap.Keys, n)
		require.Len(t, snap.Reservations, n)
		require.Equal(t, b.Reservations[n-1], snap.Reservations[b.Reservations[n-1].Number])
	}
}

func testSerialisable(t *testing.T, open func() serial.Store) {
	stores := []serial.Store{opened(t, open), opened(t, open)}
	const callers, each = 8, 25
	var wg sync.WaitGroup
	var failed atomic.Value
	for g := range callers {
		wg.Go(func() {
			for range each {
				err := stores[g%2].Update(t.Context(), &serial.Query{Accounts: []string{"hot"}}, func(snap *serial.Snapshot) (*serial.Batch, error) {
					a, e := credited(snap.Accounts["hot"], "hot")
					k := serial.Key{ID: serial.KeyID{Account: "hot", Op: serial.OpCredit, Key: string(e.Key)}, Sequence: e.Sequence, Units: 1, Time: e.Time}
					return &serial.Batch{Entries: []serial.Entry{e}, Accounts: []serial.Account{a}, Keys: []serial.Key{k}}, nil
				})
				if err != nil {
					failed.Store(err)
				}
			}
		})
	}
	wg.Wait()
	require.Nil(t, failed.Load())
	snap, err := stores[0].View(t.Context(), &serial.Query{Accounts: []string{"hot"}})
	require.NoError(t, err)
	require.Equal(t, int64(callers*each), snap.Accounts["hot"].Available)
	report, err := serial.Audit(t.Context(), stores[1])
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.Equal(t, int64(callers*each), report.Entries)
}

func testMoment(t *testing.T, open func() serial.Store) {
	s := opened(t, open)
	a, e := credited(serial.Account{}, "a")
	write(t, s, &serial.Batch{Entries: []serial.Entry{e}, Accounts: []serial.Account{a}})
	count := func(r serial.Reader) (n int) {
		for _, err := range r.Entries(t.Context(), "", 0) {
			require.NoError(t, err)
			n++
		}
		return n
	}
	require.NoError(t, s.Scan(t.Context(), func(r serial.Reader) error {
		require.Equal(t, 1, count(r))
		a, e := credited(a, "a")
		write(t, s, &serial.Batch{Entries: []serial.Entry{e}, Accounts: []serial.Account{a}})
		require.Equal(t, 1, count(r))
		return nil
	}))
	require.Len(t, entries(t, s, "a", 0), 2)
}

func testContext(t *testing.T, open func() serial.Store) {
	s := opened(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.View(ctx, &serial.Query{Accounts: []string{"a"}})
	require.ErrorIs(t, err, context.Canceled)
	err = s.Update(ctx, &serial.Query{}, func(*serial.Snapshot) (*serial.Batch, error) { return rows(t), nil })
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, serial.ErrUnknownOutcome)
	require.Empty(t, entries(t, s, "", 0))

	ctx, cancel = context.WithCancel(t.Context())
	require.NoError(t, s.Update(ctx, &serial.Query{}, func(*serial.Snapshot) (*serial.Batch, error) {
		cancel() // too late to matter, or it must not have happened
		return rows(t), nil
	}), "a transaction under way is finished")
	requireRows(t, s, rows(t))
}

func testClosed(t *testing.T, open func() serial.Store) {
	s := open()
	c, ok := s.(io.Closer)
	if !ok {
		t.Log("this store has no Close")
		return
	}
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	_, err := s.View(t.Context(), &serial.Query{})
	require.ErrorIs(t, err, serial.ErrClosed)
	require.ErrorIs(t, s.Update(t.Context(), &serial.Query{}, func(*serial.Snapshot) (*serial.Batch, error) { return nil, nil }), serial.ErrClosed)
	require.ErrorIs(t, s.Scan(t.Context(), func(serial.Reader) error { return nil }), serial.ErrClosed)
}

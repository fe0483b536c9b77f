package postgres

import (
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/seed-574216e4/meterai/serial"
)

// The statements that read by name find each row through an index; see plans.

// lockAccounts locks in the byte order of the names.
const lockAccounts = "SELECT " + accountColumns + ` FROM accounts WHERE account = ANY($1::text[]) ORDER BY account FOR UPDATE`

// lockAccountsOf takes the names given and those of the reservations given.
const lockAccountsOf = "SELECT " + accountColumns + ` FROM accounts WHERE account = ANY(
		$1::text[] || ARRAY(SELECT account::text FROM reservations WHERE number = ANY($2::bytea[]))) ORDER BY account FOR UPDATE`

const selectAccounts = "SELECT " + accountColumns + ` FROM accounts WHERE account = ANY($1::text[])`

const selectKeys = `SELECT k.account, k.operation, k.key, k.sequence, k.units, k.peer, k.time
	FROM unnest($1::text[], $2::smallint[], $3::bytea[]) AS n(account, operation, key)
	JOIN keys k ON k.account = n.account AND k.operation = n.operation AND k.key = n.key`

const selectReservations = "SELECT " + reservationColumns + " FROM reservations WHERE number = ANY($1::bytea[])"

// selectAttempts gives the newest reservation of each key.
const selectAttempts = `SELECT r.* FROM unnest($1::text[], $2::bytea[]) AS n(account, key)
	CROSS JOIN LATERAL (SELECT ` + reservationColumns + ` FROM reservations
		WHERE account = n.account AND key = n.key AND attempt > 0 ORDER BY attempt DESC LIMIT 1) r`

const selectSeries = `SELECT coalesce(s.mark, m.floor), coalesce(s.term, 0), coalesce(f.fence, 0), s.time
	FROM meta m LEFT JOIN series s ON s.series = $1 LEFT JOIN fences f ON f.series = $1`

// holdFence keeps the fence where it is until the transaction ends. A series without a lease has none.
const holdFence = `SELECT fence FROM fences WHERE series = $1 FOR SHARE`

// makeSeries and lockSeries are for a transaction about a series alone: a lease or a fence.
const (
	makeSeries = `INSERT INTO series (series, mark, term, time) SELECT $1::text, floor, 0, NULL FROM meta ON CONFLICT (series) DO NOTHING`
	lockSeries = `SELECT mark FROM series WHERE series = $1 FOR UPDATE`
)

const makePlaceholders = "INSERT INTO accounts (" + accountColumns + `)
	SELECT n.account, 0, $2::bytea, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM unnest($1::text[]) AS n(account)
	ON CONFLICT (account) DO NOTHING`

const removePlaceholders = `DELETE FROM accounts WHERE account = ANY($1::text[]) AND sequence = 0`

// names is a query in the form that statements take.
type names struct {
	accounts []string // sorted, with those of the keys
	numbers  []serial.Number
	strange  []serial.Number // those of the numbers whose accounts are not known
	redeems  []serial.KeyID
	keys     []serial.KeyID // of other operations
	series   serial.SeriesID
}

// namesOf takes a query. home gives the account of a number, "" if it does not know.
func namesOf(q *serial.Query, home func(serial.Number) string) *names {
	n := &names{accounts: make([]string, 0, len(q.Accounts)+len(q.Keys)+len(q.Numbers)), numbers: q.Numbers, series: q.Series}
	n.accounts = append(n.accounts, q.Accounts...)
	for _, k := range q.Keys {
		n.accounts = append(n.accounts, k.Account)
		if k.Op == serial.OpRedeem {
			n.redeems = append(n.redeems, k)
		} else {
			n.keys = append(n.keys, k)
		}
	}
	for _, v := range q.Numbers {
		if account := home(v); account != "" {
			n.accounts = append(n.accounts, account)
		} else {
			n.strange = append(n.strange, v)
		}
	}
	slices.Sort(n.accounts)
	n.accounts = slices.Compact(n.accounts)
	return n
}

// seriesAlone reports whether the query is about nothing but a series.
func (n *names) seriesAlone() bool {
	return n.series != (serial.SeriesID{}) && len(n.accounts) == 0 && len(n.numbers) == 0
}

func newSnapshot(q *serial.Query) *serial.Snapshot {
	return &serial.Snapshot{
		Accounts:     make(map[string]serial.Account, len(q.Accounts)),
		Keys:         make(map[serial.KeyID]serial.Key, len(q.Keys)),
		Reservations: make(map[serial.Number]serial.Reservation, len(q.Numbers)),
	}
}

func accountOf(k *serial.KeyID) string { return k.Account }

func bytesOf(k *serial.KeyID) string { return k.Key }

// queueKeys reads the keys and the reservations that those of OpRedeem lead to.
func (n *names) queueKeys(b *pgx.Batch, snap *serial.Snapshot, found func(*stored)) {
	if len(n.keys) > 0 {
		operation := smallints(nil, n.keys, func(k *serial.KeyID) uint8 { return uint8(k.Op) })
		b.Queue(selectKeys, texts(nil, n.keys, accountOf), operation, keys(nil, n.keys, bytesOf)).Query(func(rows pgx.Rows) error {
			return each(rows, func() error {
				k, err := scanKey(rows)
				snap.Keys[k.ID] = k
				return err
			})
		})
	}
	if len(n.redeems) > 0 {
		b.Queue(selectAttempts, texts(nil, n.redeems, accountOf), keys(nil, n.redeems, bytesOf)).Query(func(rows pgx.Rows) error {
			return each(rows, func() error {
				s, err := scanStored(rows)
				if err != nil || s.sequence == 0 {
					return err
				}
				k := s.key()
				snap.Keys[k.ID] = k
				found(&s)
				return nil
			})
		})
	}
}

func (n *names) queueReservations(b *pgx.Batch, found func(*stored)) {
	if len(n.numbers) == 0 {
		return
	}
	b.Queue(selectReservations, numbers(nil, n.numbers, itself)).Query(func(rows pgx.Rows) error {
		return each(rows, func() error {
			s, err := scanStored(rows)
			if err == nil {
				found(&s)
			}
			return err
		})
	})
}

func (n *names) queueSeries(b *pgx.Batch, snap *serial.Snapshot) {
	if n.series == (serial.SeriesID{}) {
		return
	}
	snap.Series.ID = n.series
	b.Queue(selectSeries, n.series.String()).Query(func(rows pgx.Rows) error {
		return each(rows, func() error { return scanSeries(rows, &snap.Series) })
	})
}

// strangers are the accounts of reservations that are not among the names.
func (n *names) strangers(snap *serial.Snapshot, has func(string) bool) []string {
	var out []string
	for _, r := range snap.Reservations {
		if !has(r.Account) {
			out = append(out, r.Account)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

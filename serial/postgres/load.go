package postgres

import (
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/seed-574216e4/meterai/serial"
)

// The statements that read by name look up one row for each name, in the order of the names: that keeps the order of the
// locks, and PostgreSQL on the index also where it has no statistics yet.

// lockAccounts takes the names given and those of the reservations given.
const lockAccounts = `SELECT a.* FROM (
		SELECT DISTINCT n.account FROM (
			SELECT unnest($1::text[]) COLLATE "C" AS account UNION ALL
			SELECT r.account FROM unnest($2::bytea[]) AS q(number)
			CROSS JOIN LATERAL (SELECT account FROM reservations WHERE number = q.number LIMIT 1) r
		) n ORDER BY n.account
	) w CROSS JOIN LATERAL (SELECT ` + accountColumns + ` FROM accounts WHERE account = w.account LIMIT 1 FOR UPDATE) a`

const selectAccounts = `SELECT a.* FROM unnest($1::text[]) AS q(account)
	CROSS JOIN LATERAL (SELECT ` + accountColumns + ` FROM accounts WHERE account = q.account LIMIT 1) a`

const selectKeys = `SELECT k.* FROM unnest($1::text[], $2::smallint[], $3::bytea[]) AS q(account, operation, key)
	CROSS JOIN LATERAL (SELECT ` + keyColumns + ` FROM keys
		WHERE account = q.account AND operation = q.operation AND key = q.key LIMIT 1) k`

// selectReservations takes the numbers given and those that the keys given point to.
const selectReservations = `SELECT r.* FROM (
		SELECT unnest($1::bytea[]) AS number UNION
		SELECT k.number FROM unnest($2::text[], $3::smallint[], $4::bytea[]) AS q(account, operation, key)
		CROSS JOIN LATERAL (SELECT number FROM keys
			WHERE account = q.account AND operation = q.operation AND key = q.key AND number IS NOT NULL LIMIT 1) k
	) n CROSS JOIN LATERAL (SELECT ` + reservationColumns + ` FROM reservations WHERE number = n.number LIMIT 1) r`

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
	numbers  [][]byte
	keys     []any // three columns
	series   serial.SeriesID
}

func namesOf(q *serial.Query) *names {
	n := &names{accounts: slices.Clone(q.Accounts), series: q.Series}
	for _, k := range q.Keys {
		n.accounts = append(n.accounts, k.Account)
	}
	slices.Sort(n.accounts)
	n.accounts = slices.Compact(n.accounts)
	n.numbers = column(q.Numbers, func(v *serial.Number) []byte { return blob(*v) })
	if len(q.Keys) > 0 {
		n.keys = []any{
			column(q.Keys, func(k *serial.KeyID) string { return k.Account }),
			column(q.Keys, func(k *serial.KeyID) int16 { return int16(k.Op) }),
			column(q.Keys, func(k *serial.KeyID) []byte { return []byte(k.Key) }),
		}
	}
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

func (n *names) queueKeys(b *pgx.Batch, snap *serial.Snapshot) {
	if n.keys == nil {
		return
	}
	b.Queue(selectKeys, n.keys...).Query(func(rows pgx.Rows) error {
		return each(rows, func() error {
			k, err := scanKey(rows)
			snap.Keys[k.ID] = k
			return err
		})
	})
}

func (n *names) queueReservations(b *pgx.Batch, snap *serial.Snapshot) {
	if n.keys == nil && len(n.numbers) == 0 {
		return
	}
	keys := n.keys
	if keys == nil {
		keys = []any{[]string{}, []int16{}, [][]byte{}}
	}
	b.Queue(selectReservations, append([]any{n.numbers}, keys...)...).Query(func(rows pgx.Rows) error {
		return each(rows, func() error {
			r, err := scanReservation(rows)
			snap.Reservations[r.Number] = r
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

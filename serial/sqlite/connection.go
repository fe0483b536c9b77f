package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seed-574216e4/meterai/serial"
)

// connection is one connection to the file, with its prepared statements. It is for one goroutine at a time. It stands on
// the driver itself and not on database/sql, whose conversions cost more than the statements here.
type connection struct {
	conn  driver.Conn
	stmts map[string]statement
	args  arguments // reused
	// rowids of the reservations that the transaction has read.
	rowids map[serial.Number]int64
	// leased says that the last update changed a series: the witness must know before it is relied upon.
	leased bool
}

// statement is what the driver's prepared statements are.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

var errOldDriver = errors.New("the database driver lacks what this package needs")

// arguments are the parameters of a statement, in order.
type arguments []driver.NamedValue

func (a *arguments) integer(v int64) { a.add(v) }

// text and blob are NULL when they are empty.
func (a *arguments) text(v string) {
	if v == "" {
		a.add(nil)
		return
	}
	a.add(v)
}

func (a *arguments) blob(v []byte) {
	if len(v) == 0 {
		a.add(nil)
		return
	}
	a.add(v)
}

func (a *arguments) add(v driver.Value) {
	*a = append(*a, driver.NamedValue{Ordinal: len(*a) + 1, Value: v})
}

func (s *Store) newConnection(ctx context.Context) (*connection, error) {
	conn, err := s.connector.Connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("open ledger database: %w", err)
	}
	return &connection{conn: conn, stmts: make(map[string]statement), rowids: make(map[serial.Number]int64)}, nil
}

// close ends a connection, in whatever state it is: the database decides by itself what of its transaction is durable.
func (c *connection) close() {
	for _, s := range c.stmts {
		_ = s.Close() // before the connection, or the driver works on freed memory
	}
	clear(c.stmts)
	_ = c.conn.Close()
}

func (c *connection) stmt(query string) (statement, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	p, err := c.conn.Prepare(query)
	if err != nil {
		return nil, err
	}
	s, ok := p.(statement)
	if !ok {
		return nil, errors.Join(errOldDriver, p.Close())
	}
	c.stmts[query] = s
	return s, nil
}

// exec runs one statement with int64, string, []byte or nil as arguments.
func (c *connection) exec(ctx context.Context, query string, args ...driver.Value) error {
	c.args = c.args[:0]
	for _, v := range args {
		c.args.add(v)
	}
	_, err := c.run(ctx, query)
	return err
}

// run runs one statement with c.args and says how many rows it changed.
func (c *connection) run(ctx context.Context, query string) (int64, error) {
	s, err := c.stmt(query)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(ctx, c.args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// script runs several statements, once.
func (c *connection) script(ctx context.Context, statements string) error {
	e, ok := c.conn.(driver.ExecerContext)
	if !ok {
		return errOldDriver
	}
	_, err := e.ExecContext(ctx, statements, nil)
	return err
}

// query runs a statement and gives each row to scan.
func (c *connection) query(ctx context.Context, query string, args arguments, scan func(*row) error) (err error) {
	s, err := c.stmt(query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	r := row{values: make([]driver.Value, len(rows.Columns()))}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := rows.Next(r.values); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		r.next = 0
		if err := scan(&r); err != nil {
			return err
		}
	}
}

// row is one row of an answer. Its columns are taken one after the other; err is of the first that has another type than
// the one asked for, as only a damaged or changed file has.
type row struct {
	values []driver.Value
	next   int
	err    error
}

func take[T any](r *row) (v T) {
	if r.next >= len(r.values) {
		r.err = errors.Join(r.err, &serial.CorruptError{Reason: "a row of the database is too short"})
		return v
	}
	value := r.values[r.next]
	r.next++
	if value == nil {
		return v
	}
	v, ok := value.(T)
	if !ok && r.err == nil {
		r.err = &serial.CorruptError{Reason: fmt.Sprintf("column %d of a row of the database is a %T", r.next, value)}
	}
	return v
}

// These give the zero value for NULL.
func (r *row) integer() int64 { return take[int64](r) }
func (r *row) text() string   { return take[string](r) }
func (r *row) blob() []byte   { return take[[]byte](r) }

// null reports whether the next column is NULL.
func (r *row) null() bool { return r.next < len(r.values) && r.values[r.next] == nil }

// writing gives a statement that inserts one row. A constraint that fails ends the statement and not the transaction (OR
// FAIL), which ends with the connection anyway.
func writing(table string, columns int, tail string) string {
	return "INSERT OR FAIL INTO " + table + " VALUES (" + strings.Repeat("?,", columns-1) + "?)" + tail
}

// insert writes n rows; bind adds the columns of row i. Every row must have an effect. Many rows in one statement would not
// be faster: the driver's time to bind grows with the square of the number of parameters, and the database would copy each
// page before it changes it, so that it could undo the statement alone.
func (c *connection) insert(ctx context.Context, statement string, n int, bind func(i int, a *arguments)) error {
	for i := range n {
		c.args = c.args[:0]
		bind(i, &c.args)
		done, err := c.run(ctx, statement)
		if err == nil && done != 1 {
			err = fmt.Errorf("row refused by the database: %.40s", statement)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// groups are the numbers of names that one statement looks up. A few fixed ones keep the prepared statements few.
var groups = [...]int{16, 4, 1}

// lookup is a statement that reads by names, with its text for each size of group. It has the names as table v with the
// columns column1, column2 and so on.
type lookup [len(groups)]string

func finding(what string, columns int, where string) (l lookup) {
	row := "(" + strings.Repeat("?,", columns-1) + "?)"
	for i, n := range groups {
		l[i] = "SELECT " + what + " FROM (VALUES " + strings.Repeat(row+",", n-1) + row + ") v CROSS JOIN " + where
	}
	return l
}

// find reads by n names; bind adds the columns of name i.
func (c *connection) find(ctx context.Context, l *lookup, n int, bind func(i int, a *arguments), scan func(*row) error) error {
	from := 0
	for i, size := range groups {
		for ; n-from >= size; from += size {
			c.args = c.args[:0]
			for k := range size {
				bind(from+k, &c.args)
			}
			if err := c.query(ctx, l[i], c.args, scan); err != nil {
				return err
			}
		}
	}
	return nil
}

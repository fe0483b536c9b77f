package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
)

// connection is one connection to the file, with its prepared statements. It is for one goroutine at a time.
type connection struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	args  []any // reused
	// leased says that the last update changed a series: the witness must know before it is relied upon.
	leased bool
}

func (s *Store) newConnection(ctx context.Context) (*connection, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open ledger database: %w", err)
	}
	return &connection{conn: conn, stmts: make(map[string]*sql.Stmt)}, nil
}

// close gives the connection back, drop makes sure that it is never used again. A connection whose state is not known is
// dropped; the database decides by itself what of its transaction is durable.
func (c *connection) close() {
	c.finalize()
	_ = c.conn.Close()
}

func (c *connection) drop() {
	c.finalize() // before the connection, or the driver works on freed memory
	_ = c.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = c.conn.Close()
}

func (c *connection) finalize() {
	for _, s := range c.stmts {
		_ = s.Close()
	}
	clear(c.stmts)
}

func (c *connection) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = s
	return s, nil
}

func (c *connection) exec(ctx context.Context, query string, args ...any) error {
	s, err := c.stmt(ctx, query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(ctx, args...)
	return err
}

// query runs a statement and gives each row to scan.
func (c *connection) query(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	s, err := c.stmt(ctx, query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// groups are the numbers of rows that one statement carries. A few fixed ones keep the prepared statements few; they are
// small because the driver's time to bind grows with the square of the number of parameters.
var groups = [...]int{16, 4, 1}

// inGroups splits n rows into groups; each calls f with the first row and how many.
func inGroups(n int, f func(from, count int) error) error {
	from := 0
	for _, size := range groups {
		for n-from >= size {
			if err := f(from, size); err != nil {
				return err
			}
			from += size
		}
	}
	return nil
}

// values gives "(?,?),(?,?)" for rows of that many columns.
func values(rows, columns int) string {
	row := "(" + strings.Repeat("?,", columns-1) + "?)"
	return strings.Repeat(row+",", rows-1) + row
}

// write is a statement that inserts many rows.
type write struct {
	head    string // INSERT INTO t (...) VALUES
	columns int
	tail    string // ON CONFLICT ...
}

// insert writes n rows; bind appends the columns of row i. Every row must have an effect.
func (c *connection) insert(ctx context.Context, w *write, n int, bind func(i int, args []any) []any) error {
	return inGroups(n, func(from, count int) error {
		s, err := c.stmt(ctx, w.head+values(count, w.columns)+w.tail)
		if err != nil {
			return err
		}
		c.args = c.args[:0]
		for i := range count {
			c.args = bind(from+i, c.args)
		}
		res, err := s.ExecContext(ctx, c.args...)
		if err != nil {
			return err
		}
		done, err := res.RowsAffected()
		if err == nil && done != int64(count) {
			err = fmt.Errorf("%d of %d rows refused by the database: %s", int64(count)-done, count, w.head)
		}
		return err
	})
}

// find reads by many names at once; bind appends the columns of name i. The statement has the names as table v, with
// columns column1, column2 and so on.
func (c *connection) find(ctx context.Context, sel string, columns, n int, join string, bind func(i int, args []any) []any, scan func(*sql.Rows) error) error {
	return inGroups(n, func(from, count int) error {
		c.args = c.args[:0]
		for i := range count {
			c.args = bind(from+i, c.args)
		}
		return c.query(ctx, sel+" FROM (VALUES "+values(count, columns)+") v CROSS JOIN "+join, c.args, scan)
	})
}

package capacity

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// Taken is what is not measured here, in seconds and signatures or units a second.
type Taken struct {
	Token    float64 // signatures a second of a token
	Sessions int     // how many it makes at a time
	Database float64 // units a second of a database
	Commit   float64 // of a transaction, the standby in another building
}

// Costs puts together what was measured and what is taken. A purchase costs a database the part of a stamp that it costs
// SQLite; a commit varies as SQLite's does.
func (m *Measured) Costs(t Taken) Costs {
	book := 1 / t.Database
	return Costs{
		Stamp: m.Issuer(), Token: Samples{float64(t.Sessions) / t.Token}, Sessions: t.Sessions,
		Book: book, Credit: book * m.Credit / m.Ledger, Commit: m.Commit.Scaled(t.Commit),
		Disk: m.Disk, Writers: Callers, Stamped: m.Stamped,
	}
}

// Write writes what was measured, and holds the model against it.
func (m *Measured) Write(w io.Writer, seed uint64) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	p("measured here, medians of rounds; processor time of the process, user and system, in ms:")
	p("  document %.3f   key %.3f   ledger on SQLite %.3f (a purchase %.3f)   sink %.3f   timestamp %.3f, of which the authority %.3f",
		1e3*m.Document.Mean(), 1e3*m.Key, 1e3*m.Ledger, 1e3*m.Credit, 1e3*m.Sink, 1e3*m.Timestamp, 1e3*m.Authority)
	p("  it lasts: an output until it is durable, %d at a time, %.2f ms (%.0f/s); a transaction of SQLite beside that %.2f ms; a source has\n"+
		"  %.1f KB, stamped %.1f KB", Callers, 1e3*m.Disk.Mean(), Callers/m.Disk.Mean(), 1e3*m.Commit.Mean(), m.Source/1e3, m.Stamped/1e3)
	p("the model against a closed load of %d callers, from preflight to the durable document:", Callers)
	p("  %-42s %8s %8s %6s %12s %10s %6s %15s", "", "parts ms", "whole ms", "ratio", "predicted/s", "measured/s", "ratio",
		fmt.Sprintf("cores had of %d", cores()))
	for _, s := range []struct {
		name  string
		timed bool
		whole Whole
	}{{"without a timestamp", false, m.Plain}, {"with one, the authority on the same cores", true, m.Timed}} {
		parts, l := m.Parts(s.timed), m.Predict(s.whole, seed)
		p("  %-42s %8.3f %8.3f %6.2f %12.0f %10.0f %6.2f %15.2f", s.name, 1e3*parts, 1e3*s.whole.CPU, s.whole.CPU/parts,
			l.Served, s.whole.Served, s.whole.Served/l.Served, s.whole.Cores)
	}
	p("  The model takes all cores: what is missing in the last column others had, or the disk let wait.")
	p("an issuer is charged with the whole but for the authority: %.3f ms of a core a stamp. SQLite stands there for the client of a database,\n"+
		"  the key in memory for the client of a token. Times vary as they were measured; those that are taken do not.", 1e3*m.Issuer().Mean())
}

// row is a line of the table.
type row struct {
	goal        Goal
	fleet       Fleet
	rate, limit float64
	part        int
	loads       [5]Load // at the peak, with an issuer and a token less, at 80, 90 and 110 % of the limit
}

func newRow(c Costs, g Goal, seed uint64) row {
	r := row{goal: g, rate: g.Rate()}
	t := Mix(r.rate)
	r.fleet = Plan(c, t)
	r.part, r.limit = first(Limits(c, r.fleet, t))
	less := r.fleet
	less.Issuers, less.Tokens = less.Issuers-1, less.Tokens-1
	for i, s := range []struct {
		f    Fleet
		rate float64
	}{{r.fleet, r.rate}, {less, r.rate}, {r.fleet, 0.8 * r.limit}, {r.fleet, 0.9 * r.limit}, {r.fleet, 1.1 * r.limit}} {
		t.Rate = s.rate
		r.loads[i] = Simulate(c, s.f, t, math.Min(30, math.Max(6, 40_000/s.rate)), seed)
	}
	return r
}

// WritePlan writes the plan of every goal, checked by simulation: as it is planned, with one issuer and one token less, and at
// parts of the rate at which its first part is at its end.
func WritePlan(w io.Writer, c Costs, seed uint64) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	p("planned: every part busy for at most %.0f %% of the peak, %.0f %% with one issuer or token less; one account brings %.0f %% of the documents, the others\n"+
		"  buy for two at a time. Link: Gbit/s of the site / of each issuer. p99 in ms, at the peak / with one issuer and one token less.", 100*usable, 100*strained, 100*Mix(0).Hot)
	p("%-11s %6s %9s %6s %9s %5s %7s %11s  %-24s %8s %8s  %s", "a day", "peak/s", "issuers", "tokens", "databases", "disks", "link", "p99",
		"first limit", "p99 80 %", "p99 90 %", "wait at 110 %")
	var rows []row
	for _, g := range Goals() {
		r := newRow(c, g, seed)
		rows = append(rows, r)
		p("%-11s %6.0f %6d x%d %6d %9d %5d %7s %11s  %-24s %8.0f %8.0f  +%.0f ms a second", g.Name, r.rate, r.fleet.Issuers, r.fleet.Cores,
			r.fleet.Tokens, r.fleet.Databases, r.fleet.Disks, fmt.Sprintf("%g/%g", r.fleet.Site, r.fleet.Link), fmt.Sprintf("%.0f / %.0f", 1e3*r.loads[0].P99, 1e3*r.loads[1].P99),
			fmt.Sprintf("%s, %.0f/s", Parts[r.part], r.limit), 1e3*r.loads[2].P99, 1e3*r.loads[3].P99, 1e3*r.loads[4].Growth)
	}
	last := rows[len(rows)-1]
	writeHot(w, c, last, seed)
	var limits []string
	for i, l := range Limits(c, last.fleet, Mix(last.rate)) {
		limits = append(limits, fmt.Sprintf("%s %.0f", Parts[i], l))
	}
	p("limits of the last row, documents a second: %s", strings.Join(limits, ", "))
	p("series: one an issuer, %d in use of %d (32 epochs x 1,024 codes); each has %.1e numbers, at the last row for %.0f years", last.fleet.Issuers, seriesAtMost,
		float64(1<<48), Years(last.fleet, last.goal.Day))
}

// writeHot says what limits one account: one database at its end, with all documents from it or from all alike.
func writeHot(w io.Writer, c Costs, r row, seed uint64) {
	peak := r.loads[0]
	t := Mix(r.rate)
	credits := (1 - t.Hot) * t.Credits * c.Credit
	fmt.Fprintf(w, "databases at the last row's peak: purchases are %.0f %% of their work, %.0f operations a transaction; that of the hot account is busy %.0f %%.\n",
		100*credits/(c.Book+credits), peak.Units, 100*peak.Busy[2])
	f := r.fleet
	f.Databases = 1
	f.Cores, f.Tokens, f.Disks, f.Site, f.Link = 1000, 1000, 1000, 0, 0
	const callers = 4 * maxGroup
	fmt.Fprintf(w, "  The hot account is one row in one database: at most %.0f stamps/s, where a database without one gets %.0f/s; more databases do not help it\n",
		Simulate(c, f, Traffic{Callers: callers, Hot: 1}, 8, seed).Served, Simulate(c, f, Traffic{Callers: callers}, 8, seed).Served)
}

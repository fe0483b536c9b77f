package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Text is the report for a terminal, in lines of at most 100 columns.
func (s *Summary) Text() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("\n%s\n%s; %s\nseed %d, chaos %d; five days in %.0f s, an hour in %.2f s", s.verdict(), s.Mode, s.Machine, s.Seed, s.Chaos, s.Length, s.Hour)
	s.loadText(p)
	s.faultText(p)
	s.auditText(p)
	p("\ngoals, for a replay of the usual length on two cores:")
	for _, g := range s.Goals {
		p("  %-8s %s: %.1f", word(g.Met, "reached", "missed"), g.Name, g.Got)
	}
	p("\n%s", s.verdict())
	return b.String()
}

func (s *Summary) verdict() string {
	if s.Clean {
		return "Nobody lost a unit or a stamp."
	}
	return "SOMETHING IS OFF."
}

func word(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// seconds is a time after the end of the load; below zero it did not come.
func seconds(v float64) string {
	if v < 0 {
		return "never"
	}
	return fmt.Sprintf("%.1f s", v)
}

func (s *Summary) loadText(p printer) {
	t, u, d := &s.Totals, &s.Surge, &s.Documents
	p("\nload       %d people came, with two documents each", s.People)
	p("calls      %d = %d admitted + %d refused at once or in the line + %d joined to an equal one\n           under way; %d of those admitted had to be made again",
		t.Calls, t.Admitted, t.Refused, t.Joined, t.Failed)
	p("stamped    %d documents (%.0f MB) = %d of people + %d in bulk for institutions while nobody waits\n           + %d to measure the capacity; %.0f/s over the load",
		s.Audit.Sums.Stamped, float64(s.Audit.Bytes)/1e6, d.People, d.Institutions, d.Measured, s.Mean)
	p("deadline   %d of the people's documents were stamped before it, %d after it, the last %.1f s after", d.InTime, d.After, d.LastAfter)
	p("capacity   %.0f/s measured before, without a crowd; %.0f/s in the best %.0f s", s.Capacity, u.Peak, u.To-u.From)
	p("surge      for %.0f s %.0f documents/s came, %.1f times the best; %.0f/s stamped, %.0f %% of the best;\n           slowest refusal at the door %.0f ms",
		u.To-u.From, u.Offered, u.Over, u.Held, 100*u.Part, u.Refusal)
	p("afterwards back to normal after %s: nobody waits, is refused or fails, all who had asked are served;\n           nobody on the way after %s, late payments included",
		seconds(u.Normal), seconds(u.Idle))
	if s.Left > 0 {
		p("stopped    waiting while %d people were on the way: what they miss says nothing of the library", s.Left)
	}
	for _, w := range s.Waits {
		p("people     %-24s from asking to the document: half %.2f s, 99 %% %.2f s, all %.2f s", w.When+",", w.P50, w.P99, w.Most)
	}
	p("memory     of what issues: %d MB calm, %d MB with up to %d waiting at the door", s.Memory.Calm>>20, s.Memory.Surge>>20, s.Memory.Queued)
}

func (s *Summary) faultText(p printer) {
	p("")
	for _, f := range s.Faults {
		p("fault      %6.1f to %6.1f s  %-20s %6d calls failed, %6d refused meanwhile%s", f.From, f.To, f.Kind, f.Failed, f.Refused, because(f.Error))
	}
	p("")
	for _, r := range s.Recovery {
		p("recovery   %-27s %5d on the way: half after %.1f s, 95 %% %.1f s, all %.1f s%s", r.Lane, r.Count, r.Half, r.Most, r.All, others(r.Never))
	}
	p("repaired   %d timestamps that were owed (%d left), %d payments whose message was lost%s", s.Owed, s.Unpaid, s.MadeGood, because(s.Repair))
	p("swept      at the end, of what nobody finishes: %s", counts(s.Swept))
	if s.Stalled > 0.05 {
		p("machine    gave the whole process no time for %.1f s in all, which counts for no answer", s.Stalled)
	}
	p("")
	for _, name := range sortedKeys(s.Facts) {
		p("figure     %-50s %d", name, s.Facts[name])
	}
}

func others(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d never", n)
}

func (s *Summary) auditText(p printer) {
	a := s.Audit
	m := &a.Sums
	p("\nauditor    %d accounts, %d entries, serial numbers %s, in %.1f s", a.Accounts, a.Entries, counts(a.States), a.Seconds)
	p("levels     %s", counts(a.Levels))
	p("units      paid %d = stamped %d + available %d + refunded %d + held %d", m.Paid, m.Stamped, m.Available, m.Refunded, m.Held)
	p("harmed     %d accounts were served late or have their unit back, as the ledger tells: %s", a.Harmed.Accounts, counts(a.Harmed.Cases))
	if o := a.Outages; o.Accounts > 0 {
		p("           by the outages of the ledger alone %d accounts: %s", o.Accounts, counts(o.Cases))
	}
	for _, c := range a.Checks {
		result := "ok"
		switch {
		case c.Wrong > 0:
			result = fmt.Sprintf("%d WRONG", c.Wrong)
		case c.Looked == 0:
			result = "nothing"
		}
		p("  %-8s %s (%d looked at)", result, c.Name, c.Looked)
		for _, text := range c.Problems {
			p("           - %s", oneLine(text))
		}
	}
}

// counts lists what was counted, in order of the names.
func counts(m map[string]int64) string {
	var out []string
	for _, k := range sortedKeys(m) {
		out = append(out, fmt.Sprintf("%s %d", k, m[k]))
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

func because(text string) string {
	if text == "" {
		return ""
	}
	return ": " + oneLine(text)
}

// oneLine is a text without what could change a terminal: names of files and words of other programs come into it.
func oneLine(text string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)), " ")
}

func sortedKeys(m map[string]int64) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

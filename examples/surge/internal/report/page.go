package report

import (
	"fmt"
	"html"
	"math"
	"strings"

	"github.com/seed-574216e4/meterai/examples/surge/internal/chaos"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
)

const style = `
:root{--ink:#1b1f24;--soft:#57606a;--line:#d8dee4;--paper:#fff;--card:#f6f8fa;--band:#d1242f;
--c0:#0072b2;--c1:#d55e00;--c2:#00875a;--c3:#9a4f8f;--c4:#b58900;--c5:#57606a}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b1;--line:#30363d;--paper:#0d1117;--card:#161b22;--band:#ff7b72;
--c0:#58a6ff;--c1:#f0883e;--c2:#3fb950;--c3:#d2a8ff;--c4:#e3b341;--c5:#9da7b1}}
body{margin:0 auto;max-width:1000px;padding:24px 20px 60px;font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:25px;margin:0 0 2px}h2{font-size:18px;margin:30px 0 8px}p{margin:6px 0}.soft{color:var(--soft)}
.verdict{display:inline-block;padding:5px 12px;border-radius:6px;font-weight:600;color:#fff;background:#1a7f37;margin:10px 0}.verdict.off{background:#cf222e}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:14px 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:9px 12px}.card b{display:block;font-size:21px;line-height:1.25}.card span{color:var(--soft);font-size:12.5px}
table{border-collapse:collapse;width:100%;font-size:14px}td,th{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}td.n,th.n{text-align:right}
td.ok{color:var(--c2);font-weight:600;white-space:nowrap}td.off{color:var(--band);font-weight:600}
svg{width:100%;height:auto;display:block;margin:12px 0 4px}
svg text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;fill:var(--ink)}
svg .title{font-size:15px;font-weight:600}svg .label{font-size:12px}svg .tick{font-size:11px;fill:var(--soft);text-anchor:middle}svg .tick.end{text-anchor:end}svg .tick.start{text-anchor:start}
svg .unit{font-size:11px;fill:var(--soft);text-anchor:middle}svg .grid{stroke:var(--line);stroke-width:1}svg .axis{stroke:var(--soft);stroke-width:1}
svg .deadline{stroke:var(--ink);stroke-width:1;stroke-dasharray:2 3}
svg .band{fill:var(--band);opacity:.14}svg .dot{fill:var(--band)}svg .number{font-size:8.5px;font-weight:700;fill:var(--paper);text-anchor:middle}
svg .line{fill:none;stroke-width:1.8;stroke-linejoin:round}svg .area{stroke:none}
svg .line.c0{stroke:var(--c0)}svg .line.c1{stroke:var(--c1)}svg .line.c2{stroke:var(--c2)}svg .line.c3{stroke:var(--c3)}svg .line.c4{stroke:var(--c4)}svg .line.c5{stroke:var(--c5)}
svg .area.c0{fill:var(--c0)}svg .area.c1{fill:var(--c1)}svg .area.c2{fill:var(--c2)}svg .area.c3{fill:var(--c3)}
@media screen and (max-width:700px){.chart{overflow-x:auto}.chart svg{width:760px}}
@media print{body{max-width:none;padding:0}h2,svg,table{break-inside:avoid}}
`

// Page is the report as one HTML page that needs nothing else.
func (s *Summary) Page() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>The deadline, replayed</title><style>%s</style></head><body>", style)
	p("<h1>The deadline, replayed</h1><p class=\"soft\">%s &middot; %s &middot; seed %d, chaos %d &middot; five days in %.0f s, an hour in %.2f s</p>",
		esc(s.Mode), esc(s.Machine), s.Seed, s.Chaos, s.Length, s.Hour)
	if s.Clean {
		p(`<div class="verdict">Nobody lost a unit or a stamp</div>`)
	} else {
		p(`<div class="verdict off">Something is off: see the auditor</div>`)
	}
	s.cards(p)
	for _, c := range s.mainCharts() {
		p(`<div class="chart">%s</div>`, c.svg())
	}
	if s.Bulk > 0 {
		p(`<p class="soft">Institutions have up to %d documents at a time stamped while nobody waits at the door; these are among those stamped, and not among those that come.</p>`, s.Bulk)
	}
	s.faultTable(p)
	s.recoverySection(p)
	p("<h2>Memory and people</h2>")
	for _, c := range s.memoryCharts() {
		p(`<div class="chart">%s</div>`, c.svg())
	}
	s.auditTable(p)
	s.factTable(p)
	p("</body></html>")
	return b.String()
}

// Picture is the main charts alone, as a page for a picture.
func (s *Summary) Picture() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><style>%s body{max-width:960px;padding:8px 14px}</style></head><body>", style)
	for _, c := range s.mainCharts() {
		b.WriteString(c.svg())
	}
	b.WriteString("<p class=\"soft\" style=\"font-size:12px\">")
	for i, f := range s.Faults {
		fmt.Fprintf(&b, "%d&nbsp;%s &ensp; ", i+1, strings.ReplaceAll(esc(string(f.Kind)), " ", "&nbsp;"))
	}
	b.WriteString("</p></body></html>")
	return b.String()
}

func esc(text string) string { return html.EscapeString(oneLine(text)) }

type printer func(format string, args ...any)

func (s *Summary) cards(p printer) {
	u := &s.Surge
	p(`<div class="cards">`)
	for _, c := range [][2]string{
		{thousands(s.Audit.Sums.Stamped), "documents stamped, every one verified"},
		{thousands(s.Audit.Sums.Paid), "units paid, every one accounted for"},
		{fmt.Sprintf("%.0f / s", s.Mean), fmt.Sprintf("stamped over the whole load: %.1f times the real average of 11.6", s.Mean/11.6)},
		{fmt.Sprintf("%.1f x", u.Over), fmt.Sprintf("as many came in the last hours as can be stamped at best (%.0f/s)", u.Peak)},
		{fmt.Sprintf("%.0f %%", 100*u.Part), "of the best was stamped meanwhile"},
		{thousands(int64(s.Documents.InTime)), fmt.Sprintf("of people's documents were stamped before the deadline, %s after it, the last %.1f s after", thousands(int64(s.Documents.After)), s.Documents.LastAfter)},
		{seconds(u.Normal), "after the load's end all was normal again: nobody waits or is refused, all who had asked are served"},
	} {
		p(`<div class="card"><b>%s</b><span>%s</span></div>`, c[0], c[1])
	}
	p(`</div>`)
}

func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// line draws a figure of the samples, averaged over about a second.
func (s *Summary) line(name, class string, of func(*portal.Sample) float64) series {
	out := series{name: name, class: class}
	near := max(1, int(1/s.tick()+0.5))
	for i := range s.Samples {
		sum, n := 0.0, 0.0
		for k := max(0, i-near/2); k < min(len(s.Samples), i-near/2+near); k++ {
			if v := of(&s.Samples[k]); !math.IsNaN(v) {
				sum, n = sum+v, n+1
			}
		}
		v := math.NaN()
		if n > 0 {
			v = sum / n
		}
		out.at, out.v = append(out.at, s.Samples[i].At), append(out.v, v)
	}
	return thin(out)
}

// thin leaves about 500 points.
func thin(s series) series {
	for len(s.at) > 700 {
		var t series
		t.name, t.class, t.dashed = s.name, s.class, s.dashed
		for i := 0; i < len(s.at); i += 2 {
			t.at, t.v = append(t.at, s.at[i]), append(t.v, s.v[i])
		}
		s = t
	}
	return s
}

func (s *Summary) tick() float64 {
	if n := len(s.Samples); n > 1 {
		return math.Max(0.05, (s.Samples[n-1].At-s.Samples[0].At)/float64(n-1))
	}
	return 1
}

func (s *Summary) end() float64 {
	if n := len(s.Samples); n > 0 {
		return s.Samples[n-1].At
	}
	return s.Length
}

func (s *Summary) marks() []mark {
	var out []mark
	for i, f := range s.Faults {
		out = append(out, mark{i + 1, f.From, f.To})
	}
	return out
}

func zero(v float64) float64 {
	if v == 0 {
		return math.NaN()
	}
	return v
}

func (s *Summary) mainCharts() []*chart {
	rates := &chart{title: "Load and throughput", unit: "documents, calls a second", height: 230, series: []series{
		s.line("documents that come", "c5", func(p *portal.Sample) float64 { return 2 * p.Came }),
		s.line("documents stamped", "c2", func(p *portal.Sample) float64 { return p.Stamped }),
		s.line("refused at the door", "c1", func(p *portal.Sample) float64 { return p.Refused }),
		s.line("failed for now", "c3", func(p *portal.Sample) float64 { return p.Failed }),
		{name: "measured capacity", class: "c0", dashed: true, at: []float64{0, s.end()}, v: []float64{s.Capacity, s.Capacity}},
	}}
	latency := &chart{title: "From the call to the stamped document", unit: "milliseconds, logarithmic", log: true, height: 150, series: []series{
		s.line("median (p50)", "c0", func(p *portal.Sample) float64 { return zero(p.P50) }),
		s.line("99 in 100 (p99)", "c1", func(p *portal.Sample) float64 { return zero(p.P99) }),
	}}
	queue := &chart{title: "Who waits at the door, by lane", unit: "calls in the queue", stack: true, height: 150}
	for i, name := range []string{"resume: being stamped", "redeem: paid", "purchase", "register"} {
		queue.series = append(queue.series, s.line(name, fmt.Sprintf("c%d", [4]int{2, 0, 1, 3}[i]), func(p *portal.Sample) float64 { return float64(p.Waiting[i]) }))
	}
	all := []*chart{rates, latency, queue}
	for _, c := range all {
		c.marks, c.to, c.days = s.marks(), s.end(), s.Length/5
	}
	return all
}

// recoverySection shows the time after the first outage of the ledger.
func (s *Summary) recoverySection(p printer) {
	for _, f := range s.Faults {
		if f.Kind != chaos.Outage {
			continue
		}
		p("<h2>After the ledger was down: who was served first</h2>")
		c := &chart{title: "Calls let in, by lane", unit: "calls a second", from: math.Max(0, f.From-2), to: math.Min(s.end(), f.To+12), marks: s.marks(), height: 160}
		for i, name := range []string{"resume: being stamped", "redeem: paid", "purchase", "register"} {
			c.series = append(c.series, s.line(name, fmt.Sprintf("c%d", [4]int{2, 0, 1, 3}[i]), func(p *portal.Sample) float64 { return p.Served[i] }))
		}
		p(`<div class="chart">%s</div>`, c.svg())
		p(`<table><tr><th>on the way when the outage ended</th><th class="n">how many</th><th class="n">half after</th><th class="n">95 in 100 after</th><th class="n">all after</th></tr>`)
		for _, r := range s.Recovery {
			p(`<tr><td>%s</td><td class="n">%d</td><td class="n">%.1f s</td><td class="n">%.1f s</td><td class="n">%.1f s</td></tr>`, esc(r.Lane), r.Count, r.Half, r.Most, r.All)
		}
		p("</table>")
		return
	}
}

func (s *Summary) memoryCharts() []*chart {
	memory := &chart{title: "Memory of the issuing processes", unit: "MB resident", series: []series{
		s.line("memory", "c0", func(p *portal.Sample) float64 { return float64(p.Memory) / (1 << 20) }),
	}}
	people := &chart{title: "People on the way", unit: "people", series: []series{
		s.line("have come and not got all they want", "c1", func(p *portal.Sample) float64 { return float64(p.People) }),
	}}
	all := []*chart{memory, people}
	for _, c := range all {
		c.marks, c.to, c.days, c.height = s.marks(), s.end(), s.Length/5, 120
	}
	return all
}

func (s *Summary) faultTable(p printer) {
	p("<h2>What broke</h2><table><tr><th></th><th>fault</th><th class=\"n\">from</th><th class=\"n\">to</th><th class=\"n\">calls failed</th><th class=\"n\">refused</th><th></th></tr>")
	for i, f := range s.Faults {
		p(`<tr><td>%d</td><td>%s</td><td class="n">%.1f s</td><td class="n">%.1f s</td><td class="n">%s</td><td class="n">%s</td><td>%s</td></tr>`, i+1, esc(string(f.Kind)), f.From, f.To, thousands(f.Failed), thousands(f.Refused), esc(f.Error))
	}
	p("</table>")
}

func (s *Summary) auditTable(p printer) {
	a := s.Audit
	p("<h2>The auditor</h2><p>paid %s = stamped %s + available %s + refunded %s + held %s</p>", thousands(a.Sums.Paid), thousands(a.Sums.Stamped),
		thousands(a.Sums.Available), thousands(a.Sums.Refunded), thousands(a.Sums.Held))
	p("<table>")
	for _, c := range a.Checks {
		class, word := "ok", "ok"
		if c.Wrong > 0 {
			class, word = "off", fmt.Sprintf("%d wrong", c.Wrong)
		}
		p(`<tr><td class="%s">%s</td><td>%s`, class, word, esc(c.Name))
		for _, text := range c.Problems {
			p("<br>%s", esc(text))
		}
		p(`</td><td class="n">%s</td></tr>`, thousands(c.Looked))
	}
	p("</table>")
}

func (s *Summary) factTable(p printer) {
	p("<h2>Figures</h2><table>")
	row := func(name, value string) { p(`<tr><td>%s</td><td class="n">%s</td></tr>`, esc(name), esc(value)) }
	row("people who came", thousands(int64(s.People)))
	t := &s.Totals
	row("calls = admitted + refused + joined to an equal one under way", fmt.Sprintf("%s = %s + %s + %s", thousands(t.Calls), thousands(t.Admitted), thousands(t.Refused), thousands(t.Joined)))
	row("documents stamped in bulk for institutions, to measure the capacity", fmt.Sprintf("%s, %s", thousands(int64(s.Documents.Institutions)), thousands(int64(s.Documents.Measured))))
	for _, w := range s.Waits {
		row("from asking to the document, "+w.When+": half, 99 in 100, all", fmt.Sprintf("%.2f s, %.2f s, %.2f s", w.P50, w.P99, w.Most))
	}
	row("slowest refusal for lack of room", fmt.Sprintf("%.0f ms", s.Surge.Refusal))
	row("memory calm, in the surge", fmt.Sprintf("%d MB, %d MB with up to %s waiting", s.Memory.Calm>>20, s.Memory.Surge>>20, thousands(int64(s.Memory.Queued))))
	row("the process stood still, in all", fmt.Sprintf("%.1f s", s.Stalled))
	row("timestamps owed and made good, still owed", fmt.Sprintf("%d, %d", s.Owed, s.Unpaid))
	row("payments credited because “who was harmed” named them", fmt.Sprint(s.MadeGood))
	row("accounts that the ledger says were harmed", fmt.Sprintf("%d: %s", s.Audit.Harmed.Accounts, counts(s.Audit.Harmed.Cases)))
	for _, name := range sortedKeys(s.Facts) {
		row(name, thousands(s.Facts[name]))
	}
	p("</table>")
}

package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// A chart is drawn as SVG, 960 units wide, with the colours of the page's style sheet.
type chart struct {
	title, unit string
	series      []series
	marks       []mark
	from, to    float64 // seconds
	days        float64 // length of a replayed day in seconds; 0 writes seconds on the axis
	log         bool    // logarithmic, from 1
	stack       bool    // areas on top of each other
	height      float64 // of the plot; 0 is 190
}

// series are values over time. A value that is not a number leaves a gap.
type series struct {
	name   string
	class  string // c0 to c5 of the style sheet
	dashed bool
	at, v  []float64
}

// mark is a fault: a band over the plot with a number at its top.
type mark struct {
	number   int
	from, to float64
}

// The page of a chart.
const (
	chartWidth = 960.0
	left       = 64.0
	right      = 16.0
	top        = 62.0 // title, legend and the numbers of the marks
	bottom     = 34.0
)

type plot struct {
	*chart
	b    strings.Builder
	h    float64
	most float64 // highest value of the axis
}

// svg draws a chart.
func (c *chart) svg() string {
	p := &plot{chart: c, h: c.height}
	if p.h == 0 {
		p.h = 190
	}
	if c.stack {
		c.series = stacked(c.series)
	}
	p.scale()
	total := top + p.h + bottom
	p.put(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`, chartWidth, total, html.EscapeString(c.title))
	p.put(`<text class="title" x="%.1f" y="17">%s</text>`, left, html.EscapeString(c.title))
	p.legend()
	p.bands()
	p.axes()
	for i := len(c.series) - 1; i >= 0; i-- {
		p.draw(&c.series[i], i)
	}
	p.put(`</svg>`)
	return p.b.String()
}

func (p *plot) put(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

func (p *plot) x(at float64) float64 {
	part := (at - p.from) / math.Max(1e-9, p.to-p.from)
	return left + math.Max(0, math.Min(1, part))*(chartWidth-left-right)
}

func (p *plot) y(v float64) float64 {
	part := v / p.most
	if p.log {
		part = math.Log10(math.Max(1, v)) / math.Log10(p.most)
	}
	return top + p.h*(1-math.Max(0, math.Min(1, part)))
}

// scale finds a round end of the axis.
func (p *plot) scale() {
	for i := range p.series {
		for k, v := range p.series[i].v {
			if at := p.series[i].at[k]; at >= p.from && at <= p.to && !math.IsNaN(v) {
				p.most = math.Max(p.most, v)
			}
		}
	}
	if p.log {
		p.most = math.Pow(10, math.Max(1, math.Ceil(math.Log10(math.Max(1, p.most)))))
		return
	}
	p.most = math.Max(1, p.most)
	step := p.step()
	p.most = step * math.Ceil(p.most*1.02/step)
}

// step is the distance of the lines: 1, 2 or 5 times a power of ten, so that there are four to eight.
func (p *plot) step() float64 {
	raw := p.most / 5
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= raw {
			return m * power
		}
	}
	return 10 * power
}

func (p *plot) legend() {
	x := left
	for i := range p.series {
		s := &p.series[i]
		dash := ""
		if s.dashed {
			dash = ` stroke-dasharray="5 4"`
		}
		if p.stack {
			p.put(`<rect class="area %s" x="%.1f" y="27" width="18" height="10"/>`, s.class, x)
		} else {
			p.put(`<line class="line %s" x1="%.1f" y1="32" x2="%.1f" y2="32"%s/>`, s.class, x, x+18, dash)
		}
		p.put(`<text class="label" x="%.1f" y="36">%s</text>`, x+24, html.EscapeString(s.name))
		x += 24 + 6.9*float64(len([]rune(s.name))) + 14
	}
}

// bands draws the marks. Numbers that would stand on each other go apart.
func (p *plot) bands() {
	last := -100.0
	for _, m := range p.marks {
		if m.to < p.from || m.from > p.to {
			continue
		}
		a, b := p.x(m.from), p.x(m.to)
		p.put(`<rect class="band" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, a, top, math.Max(1.5, b-a), p.h)
		at := math.Max((a+b)/2, last+15)
		last = at
		p.put(`<circle class="dot" cx="%.1f" cy="%.1f" r="7"/><text class="number" x="%.1f" y="%.1f">%d</text>`, at, top-9, at, top-5.5, m.number)
	}
}

func (p *plot) axes() {
	if p.log {
		for v := 1.0; v <= p.most*1.01; v *= 10 {
			p.line(v)
		}
	} else {
		for step, v := p.step(), 0.0; v <= p.most*1.001; v += step {
			p.line(v)
		}
	}
	p.put(`<text class="unit" transform="translate(13 %.1f) rotate(-90)">%s</text>`, top+p.h/2, html.EscapeString(p.unit))
	base := top + p.h
	p.put(`<line class="axis" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, left, base, chartWidth-right, base)
	if p.days > 0 {
		p.dayTicks(base)
		return
	}
	q := plot{chart: &chart{}, most: p.to - p.from}
	step := q.step()
	for t := math.Ceil(p.from/step) * step; t <= p.to; t += step {
		p.tick(t, base, fmt.Sprintf("%g s", t))
	}
}

func (p *plot) line(v float64) {
	y := p.y(v)
	p.put(`<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/><text class="tick end" x="%.1f" y="%.1f">%s</text>`,
		left, y, chartWidth-right, y, left-6, y+4, short(v))
}

func (p *plot) tick(t, base float64, text string) {
	p.put(`<line class="axis" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/><text class="tick" x="%.1f" y="%.1f">%s</text>`,
		p.x(t), base, p.x(t), base+4, p.x(t), base+17, text)
}

// dayTicks names the replayed days, and the end of the load.
func (p *plot) dayTicks(base float64) {
	n := int(p.to / p.days)
	for d := 0; d <= n && d <= 5; d++ {
		at := float64(d) * p.days
		p.put(`<line class="axis" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, p.x(at), base, p.x(at), base+5)
		if d < 5 {
			p.put(`<text class="tick" x="%.1f" y="%.1f">day %d (from %.0f s)</text>`, p.x(at+p.days/2), base+17, d+1, at)
		} else {
			p.put(`<text class="tick start" x="%.1f" y="%.1f">deadline</text>`, p.x(at)+3, base+17)
			p.put(`<line class="deadline" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, p.x(at), top, p.x(at), base)
		}
	}
}

// short writes a number on an axis.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%gk", v/1e3)
	}
	return fmt.Sprintf("%g", math.Round(v*100)/100)
}

func (p *plot) draw(s *series, i int) {
	var d strings.Builder
	pen := "M"
	for k, v := range s.v {
		if at := s.at[k]; at < p.from || at > p.to || math.IsNaN(v) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&d, "%s%.1f %.1f", pen, p.x(s.at[k]), p.y(v))
		pen = "L"
	}
	switch {
	case d.Len() == 0:
	case p.stack:
		first, last := p.x(math.Max(p.from, s.at[0])), p.x(math.Min(p.to, s.at[len(s.at)-1]))
		p.put(`<path class="area %s" d="%sL%.1f %.1fL%.1f %.1fZ"/>`, s.class, d.String(), last, top+p.h, first, top+p.h)
	default:
		dash := ""
		if s.dashed {
			dash = ` stroke-dasharray="5 4"`
		}
		p.put(`<path class="line %s" d="%s"%s/>`, s.class, d.String(), dash)
	}
}

// stacked puts each series on top of those before it.
func stacked(in []series) []series {
	out := make([]series, len(in))
	for i, s := range in {
		out[i] = s
		out[i].v = append([]float64(nil), s.v...)
		if i > 0 {
			for k := range out[i].v {
				out[i].v[k] += out[i-1].v[k]
			}
		}
	}
	return out
}

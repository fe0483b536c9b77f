package main

import (
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/sign"
)

// placeFlags say where the stamp stands.
type placeFlags struct {
	page         int
	at           string
	corner       string
	margin       float64
	free         bool
	anchor, side string
	occurrence   int
	gap          float64
	field        string
	changed      func(flag string) bool // was it given
}

const defaultCorner = "bottom-right"

var corners = map[string]sign.Corner{
	defaultCorner: sign.BottomRight, "bottom-left": sign.BottomLeft, "top-right": sign.TopRight, "top-left": sign.TopLeft,
}

const defaultSide = "right"

var sides = map[string]sign.Side{defaultSide: sign.RightOf, "left": sign.LeftOf, "above": sign.Above, "below": sign.Below}

func (f *placeFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	f.changed = fl.Changed
	fl.IntVar(&f.page, "page", 0, "page of the stamp, from 1 (default, without the flag: the last)")
	fl.StringVar(&f.at, "at", "", "X,Y of the stamp's lower left corner in points")
	fl.StringVar(&f.corner, "corner", defaultCorner, "corner of the page: bottom-right, bottom-left, top-right or top-left")
	fl.Float64Var(&f.margin, "margin", 0, "distance from the edges in the corner, in points (default: 36)")
	fl.BoolVar(&f.free, "free", false, "the free spot nearest to the corner, over no text and no other stamp")
	fl.StringVar(&f.anchor, "anchor", "", "next to this text, on the last page that has it or on --page")
	fl.StringVar(&f.side, "side", defaultSide, "side of the text: right, left, above or below")
	fl.IntVar(&f.occurrence, "occurrence", 1, "which occurrence of the text on the page, from 1; -1 is the last")
	fl.Float64Var(&f.gap, "gap", 0, "distance from the text, in points (default: 6)")
	fl.StringVar(&f.field, "field", "", "name of an empty signature field of the document to stamp into")
}

// check refuses flags that do not go together.
func (f *placeFlags) check() error {
	corner := f.corner != defaultCorner || f.margin != 0
	beside := f.side != defaultSide || f.occurrence != 1 || f.gap != 0
	ways := 0
	for _, given := range []bool{f.at != "", f.anchor != "", f.free, f.field != ""} {
		if given {
			ways++
		}
	}
	switch {
	case f.page < 1 && f.changed("page"):
		return usage("--page counts from 1; without it the stamp is on the last page")
	case ways > 1:
		return usage("--at, --anchor, --free and --field are four ways to say where: give one")
	case f.field != "" && (f.page != 0 || corner || beside):
		return usage("--field says where the stamp stands; leave --page, --corner and --margin out")
	case beside && f.anchor == "":
		return usage("--side, --occurrence and --gap go with --anchor")
	case corner && (f.anchor != "" || f.at != ""):
		return usage("--corner and --margin go with neither --at nor --anchor")
	case f.occurrence == 0:
		return usage("--occurrence counts from 1, or from -1 backwards")
	}
	if _, ok := corners[f.corner]; !ok {
		return usage("--corner is bottom-right, bottom-left, top-right or top-left, not %q", f.corner)
	}
	if _, ok := sides[f.side]; !ok {
		return usage("--side is right, left, above or below, not %q", f.side)
	}
	_, err := parsePoint(f.at)
	return err
}

// put writes the place into the options; check was called before.
func (f *placeFlags) put(opt *sign.Options) {
	opt.Page, opt.Field, opt.Free = f.page, f.field, f.free
	opt.Corner, opt.Margin = corners[f.corner], f.margin
	opt.At, _ = parsePoint(f.at)
	if f.anchor != "" {
		opt.Anchor = &sign.Anchor{Text: f.anchor, Occurrence: f.occurrence, Side: sides[f.side], Gap: f.gap}
	}
}

// parsePoint reads "X,Y"; nil for "".
func parsePoint(s string) (*sign.Point, error) {
	if s == "" {
		return nil, nil
	}
	xs, ys, ok := strings.Cut(s, ",")
	x, errX := strconv.ParseFloat(strings.TrimSpace(xs), 64)
	y, errY := strconv.ParseFloat(strings.TrimSpace(ys), 64)
	if !ok || errX != nil || errY != nil || math.IsNaN(x+y) || math.IsInf(x+y, 0) {
		return nil, usage("--at is X,Y in points, such as 400,36, not %q", s)
	}
	return &sign.Point{X: x, Y: y}, nil
}

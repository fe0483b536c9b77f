package content

import "github.com/seed-574216e4/meterai/pdf"

// colourOperator obeys the operators of ISO 32000-2, 8.6.8; false for others.
func (in *interp) colourOperator(op string) bool {
	stroke := op[0] < 'a'
	p := &in.gs.fill
	if stroke {
		p = &in.gs.stroke
	}
	switch op {
	case "g", "G":
		*p = paint{components: 1}
		in.colour(p)
	case "rg", "RG":
		*p = paint{components: 3}
		in.colour(p)
	case "k", "K":
		*p = paint{components: 4, ink: true}
		in.colour(p)
	case "cs", "CS":
		if o, ok := in.lex.last(kindName); ok {
			*p = in.space(pdf.Name(o.text))
		}
	case "sc", "scn", "SC", "SCN":
		in.colour(p)
	default:
		return false
	}
	return true
}

// colour finds out whether the operands are white.
func (in *interp) colour(p *paint) {
	v, ok := in.lex.numbers(p.components)
	p.white = ok && p.components > 0 && len(in.lex.args) == p.components
	for _, o := range v {
		if p.ink && o.number > 0 || !p.ink && o.number < 1 {
			p.white = false
		}
	}
}

// space takes a colour space by name. Of those that have to be looked up, only
// calibrated and ICC-based ones are known to be white at full light.
func (in *interp) space(name pdf.Name) paint {
	switch name {
	case "DeviceGray":
		return paint{components: 1}
	case "DeviceRGB":
		return paint{components: 3}
	case "DeviceCMYK":
		return paint{components: 4, ink: true}
	}
	r := in.r
	list, ok := r.resolve(in.scope.spaces[name]).(pdf.Array)
	if !ok || len(list) < 2 {
		return paint{}
	}
	switch r.name(list[0]) {
	case "CalGray":
		return paint{components: 1}
	case "CalRGB":
		return paint{components: 3}
	case "ICCBased":
		s, err := r.f.Stream(list[1])
		if r.keep(err); s == nil || s.Dict["Range"] != nil {
			return paint{}
		}
		if n := int(r.number(s.Dict["N"])); n == 1 || n == 3 || n == 4 {
			return paint{components: n, ink: n == 4}
		}
	}
	return paint{}
}

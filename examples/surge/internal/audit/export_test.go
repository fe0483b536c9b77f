package audit

// Books is Run without the documents: in the place of their checks are some that looked at nothing.
func Books(in *Input) (*Report, error) {
	book, r, err := open(in)
	if err != nil {
		return nil, err
	}
	r.conclude(book, in, []*Check{{}, {}, {}})
	return r, nil
}

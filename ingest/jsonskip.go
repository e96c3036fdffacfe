package ingest

// skip reads past a value.
func (j *jsonScan) skip() {
	switch c := j.peek(); c {
	case '"':
		j.skipText()
	case '{':
		if j.object() {
			for first := true; ; first = false {
				if !j.more(first, '}') {
					return
				}
				if j.peek() != '"' {
					j.fail("a key")
					return
				}
				j.skipText()
				if j.peek() != ':' {
					j.fail("a colon")
					return
				}
				j.i++
				j.skip()
			}
		}
	case '[':
		if j.array() {
			for first := true; j.element(first); first = false {
				j.skip()
			}
		}
	case 't':
		j.literal("true")
	case 'f':
		j.literal("false")
	case 'n':
		j.literal("null")
	default:
		if c == '-' || c >= '0' && c <= '9' {
			j.number()
		} else {
			j.fail("a value")
		}
	}
}

func (j *jsonScan) skipText() {
	j.i++
	for j.plain(); j.err == nil; j.plain() {
		if j.b[j.i] == '"' {
			j.i++
			return
		}
		keep := len(j.scratch)
		j.escape()
		j.scratch = j.scratch[:keep]
	}
}

func (j *jsonScan) literal(word string) {
	for _, c := range []byte(word) {
		if j.i >= len(j.b) || j.b[j.i] != c {
			j.fail(word)
			return
		}
		j.i++
	}
}

// number reads past a number.
func (j *jsonScan) number() {
	if j.b[j.i] == '-' {
		j.i++
	}
	if j.i < len(j.b) && j.b[j.i] == '0' {
		j.i++
	} else if !j.digits() {
		return
	}
	if j.i < len(j.b) && j.b[j.i] == '.' {
		j.i++
		if !j.digits() {
			return
		}
	}
	if j.i < len(j.b) && j.b[j.i]|0x20 == 'e' {
		j.i++
		if j.i < len(j.b) && (j.b[j.i] == '+' || j.b[j.i] == '-') {
			j.i++
		}
		j.digits()
	}
}

func (j *jsonScan) digits() bool {
	from := j.i
	for j.i < len(j.b) && j.b[j.i] >= '0' && j.b[j.i] <= '9' {
		j.i++
	}
	if j.i == from {
		j.fail("a digit")
	}
	return j.i > from
}

package falco

// truth is what a condition says of an event, in Kleene's logic of three values:
// a field that the trace does not have makes what rests on it unknown, and only
// that.
type truth uint8

const (
	no truth = iota
	yes
	unknown
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth {
	switch t {
	case no:
		return yes
	case yes:
		return no
	}
	return unknown
}

package ingest

import (
	"bytes"
)

// straceParts is a line in parts.
type straceParts struct {
	tid   int32 // 0: the line has none
	time  int64 // ns since 1970, or of the day; 0: none
	clock bool  // time is of the day
	body  []byte
}

// straceLine parts what strace puts before a call from it.
func straceLine(line []byte) straceParts {
	var s straceParts
	b := bytes.TrimLeft(line, " ")
	if rest, ok := bytes.CutPrefix(b, []byte("[pid ")); ok {
		if id, rest, ok := straceID(bytes.TrimLeft(rest, " "), ']'); ok {
			s.tid, b = id, bytes.TrimLeft(rest, " ")
		}
	} else if id, rest, ok := straceID(b, ' '); ok {
		s.tid, b = id, bytes.TrimLeft(rest, " ")
	}
	b = s.clocks(b)
	for len(b) > 0 && b[0] == '[' && !bytes.HasPrefix(b, []byte("[ Process")) { // -i, -n
		i := bytes.IndexByte(b, ']')
		if i < 0 {
			break
		}
		b = bytes.TrimLeft(b[i+1:], " ")
	}
	s.body = b
	return s
}

// straceID reads a thread's number, with its name in <> where strace was asked
// for it, up to what ends it.
func straceID(b []byte, end byte) (id int32, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && i < 8 && b[i] >= '0' && b[i] <= '9'; i++ {
		id = id*10 + int32(b[i]-'0')
	}
	if i == 0 || id > 1<<22 { // a time of -ttt without a fraction is more
		return 0, b, false
	}
	if i < len(b) && b[i] == '<' {
		if j := bytes.IndexByte(b[i:], '>'); j > 0 {
			i += j + 1
		}
	}
	if i == len(b) || b[i] != end {
		return 0, b, false
	}
	return id, b[i+1:], true
}

// clocks reads the times before a call.
func (s *straceParts) clocks(b []byte) []byte {
	i := 0
	for i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i] == ':' || b[i] == '.') {
		i++
	}
	if i == 0 || i == len(b) || b[i] != ' ' {
		return s.relative(b)
	}
	word := b[:i]
	whole, fraction, _ := bytes.Cut(word, []byte("."))
	if len(whole) == 8 && whole[2] == ':' && whole[5] == ':' {
		h, m, sec := decimal(whole[:2]), decimal(whole[3:5]), decimal(whole[6:])
		if h < 0 || m < 0 || sec < 0 {
			return b
		}
		s.time, s.clock = (h*3600+m*60+sec)*1e9+nanoseconds(fraction), true
	} else if sec := decimal(whole); sec > 1<<22 && sec < 1<<33 {
		s.time = sec*1e9 + nanoseconds(fraction)
	}
	return s.relative(bytes.TrimLeft(b[i:], " "))
}

// relative passes over "(+     0.000055) " of -r.
func (s *straceParts) relative(b []byte) []byte {
	if bytes.HasPrefix(b, []byte("(+")) {
		if i := bytes.IndexByte(b, ')'); i > 0 {
			return bytes.TrimLeft(b[i+1:], " ")
		}
	}
	return b
}

// decimal reads digits, at most 15; -1 where there is something else.
func decimal(b []byte) int64 {
	if len(b) == 0 || len(b) > 15 {
		return -1
	}
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// nanoseconds reads the digits behind a point.
func nanoseconds(b []byte) int64 {
	n := int64(0)
	for i := range 9 {
		n *= 10
		if i < len(b) && b[i] >= '0' && b[i] <= '9' {
			n += int64(b[i] - '0')
		}
	}
	return n
}

// when makes a time of the day one since 1970: times go on, and a clock that is
// half a day back has passed midnight.
func (d *straceReader) when(s *straceParts) int64 {
	if !s.clock {
		return s.time
	}
	const day = 24 * 3600 * 1e9
	if d.lastNS-s.time > day/2 {
		d.days++
	}
	d.lastNS = s.time
	return s.time + d.days*day
}

package ingest

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// text reads a text, quotes included, and returns what it means.
func (j *jsonScan) text() []byte {
	j.i++
	from := j.i
	if j.plain(); j.err != nil {
		return nil
	}
	if j.b[j.i] == '"' {
		j.i++
		return j.b[from : j.i-1]
	}
	begin := len(j.scratch)
	for {
		j.scratch = append(j.scratch, j.b[from:j.i]...)
		if j.b[j.i] == '"' {
			j.i++
			return j.scratch[begin:]
		}
		j.escape()
		from = j.i
		if j.plain(); j.err != nil {
			return nil
		}
	}
}

// plain goes to the next quote or backslash of a text.
func (j *jsonScan) plain() {
	b, i := j.b, j.i
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		// The lowest bit set is exact; those above it may not be.
		if hit := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w) & highs; hit != 0 {
			i += bits.TrailingZeros64(hit) >> 3
			goto found
		}
		i += 8
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= 0x20 {
		i++
	}
found:
	j.i = i
	if i >= len(b) {
		j.fail("")
	} else if b[i] < 0x20 {
		j.fail("a text to go on")
	}
}

// escape reads one escape of a text into scratch.
func (j *jsonScan) escape() {
	if j.i+1 >= len(j.b) {
		j.i = len(j.b)
		j.fail("")
		return
	}
	c := j.b[j.i+1]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		j.i += 2
		j.unicode()
		return
	default:
		j.i++
		j.fail("an escape")
		return
	}
	j.scratch = append(j.scratch, c)
	j.i += 2
}

func (j *jsonScan) unicode() {
	r := j.hex4()
	if r >= 0xd800 && r < 0xdc00 && j.i+1 < len(j.b) && j.b[j.i] == '\\' && j.b[j.i+1] == 'u' {
		back := j.i
		j.i += 2
		if low := j.hex4(); low >= 0xdc00 && low < 0xe000 {
			r = 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
		} else {
			j.i = back
		}
	}
	if r >= 0xd800 && r < 0xe000 {
		j.scratch = append(j.scratch, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
		return
	}
	j.scratch = utf8.AppendRune(j.scratch, r)
}

func (j *jsonScan) hex4() (r rune) {
	for range 4 {
		if j.err != nil {
			return 0
		}
		if j.i >= len(j.b) {
			j.fail("")
			return 0
		}
		switch c := j.b[j.i]; {
		case c >= '0' && c <= '9':
			r = r<<4 + rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 + rune(c|0x20-'a'+10)
		default:
			j.fail("a hexadecimal digit")
			return 0
		}
		j.i++
	}
	return r
}

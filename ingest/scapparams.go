package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// maxScapParams is more than any event has.
const maxScapParams = 128

// scapParams are the parameters of an event.
type scapParams struct {
	lens []uint32
	data []byte
}

// split reads lengths and parameters. Without a count as many are taken as fill
// the event, as libscap does with old captures.
func (p *scapParams) split(payload []byte, width, count int) error {
	p.lens = p.lens[:0]
	sum := 0
	for at := 0; ; at += width {
		n := len(p.lens)
		if count < 0 && at+sum == len(payload) || n == count {
			p.data = payload[at:]
			if sum > len(p.data) {
				return fmt.Errorf("parameters of %d bytes, %d left", sum, len(p.data))
			}
			return nil
		}
		if at+width > len(payload) || n > maxScapParams {
			return errors.New("lengths of parameters do not fit")
		}
		size := uint32(binary.LittleEndian.Uint16(payload[at:]))
		if width == 4 {
			size = binary.LittleEndian.Uint32(payload[at:])
		}
		if int64(size) > int64(len(payload)) {
			return fmt.Errorf("parameter %d of %d bytes in an event of %d", n, size, len(payload))
		}
		p.lens = append(p.lens, size)
		sum += int(size)
	}
}

// bytes returns parameter i; nil where there is none.
func (p *scapParams) bytes(i int) []byte {
	if i < 0 || i >= len(p.lens) {
		return nil
	}
	from := 0
	for _, n := range p.lens[:i] {
		from += int(n)
	}
	return p.data[from : from+int(p.lens[i])]
}

// number returns parameter i as a signed integer of its own size.
func (p *scapParams) number(i int) (int64, bool) {
	b := p.bytes(i)
	switch len(b) {
	case 1:
		return int64(int8(b[0])), true
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(b))), true
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(b))), true
	case 8:
		return int64(binary.LittleEndian.Uint64(b)), true
	}
	return 0, false
}

// text returns parameter i without the zero at its end; false where the driver
// could not read it.
func (p *scapParams) text(i int) (string, bool) {
	b := p.bytes(i)
	if len(b) == 0 {
		return "", false
	}
	b, _, _ = bytes.Cut(b, []byte{0})
	if string(b) == "<NA>" {
		return "", false
	}
	return string(b), true
}

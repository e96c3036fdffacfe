package detector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"mayfly/forest"
)

// ensembleMagic begins forest.bin where it holds several forests; a single one
// begins with forest's own.
const ensembleMagic = "MFAM"

const maxMembers = 16

// MarshalBinary writes the ensemble as FORMAT.md says.
func (e *ensemble) MarshalBinary() ([]byte, error) {
	le := binary.LittleEndian
	b := []byte(ensembleMagic)
	b = le.AppendUint32(b, uint32(e.features))
	b = le.AppendUint32(b, uint32(len(e.members)))
	for i := range e.members {
		m := &e.members[i]
		b = le.AppendUint64(b, math.Float64bits(m.weight))
		b = le.AppendUint32(b, uint32(len(m.columns)))
		for _, c := range m.columns {
			b = le.AppendUint32(b, uint32(c))
		}
		for _, v := range m.floors {
			b = le.AppendUint32(b, math.Float32bits(v))
		}
		b = m.surprise.append(b)
		var trees []byte
		if m.forest != nil {
			var err error
			if trees, err = m.forest.MarshalBinary(); err != nil {
				return nil, err
			}
		}
		b = le.AppendUint64(b, uint64(len(trees)))
		b = append(b, trees...)
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote, and believes none of it.
func (e *ensemble) UnmarshalBinary(b []byte) error {
	const head = len(ensembleMagic) + 8
	if len(b) < head || string(b[:len(ensembleMagic)]) != ensembleMagic {
		return errors.New("ensemble: not one")
	}
	le := binary.LittleEndian
	features, members := le.Uint32(b[4:]), le.Uint32(b[8:])
	if features < 1 || features > 1<<16 || members < 1 || members > maxMembers {
		return fmt.Errorf("ensemble: got %d features and %d forests", features, members)
	}
	out := ensemble{features: int(features)}
	b = b[head:]
	for i := range members {
		m, rest, err := readMember(b, features)
		if err != nil {
			return fmt.Errorf("ensemble: forest %d: %w", i, err)
		}
		out.members, b = append(out.members, *m), rest
	}
	if len(b) > 0 {
		return fmt.Errorf("ensemble: %d bytes too many", len(b))
	}
	*e = out
	return nil
}

func readMember(b []byte, features uint32) (*familyForest, []byte, error) {
	le := binary.LittleEndian
	if len(b) < 12 {
		return nil, nil, errShort
	}
	m := &familyForest{weight: math.Float64frombits(le.Uint64(b))}
	n := int(le.Uint32(b[8:]))
	if b = b[12:]; n < 1 || n > int(features) || len(b) < 8*n {
		return nil, nil, errShort
	}
	if !(m.weight > 0 && m.weight <= 1) {
		return nil, nil, fmt.Errorf("weight: want more than 0 and at most 1, got %g", m.weight)
	}
	for i := range n {
		c := le.Uint32(b[4*i:])
		if c >= features || i > 0 && int(c) <= m.columns[i-1] {
			return nil, nil, fmt.Errorf("feature %d: out of order, or none of %d", c, features)
		}
		m.columns = append(m.columns, int(c))
		floor := math.Float32frombits(le.Uint32(b[4*n+4*i:]))
		if floor != floor || math.IsInf(float64(floor), 1) {
			return nil, nil, fmt.Errorf("feature %d: floor of %g", c, floor)
		}
		m.floors = append(m.floors, floor)
	}
	var err error
	if m.surprise, b, err = readSurprise(b[8*n:]); err != nil {
		return nil, nil, err
	}
	if len(b) < 8 {
		return nil, nil, errShort
	}
	size := le.Uint64(b)
	if b = b[8:]; size > uint64(len(b)) {
		return nil, nil, errShort
	}
	if size == 0 {
		if n != 1 {
			return nil, nil, fmt.Errorf("%d features without a forest, want one", n)
		}
		m.surprise.bits = true
		return m, b, nil
	}
	m.forest = new(forest.Isolation)
	if err := m.forest.UnmarshalBinary(b[:size]); err != nil {
		return nil, nil, err
	}
	if got := m.forest.Features(); got != n {
		return nil, nil, fmt.Errorf("got a forest over %d features, want %d", got, n)
	}
	return m, b[size:], nil
}

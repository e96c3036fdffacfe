package forest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

const (
	magic         = "MFOR"
	version       = 1
	kindIsolation = 1
	kindRandom    = 2
	nodeBytes     = 12
	maxOutOfBag   = 1 << 31 // rows
	leastCover    = 1e-12
	mostCover     = 1e12
)

// MarshalBinary returns the forest in the form of FORMAT.md.
func (f *Isolation) MarshalBinary() ([]byte, error) {
	if f.plan == nil {
		return nil, errors.New("isolation forest: neither fitted nor decoded")
	}
	return f.marshal(), nil
}

func (f *Isolation) marshal() []byte {
	b := f.header(kindIsolation)
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(f.samples))
	if f.box == nil {
		b = le.AppendUint32(b, 0)
	} else {
		b = le.AppendUint32(b, 1)
		for i := range f.box.low {
			b = le.AppendUint32(b, math.Float32bits(f.box.low[i]))
			b = le.AppendUint32(b, math.Float32bits(f.box.high[i]))
		}
	}
	return f.appendTrees(b, func(n *node) (value float32, cover uint32) { return 0, uint32(n.cover) })
}

// MarshalBinary returns the forest in the form of FORMAT.md.
func (f *Random) MarshalBinary() ([]byte, error) {
	if f.plan == nil {
		return nil, errors.New("random forest: neither fitted nor decoded")
	}
	b := f.header(kindRandom)
	le := binary.LittleEndian
	b = le.AppendUint64(b, uint64(f.outOfBag.Rows))
	for _, v := range []float64{f.outOfBag.AUROC, f.outOfBag.LogLoss, f.outOfBag.Accuracy} {
		b = le.AppendUint64(b, math.Float64bits(v))
	}
	for _, v := range f.importance {
		b = le.AppendUint64(b, math.Float64bits(v))
	}
	return f.appendTrees(b, func(n *node) (value float32, cover uint32) {
		return n.value, math.Float32bits(n.cover)
	}), nil
}

func (m *model) header(kind uint16) []byte {
	le := binary.LittleEndian
	b := le.AppendUint16([]byte(magic), version)
	b = le.AppendUint16(b, kind)
	b = le.AppendUint32(b, uint32(m.features))
	return le.AppendUint32(b, uint32(len(m.trees)))
}

// appendTrees appends all trees; leaf says what is written of a leaf.
func (m *model) appendTrees(b []byte, leaf func(*node) (value float32, cover uint32)) []byte {
	le := binary.LittleEndian
	for _, t := range m.trees {
		b = le.AppendUint32(b, uint32(len(t)))
	}
	for _, t := range m.trees {
		for i := range t {
			n := &t[i]
			value, cover := n.value, uint32(0)
			if n.leaf() {
				value, cover = leaf(n)
			}
			b = le.AppendUint32(b, n.tag)
			b = le.AppendUint32(b, math.Float32bits(value))
			b = le.AppendUint32(b, cover)
		}
	}
	return b
}

// UnmarshalBinary replaces f by the forest that MarshalBinary wrote. Everything is
// checked before f changes, and no more memory is taken than a small multiple of
// len(b); a decoded forest scores any input. Errors name the tree and the node.
// b is not kept.
func (f *Isolation) UnmarshalBinary(b []byte) error {
	r := reader{b: b}
	features, trees, err := r.header(kindIsolation)
	if err != nil {
		return fmt.Errorf("isolation forest: %w", err)
	}
	samples := r.uint32()
	if r.short || samples < 1 || samples > maxSamples {
		return fmt.Errorf("isolation forest: samples per tree: want 1 to %d, got %d", maxSamples, samples)
	}
	box, err := r.box(features)
	if err != nil {
		return fmt.Errorf("isolation forest: %w", err)
	}
	list, err := r.trees(features, trees, bits.Len32(samples-1), func(n *node, cover uint32) error {
		if math.Float32bits(n.value) != 0 {
			return errors.New("second word of a leaf: want 0")
		}
		if cover < 1 || cover > samples {
			return fmt.Errorf("rows: want 1 to %d, got %d", samples, cover)
		}
		n.cover = float32(cover)
		return nil
	})
	if err != nil {
		return fmt.Errorf("isolation forest: %w", err)
	}
	for i, t := range list {
		if t[0].cover != float32(samples) {
			return fmt.Errorf("isolation forest: tree %d: want %d rows in the leaves, got %g", i, samples, t[0].cover)
		}
		t.measure(func(i, depth int) {
			if n := &t[i]; n.leaf() {
				n.value = pathLength(depth, int(n.cover))
			}
		})
	}
	*f = *newIsolation(features, int(samples), list)
	f.box = box
	return nil
}

// UnmarshalBinary replaces f by the forest that MarshalBinary wrote. Everything is
// checked before f changes, and no more memory is taken than a small multiple of
// len(b); a decoded forest scores any input. Errors name the tree and the node.
// b is not kept.
func (f *Random) UnmarshalBinary(b []byte) error {
	r := reader{b: b}
	features, trees, err := r.header(kindRandom)
	if err != nil {
		return fmt.Errorf("random forest: %w", err)
	}
	bag, importance, err := r.figures(features)
	if err != nil {
		return fmt.Errorf("random forest: %w", err)
	}
	list, err := r.trees(features, trees, maxDepth, func(n *node, cover uint32) error {
		if !(n.value >= 0 && n.value <= 1) {
			return fmt.Errorf("probability: want 0 to 1, got %g", n.value)
		}
		n.cover = math.Float32frombits(cover)
		if !(n.cover >= leastCover && n.cover <= mostCover) {
			return fmt.Errorf("weight: want %g to %g, got %g", leastCover, mostCover, n.cover)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("random forest: %w", err)
	}
	*f = *newRandom(features, list, importance, bag)
	return nil
}

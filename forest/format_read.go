package forest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// reader takes numbers from the front of b; past the end it gives zeros and
// sets short.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.b, r.short = nil, true
		return make([]byte, n)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) uint16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) uint32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

var errShort = errors.New("ends too early")

func (r *reader) header(wantKind uint16) (features, trees int, err error) {
	if string(r.take(len(magic))) != magic {
		return 0, 0, fmt.Errorf("want %q in the first bytes", magic)
	}
	v, kind, n, t := r.uint16(), r.uint16(), r.uint32(), r.uint32()
	switch {
	case r.short:
		return 0, 0, errShort
	case v != version:
		return 0, 0, fmt.Errorf("version: want %d, got %d", version, v)
	case kind != wantKind:
		return 0, 0, fmt.Errorf("kind: want %d, got %d", wantKind, kind)
	case n < 1 || n > maxFeatures:
		return 0, 0, fmt.Errorf("features: want 1 to %d, got %d", maxFeatures, n)
	case t < 1 || t > maxTrees:
		return 0, 0, fmt.Errorf("trees: want 1 to %d, got %d", maxTrees, t)
	}
	return int(n), int(t), nil
}

// figures reads what a random forest knows of its training.
func (r *reader) figures(features int) (bag OutOfBag, importance []float64, err error) {
	rows := r.uint64()
	var f [3]float64
	for i, name := range []string{"AUROC", "log loss", "accuracy"} {
		f[i] = math.Float64frombits(r.uint64())
		if f[i] < 0 || math.IsInf(f[i], 0) {
			return bag, nil, fmt.Errorf("out-of-bag %s: want at least 0 and finite, got %g", name, f[i])
		}
	}
	if rows > maxOutOfBag {
		return bag, nil, fmt.Errorf("out-of-bag rows: want at most %d, got %d", uint64(maxOutOfBag), rows)
	}
	if len(r.b) < 8*features {
		return bag, nil, errShort
	}
	importance = make([]float64, features)
	for i := range importance {
		v := math.Float64frombits(r.uint64())
		if !(v >= 0 && v <= 1) {
			return bag, nil, fmt.Errorf("importance of feature %d: want 0 to 1, got %g", i, v)
		}
		importance[i] = v
	}
	return OutOfBag{int(rows), f[0], f[1], f[2]}, importance, nil
}

// trees reads linked trees up to the end. leaf checks the second and third word
// of a leaf and sets what follows from them.
func (r *reader) trees(features, count, deepest int, leaf func(n *node, cover uint32) error) ([]tree, error) {
	if len(r.b) < 4*count {
		return nil, errShort
	}
	sizes := r.take(4 * count)
	var total uint64
	for i := range count {
		size := binary.LittleEndian.Uint32(sizes[4*i:])
		if size < 1 || size > maxNodes {
			return nil, fmt.Errorf("tree %d: nodes: want 1 to %d, got %d", i, maxNodes, size)
		}
		total += uint64(size)
	}
	if total > maxNodes || total*nodeBytes != uint64(len(r.b)) {
		return nil, fmt.Errorf("want %d bytes for %d nodes, got %d", total*nodeBytes, total, len(r.b))
	}
	nodes := make(tree, total)
	trees := make([]tree, count)
	for i := range trees {
		size := int(binary.LittleEndian.Uint32(sizes[4*i:]))
		trees[i], nodes = nodes[:size:size], nodes[size:]
		if err := r.tree(trees[i], features, deepest, leaf); err != nil {
			return nil, fmt.Errorf("tree %d: %w", i, err)
		}
	}
	return trees, nil
}

func (r *reader) tree(t tree, features, deepest int, leaf func(n *node, cover uint32) error) error {
	for i := range t {
		n := &t[i]
		n.tag, n.value = r.uint32(), math.Float32frombits(r.uint32())
		cover := r.uint32()
		if n.leaf() {
			if err := leaf(n, cover); err != nil {
				return fmt.Errorf("node %d: %w", i, err)
			}
			continue
		}
		switch {
		case n.feature() >= features:
			return fmt.Errorf("node %d: feature: want below %d, got %d", i, features, n.feature())
		case n.value != n.value || math.IsInf(float64(n.value), 0):
			return fmt.Errorf("node %d: threshold: want a finite number, got %g", i, n.value)
		case cover != 0:
			return fmt.Errorf("node %d: third word of a split: want 0, got %d", i, cover)
		}
	}
	depth, err := t.link()
	if err == nil && depth > deepest {
		err = fmt.Errorf("want at most %d splits from the root to a leaf, got more", deepest)
	}
	return err
}

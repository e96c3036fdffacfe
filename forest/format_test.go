package forest

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
)

// words appends numbers of 32 bits.
func words(b []byte, w ...uint32) []byte {
	for _, v := range w {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

func f32(v float32) uint32 { return math.Float32bits(v) }

// smallIsolation is a forest over two features and four rows, of the given
// nodes; sizes are the node counts of the trees.
func smallIsolation(sizes []uint32, nodes ...uint32) []byte {
	b := words([]byte(magic), version|kindIsolation<<16, 2, uint32(len(sizes)), 4, 0)
	return words(words(b, sizes...), nodes...)
}

func smallRandom(nodes ...uint32) []byte {
	b := words([]byte(magic), version|kindRandom<<16, 1, 1)
	b = append(b, make([]byte, 32+8)...)
	return words(words(b, uint32(len(nodes)/3)), nodes...)
}

func TestRoundTrip(t *testing.T) {
	iso := fitIsolation(t, noise(1, 5, 400, 0.1, 0.05), DefaultIsolationOptions())
	x, y := attacks(1, 5, 400)
	rnd := fitRandom(t, x, y, DefaultRandomOptions())
	b, err := iso.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var iso2 Isolation
	if err := iso2.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	again, _ := iso2.MarshalBinary()
	if !bytes.Equal(b, again) || !slices.Equal(scores(t, iso, x, 1), scores(t, &iso2, x, 1)) || iso2.Samples() != 256 {
		t.Error("isolation: bytes, samples or scores differ after a round trip")
	}
	b, err = rnd.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var rnd2 Random
	if err := rnd2.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	again, _ = rnd2.MarshalBinary()
	if !bytes.Equal(b, again) || !slices.Equal(scores(t, rnd, x, 1), scores(t, &rnd2, x, 1)) {
		t.Error("random: bytes or scores differ after a round trip")
	}
	if rnd.OutOfBag() != rnd2.OutOfBag() || !slices.Equal(rnd.Importance(), rnd2.Importance()) {
		t.Errorf("random: got %+v %v, want %+v %v", rnd2.OutOfBag(), rnd2.Importance(), rnd.OutOfBag(), rnd.Importance())
	}
	one, two := make([]float64, 5), make([]float64, 5)
	base, _ := rnd.Contributions(rowOf(x, 0), one)
	base2, _ := rnd2.Contributions(rowOf(x, 0), two)
	if base != base2 || !slices.Equal(one, two) {
		t.Errorf("random: contributions: got %v %v, want %v %v", base2, two, base, one)
	}
}

func TestMarshalRefusesZeroValue(t *testing.T) {
	if _, err := new(Isolation).MarshalBinary(); err == nil {
		t.Error("isolation: got no error")
	}
	if _, err := new(Random).MarshalBinary(); err == nil {
		t.Error("random: got no error")
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	const L = leafTag
	leaf4, leaf1, leaf3 := []uint32{L, 0, 4}, []uint32{L, 0, 1}, []uint32{L, 0, 3}
	split := []uint32{1, f32(0.5), 0}
	cat := func(parts ...[]uint32) []uint32 { return slices.Concat(parts...) }
	good := smallIsolation([]uint32{1, 3}, cat(leaf4, split, leaf1, leaf3)...)
	if err := new(Isolation).UnmarshalBinary(good); err != nil {
		t.Fatalf("good bytes: got error %v", err)
	}
	put := func(at int, v uint32) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	deep := cat(split, leaf1, split, leaf1, split, leaf1, leaf1)
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"empty", nil, `want "MFOR" in the first bytes`},
		{"cut header", good[:10], "ends too early"},
		{"cut box", good[:22], "ends too early"},
		{"cut sizes", good[:26], "ends too early"},
		{"cut nodes", good[:len(good)-1], "want 48 bytes for 4 nodes, got 47"},
		{"bytes after the end", append(bytes.Clone(good), 0), "want 48 bytes for 4 nodes, got 49"},
		{"version", put(4, 2|kindIsolation<<16), "version: want 1, got 2"},
		{"kind", put(4, 1|kindRandom<<16), "kind: want 1, got 2"},
		{"no features", put(8, 0), "features: want 1 to"},
		{"features", put(8, math.MaxUint32), "features: want 1 to"},
		{"features above the most", put(8, maxFeatures+1), "features: want 1 to"},
		{"no trees", put(12, 0), "trees: want 1 to"},
		{"absurd trees", put(12, math.MaxUint32), "trees: want 1 to"},
		{"trees without bytes", put(12, 65536), "ends too early"},
		{"no samples", put(16, 0), "samples per tree: want 1 to"},
		{"samples", put(16, 1<<25), "samples per tree: want 1 to"},
		{"box flag", put(20, 2), "box: want 0 or 1, got 2"},
		{"box without bounds", put(20, 1), "box: feature"},
		{"empty tree", put(24, 0), "tree 0: nodes: want 1 to"},
		{"absurd nodes", put(24, 1<<30), "bytes for 1073741827 nodes"},
		{"more nodes", put(24, math.MaxUint32), "tree 0: nodes: want 1 to"},
		{"feature", smallIsolation([]uint32{3}, cat([]uint32{2, 0, 0}, leaf1, leaf3)...), "tree 0: node 0: feature: want below 2, got 2"},
		{"NaN threshold", smallIsolation([]uint32{3}, cat([]uint32{0, f32(nan), 0}, leaf1, leaf3)...), "tree 0: node 0: threshold: want a finite number, got NaN"},
		{"infinite threshold", smallIsolation([]uint32{1, 3}, cat(leaf4, []uint32{0, f32(-inf), 0}, leaf1, leaf3)...), "tree 1: node 0: threshold: want a finite number, got -Inf"},
		{"third word", smallIsolation([]uint32{3}, cat([]uint32{0, 0, 1}, leaf1, leaf3)...), "tree 0: node 0: third word of a split"},
		{"second word of a leaf", smallIsolation([]uint32{3}, cat(split, []uint32{L, 1, 1}, leaf3)...), "tree 0: node 1: second word of a leaf"},
		{"empty leaf", smallIsolation([]uint32{3}, cat(split, []uint32{L, 0, 0}, leaf3)...), "tree 0: node 1: rows: want 1 to 4, got 0"},
		{"leaf too large", smallIsolation([]uint32{3}, cat(split, leaf1, []uint32{L, 0, 5})...), "tree 0: node 2: rows: want 1 to 4, got 5"},
		{"rows do not add up", smallIsolation([]uint32{3}, cat(split, leaf1, leaf1)...), "tree 0: want 4 rows in the leaves, got 2"},
		{"no right child", smallIsolation([]uint32{2}, cat(split, leaf4)...), "tree 0: node 0: has no right child, the tree ends at node 1"},
		{"only splits", smallIsolation([]uint32{2}, cat(split, split)...), "tree 0: node 1: has no right child"},
		{"two roots", smallIsolation([]uint32{2}, cat(leaf4, leaf4)...), "tree 0: node 1: belongs to no split"},
		{"too deep", smallIsolation([]uint32{7}, deep...), "tree 0: want at most 2 splits from the root to a leaf"},
	} {
		var f Isolation
		if err := f.UnmarshalBinary(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %s", c.name, err, c.want)
		}
		if f.plan != nil {
			t.Errorf("%s: the forest changed", c.name)
		}
	}
}

func TestUnmarshalRandomRefuses(t *testing.T) {
	const L = leafTag
	if err := new(Random).UnmarshalBinary(smallRandom(L, f32(0.5), f32(3))); err != nil {
		t.Fatalf("good bytes: got error %v", err)
	}
	put := func(at int, v float64) []byte {
		b := smallRandom(L, f32(0.5), f32(3))
		binary.LittleEndian.PutUint64(b[at:], math.Float64bits(v))
		return b
	}
	chain := []uint32{}
	for range maxDepth + 1 {
		chain = append(chain, 0, 0, 0, L, 0, f32(1))
	}
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"cut figures", smallRandom(L, 0, f32(1))[:40], "ends too early"},
		{"rows", put(16, -1), "out-of-bag rows: want at most"},
		{"AUROC", put(24, math.Inf(1)), "out-of-bag AUROC"},
		{"log loss", put(32, -1), "out-of-bag log loss"},
		{"importance", put(48, math.NaN()), "importance of feature 0: want 0 to 1, got NaN"},
		{"importance above one", put(48, 1.25), "importance of feature 0: want 0 to 1, got 1.25"},
		{"importance below zero", put(48, -0.25), "importance of feature 0: want 0 to 1, got -0.25"},
		{"probability", smallRandom(L, f32(1.5), f32(1)), "tree 0: node 0: probability: want 0 to 1, got 1.5"},
		{"NaN probability", smallRandom(L, f32(nan), f32(1)), "tree 0: node 0: probability: want 0 to 1, got NaN"},
		{"no weight", smallRandom(L, 0, 0), "tree 0: node 0: weight"},
		{"too deep", smallRandom(append(chain, L, 0, f32(1))...), "want at most 512 splits"},
	} {
		var f Random
		if err := f.UnmarshalBinary(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %s", c.name, err, c.want)
		}
	}
}

// FuzzUnmarshal checks that bytes are refused, or give a forest that writes the
// same bytes, scores anything and explains it.
func FuzzUnmarshal(f *testing.F) {
	x, y := attacks(1, 3, 30)
	iopts, ropts := DefaultIsolationOptions(), DefaultRandomOptions()
	iopts.NEstimators, iopts.MaxSamples, ropts.NEstimators = 3, 16, 3
	for _, m := range []decoded{fitIsolation(f, x, iopts), fitRandom(f, x, y, ropts)} {
		b, err := m.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(smallIsolation([]uint32{1, 3}, leafTag, 0, 4, 1|missingLeft, f32(0.5), 0, leafTag, 0, 1, leafTag, 0, 3))
	f.Add(smallRandom(0, 0, 0, leafTag, f32(1), f32(1), leafTag, 0, f32(2)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var iso Isolation
		if iso.UnmarshalBinary(b) == nil {
			checkDecoded(t, b, &iso, iso.Features(), math.SmallestNonzeroFloat32)
		}
		var rnd Random
		if rnd.UnmarshalBinary(b) == nil {
			checkDecoded(t, b, &rnd, rnd.Features(), 0)
		}
	})
}

type decoded interface {
	scorer
	MarshalBinary() ([]byte, error)
	Contributions(row []float32, out []float64) (float64, error)
}

func checkDecoded(t *testing.T, b []byte, f decoded, features int, least float32) {
	again, err := f.MarshalBinary()
	if err != nil || !bytes.Equal(b, again) {
		t.Fatalf("got other bytes, or error %v, after a round trip of %x", err, b)
	}
	if features > 1000 {
		return
	}
	x := make([][]float32, features)
	for i := range x {
		x[i] = []float32{0, nan, inf, -inf, 1, -1, math.MaxFloat32}
	}
	for r, s := range scores(t, f, x, 1) {
		if !(s >= least && s <= 1) {
			t.Fatalf("row %d: got score %v, want %v to 1; forest %x", r, s, least, b)
		}
	}
	if len(b) < 10000 {
		for r := range x[0] {
			if _, err := f.Contributions(rowOf(x, r), make([]float64, features)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestUnmarshalTakesTheLimits decodes figures at the ends of their ranges.
func TestUnmarshalTakesTheLimits(t *testing.T) {
	le := binary.LittleEndian
	for _, importance := range []float64{0, 1} {
		b := smallRandom(leafTag, f32(0.5), f32(3))
		le.PutUint64(b[16:], maxOutOfBag)
		le.PutUint64(b[48:], math.Float64bits(importance))
		var f Random
		if err := f.UnmarshalBinary(b); err != nil || f.OutOfBag().Rows != maxOutOfBag || f.Importance()[0] != importance {
			t.Errorf("importance %v: got error %v, %d rows", importance, err, f.OutOfBag().Rows)
		}
		le.PutUint64(b[16:], maxOutOfBag+1)
		if err := f.UnmarshalBinary(b); err == nil || !strings.Contains(err.Error(), "out-of-bag rows") {
			t.Errorf("too many rows: got error %v", err)
		}
	}
	wide := smallIsolation([]uint32{1}, leafTag, 0, 4)
	le.PutUint32(wide[8:], maxFeatures)
	if err := new(Isolation).UnmarshalBinary(wide); err != nil {
		t.Errorf("%d features: got error %v", maxFeatures, err)
	}
	deep := words(nil)
	for range maxDepth {
		deep = words(deep, 0, 0, 0, leafTag, 0, f32(1))
	}
	deep = words(deep, leafTag, 0, f32(1))
	b := smallRandom(make([]uint32, len(deep)/4)...)
	copy(b[len(b)-len(deep):], deep)
	var f Random
	if err := f.UnmarshalBinary(b); err != nil {
		t.Errorf("%d splits deep: got error %v", maxDepth, err)
	}
}

func TestNewIsolation(t *testing.T) {
	x := noise(1, 3, 400, 0.1, 0.05)
	f := fitIsolation(t, x, DefaultIsolationOptions())
	var trees [][]Node
	for i := range f.Trees() {
		trees = append(trees, f.Nodes(i))
	}
	again, err := NewIsolation(3, 256, trees)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := f.MarshalBinary()
	if b, _ := again.MarshalBinary(); !bytes.Equal(a, b) {
		t.Error("a forest from the nodes of another one differs from it")
	}
	leaf := func(rows float32) Node { return Node{Leaf: true, Cover: rows} }
	for _, c := range []struct {
		features, psi int
		nodes         []Node
		want          string
	}{
		{0, 4, []Node{leaf(4)}, "want 1 to 1048576 features"},
		{1, 0, []Node{leaf(0)}, "1 to 16777216 rows, got 1 and 0"},
		{1, 4, nil, "tree 0: nodes: want 1 to"},
		{1, 4, []Node{leaf(3)}, "tree 0: want 4 rows in the leaves, got 3"},
		{1, 4, []Node{{Feature: 1}, leaf(1), leaf(3)}, "tree 0: node 0: feature: want below 1, got 1"},
		{1, 4, []Node{{Feature: -1}, leaf(1), leaf(3)}, "tree 0: node 0: feature: want below 1"},
		{1, 4, []Node{{Threshold: nan}, leaf(1), leaf(3)}, "tree 0: node 0: threshold: want a finite number, got NaN"},
		{1, 4, []Node{{}, leaf(1), leaf(0)}, "tree 0: node 2: rows: want 1 to 4, got 0"},
		{1, 4, []Node{{}, leaf(4)}, "tree 0: node 0: has no right child"},
	} {
		if _, err := NewIsolation(c.features, c.psi, [][]Node{c.nodes}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got error %v, want %s", c.nodes, err, c.want)
		}
	}
}

package forest

import "math"

// walk is trees in the form in which single rows are walked down them by their
// values, for trees with more cuts in a column than ranks tell apart.
type walk struct {
	features int
	steps    []step
	roots    []walkRoot
}

// step is one node as walking executes it. The two children of a split lie
// beside each other, so that a comparison's outcome is the offset; a leaf points
// at itself, so that walking on from it changes nothing.
type step struct {
	threshold float32 // +Inf in a leaf
	feature   uint32  // 0 in a leaf; missingLeft is added as in node.tag
	left      uint32  // index of the left child; the right child is left+1
	answer    uint32  // of a leaf
}

type walkRoot struct {
	at    uint32
	depth int
}

// newWalk lays out linked trees.
func newWalk(features int, trees []tree, unit fixed) *walk {
	total := 0
	for _, t := range trees {
		total += len(t)
	}
	p := &walk{features: features, steps: make([]step, 0, total), roots: make([]walkRoot, 0, len(trees))}
	var queue []uint32 // node index in t of each step of the tree, breadth first
	for _, t := range trees {
		base := len(p.steps)
		p.roots = append(p.roots, walkRoot{at: uint32(base), depth: t.measure(nil)})
		queue = append(queue[:0], 0)
		for k := 0; k < len(queue); k++ {
			n := &t[queue[k]]
			if n.leaf() {
				p.steps = append(p.steps, step{threshold: float32(math.Inf(1)), feature: missingLeft, left: uint32(base + k), answer: unit.of(n.value)})
				continue
			}
			p.steps = append(p.steps, step{threshold: n.value, feature: n.tag, left: uint32(base + len(queue))})
			queue = append(queue, queue[k]+1, n.right)
		}
	}
	return p
}

// tileFloats is how many values a tile of rows holds at most.
const tileFloats = 256 << 10

// lanes is how many rows are walked through a tree together.
const lanes = 4

// score adds the trees' answers for rows [from, from+len(totals)) to totals.
func (p *walk) score(x [][]float32, from int, totals []uint64, t *tile) {
	block := max(1, tileFloats/p.features)
	for len(totals) > 0 {
		n := min(block, len(totals))
		t.load(x, from, from+n)
		for _, root := range p.roots {
			p.walk(root, t)
		}
		for r, sum := range t.sums[:n] {
			totals[r] += sum
		}
		from, totals = from+n, totals[n:]
	}
}

// tile is a block of rows, row after row, and their sums. Where a value of the
// block is missing, each row is there twice: once with +Inf, which goes right at
// every threshold, in place of what is missing, and once with -Inf, which goes left.
// So walking needs no branch.
type tile struct {
	values []float32
	sums   []uint64
	stride int    // from a row to the next
	second uint32 // from a value to its second copy; 0 when there is none
	rows   int    // padded to a multiple of lanes
}

// load fills the tile with rows [from, to) of x, infinities clamped, and zeroes
// the sums.
func (t *tile) load(x [][]float32, from, to int) {
	width := len(x)
	t.rows = (to - from + lanes - 1) &^ (lanes - 1)
	t.stride, t.second = width, 0
	if need := t.rows * width; len(t.values) < need {
		t.values = make([]float32, need)
	}
	if len(t.sums) < t.rows {
		t.sums = make([]uint64, t.rows)
	}
	missing := false
	for f, col := range x {
		at := f
		for _, v := range col[from:to] {
			missing = missing || v != v
			t.values[at] = clamp(v)
			at += width
		}
		for r := to - from; r < t.rows; r++ {
			t.values[at] = 0
			at += width
		}
	}
	if missing {
		t.double(width)
	}
	clear(t.sums)
}

// double replaces the rows of a tile by their two copies.
func (t *tile) double(width int) {
	t.stride, t.second = 2*width, uint32(width)
	if need := t.rows * t.stride; len(t.values) < need {
		t.values = append(t.values, make([]float32, need-len(t.values))...)
	}
	low, high := float32(math.Inf(-1)), float32(math.Inf(1))
	for r := t.rows - 1; r >= 0; r-- {
		from := t.values[r*width : (r+1)*width]
		to := t.values[r*t.stride : (r+1)*t.stride]
		for f := width - 1; f >= 0; f-- { // rows overlap: the last value moves first
			right, left := from[f], from[f]
			if right != right {
				right, left = high, low
			}
			to[width+f], to[f] = left, right
		}
	}
}

// walkChunk is how many levels are walked before looking whether all lanes have
// arrived.
const walkChunk = 4

// walk adds one tree's answers to the tile's sums.
func (p *walk) walk(root walkRoot, t *tile) {
	steps, n, second := p.steps, t.stride, t.second
	for r := 0; r < t.rows; r += lanes {
		a := t.values[r*n : (r+1)*n]
		b := t.values[(r+1)*n : (r+2)*n]
		c := t.values[(r+2)*n : (r+3)*n]
		d := t.values[(r+3)*n : (r+4)*n]
		i, j, k, l := root.at, root.at, root.at, root.at
		for depth := 0; depth < root.depth; depth += walkChunk {
			for range min(walkChunk, root.depth-depth) {
				s := &steps[i]
				i = s.left + above(a[s.column(second)], s.threshold)
				s = &steps[j]
				j = s.left + above(b[s.column(second)], s.threshold)
				s = &steps[k]
				k = s.left + above(c[s.column(second)], s.threshold)
				s = &steps[l]
				l = s.left + above(d[s.column(second)], s.threshold)
			}
			if steps[i].left == i && steps[j].left == j && steps[k].left == k && steps[l].left == l {
				break
			}
		}
		sums := t.sums[r : r+lanes : r+lanes]
		sums[0] += uint64(steps[i].answer)
		sums[1] += uint64(steps[j].answer)
		sums[2] += uint64(steps[k].answer)
		sums[3] += uint64(steps[l].answer)
	}
}

// column returns where in a row of a tile the value is that the step compares:
// missing values that go left are in the second copy.
func (s *step) column(second uint32) uint32 {
	return s.feature&^missingLeft + uint32(int32(s.feature)>>31)&second
}

package forest

import (
	"fmt"
	"math"
)

// step is one node as scoring executes it. The two children of a split lie
// beside each other, so that a comparison's outcome is the offset; a leaf points
// at itself, so that walking on from it changes nothing.
type step struct {
	threshold float32 // +Inf in a leaf
	feature   uint32  // 0 in a leaf; missingLeft is added as in node.tag
	left      uint32  // index of the left child; the right child is left+1
	answer    float32 // of a leaf
}

// plan is a forest in the form that scoring executes. It is read-only once made
// and safe for concurrent use.
type plan struct {
	features int
	steps    []step
	roots    []planRoot
}

type planRoot struct {
	at    uint32
	depth int
}

// newPlan lays out linked trees.
func newPlan(features int, trees []tree) *plan {
	total := 0
	for _, t := range trees {
		total += len(t)
	}
	p := &plan{features: features, steps: make([]step, 0, total), roots: make([]planRoot, 0, len(trees))}
	var queue []uint32 // node index in t of each step of the tree, breadth first
	for _, t := range trees {
		base := len(p.steps)
		p.roots = append(p.roots, planRoot{at: uint32(base), depth: t.measure(nil)})
		queue = append(queue[:0], 0)
		for k := 0; k < len(queue); k++ {
			n := &t[queue[k]]
			if n.leaf() {
				p.steps = append(p.steps, step{threshold: float32(math.Inf(1)), feature: missingLeft, left: uint32(base + k), answer: n.value})
				continue
			}
			p.steps = append(p.steps, step{threshold: n.value, feature: n.tag, left: uint32(base + len(queue))})
			queue = append(queue, queue[k]+1, n.right)
		}
	}
	return p
}

// tileFloats bounds a tile of rows, so that it stays in the first-level cache.
const tileFloats = 8 << 10

// lanes is how many rows are walked through a tree together.
const lanes = 4

// score calls finish with each row's sum over the trees, added in tree order in
// float64, and puts what it returns into out. Blocks of rows are shared out among
// threads.
func (p *plan) score(x [][]float32, out []float32, threads int, finish func(sum float64) float32) error {
	rows, err := checkColumns(x, p.features)
	if err != nil {
		return err
	}
	if len(out) != rows {
		return fmt.Errorf("out: want %d rows, got %d", rows, len(out))
	}
	block := max(lanes, min(256, tileFloats/p.features)&^(lanes-1))
	blocks := (rows + block - 1) / block
	scratch := make([]tile, workers(blocks, threads))
	parallel(blocks, threads, func(w, i int) {
		t := &scratch[w]
		if t.values == nil {
			t.values = make([]float32, block*p.features)
			t.sums = make([]float64, block)
		}
		from := i * block
		to := min(from+block, rows)
		t.load(x, from, to)
		for _, root := range p.roots {
			if t.missing {
				p.walkMissing(root, t)
			} else {
				p.walk(root, t)
			}
		}
		for r, sum := range t.sums[:to-from] {
			out[from+r] = finish(sum)
		}
	})
	return nil
}

// tile is a block of rows, row after row, and their sums.
type tile struct {
	values  []float32
	sums    []float64
	width   int
	rows    int // padded to a multiple of lanes
	missing bool
}

// load fills the tile with rows [from, to) of x, infinities clamped, and zeroes
// the sums.
func (t *tile) load(x [][]float32, from, to int) {
	t.width = len(x)
	t.rows = (to - from + lanes - 1) &^ (lanes - 1)
	t.missing = false
	for f, col := range x {
		at := f
		for _, v := range col[from:to] {
			if v != v {
				t.missing = true
			} else {
				v = clamp(v)
			}
			t.values[at] = v
			at += t.width
		}
		for r := to - from; r < t.rows; r++ {
			t.values[at] = 0
			at += t.width
		}
	}
	clear(t.sums)
}

// walkChunk is how many levels are walked before looking whether all lanes have
// arrived.
const walkChunk = 8

// walk adds one tree's answers for a tile without missing values.
func (p *plan) walk(root planRoot, t *tile) {
	steps, w := p.steps, t.width
	for r := 0; r < t.rows; r += lanes {
		a := t.values[r*w : (r+1)*w]
		b := t.values[(r+1)*w : (r+2)*w]
		c := t.values[(r+2)*w : (r+3)*w]
		d := t.values[(r+3)*w : (r+4)*w]
		i, j, k, l := root.at, root.at, root.at, root.at
		for depth := 0; depth < root.depth; {
			for range min(walkChunk, root.depth-depth) {
				s := &steps[i]
				i = s.left + above(a[s.feature&^missingLeft], s.threshold)
				s = &steps[j]
				j = s.left + above(b[s.feature&^missingLeft], s.threshold)
				s = &steps[k]
				k = s.left + above(c[s.feature&^missingLeft], s.threshold)
				s = &steps[l]
				l = s.left + above(d[s.feature&^missingLeft], s.threshold)
			}
			depth += walkChunk
			if steps[i].left == i && steps[j].left == j && steps[k].left == k && steps[l].left == l {
				break
			}
		}
		sums := t.sums[r : r+lanes : r+lanes]
		sums[0] += float64(steps[i].answer)
		sums[1] += float64(steps[j].answer)
		sums[2] += float64(steps[k].answer)
		sums[3] += float64(steps[l].answer)
	}
}

// above returns 1 when v > threshold, else 0.
func above(v, threshold float32) uint32 {
	var n uint32
	if v > threshold {
		n = 1
	}
	return n
}

// walkMissing is walk for a tile in which some values are NaN.
func (p *plan) walkMissing(root planRoot, t *tile) {
	steps, w := p.steps, t.width
	for r := range t.rows {
		row := t.values[r*w : (r+1)*w]
		i := root.at
		for {
			s := &steps[i]
			if s.left == i {
				break
			}
			v := row[s.feature&^missingLeft]
			if v != v {
				i = s.left + 1 - s.feature>>31
			} else {
				i = s.left + above(v, s.threshold)
			}
		}
		t.sums[r] += float64(steps[i].answer)
	}
}

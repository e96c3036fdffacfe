package forest

// fraction is one feature of the path from the root to a node, as TreeSHAP keeps
// it.
type fraction struct {
	feature int32   // -1 before the root
	zero    float64 // share of training rows that come this way when the feature is unknown
	one     float64 // 1 when the row itself comes this way, else 0
	weight  float64 // weight of the sets of this many known features
}

// shapley computes the Shapley values of one row, tree after tree.
type shapley struct {
	tree  tree
	row   []float32
	out   []float64
	paths []fraction // the paths of the open nodes, one after the other
}

// newShapley returns one for trees of at most the given depth.
func newShapley(row []float32, out []float64, depth int) *shapley {
	unlike := min(depth, len(row)) + 2 // longest path, its begin included
	return &shapley{row: row, out: out, paths: make([]fraction, (depth+2)*unlike)}
}

// node walks the subtree of node i. The path of its parent is
// s.paths[at:at+length]; last is what the edge to i adds to it.
func (s *shapley) node(i uint32, at, length int, last fraction) {
	parent := s.paths[at : at+length]
	at += length
	path := s.paths[at : at+length+1]
	copy(path, parent)
	extend(path, last)
	n := &s.tree[i]
	if n.leaf() {
		for k := 1; k < len(path); k++ {
			f := &path[k]
			s.out[f.feature] += unwoundSum(path, k) * (f.one - f.zero) * float64(n.value)
		}
		return
	}
	feature := int32(n.feature())
	known := fraction{feature: feature, zero: 1, one: 1}
	for k := 1; k < len(path); k++ {
		if path[k].feature == feature {
			known = path[k]
			unwind(path, k)
			path = path[:len(path)-1]
			break
		}
	}
	// Not n.cover: it is rounded, and the shares must add up to one.
	cover := float64(s.tree[i+1].cover) + float64(s.tree[n.right].cover)
	hot := n.next(i, clamp(s.row[feature]))
	for _, child := range [2]uint32{i + 1, n.right} {
		edge := fraction{feature: feature, zero: known.zero * float64(s.tree[child].cover) / cover}
		if child == hot {
			edge.one = known.one
		}
		s.node(child, at, len(path), edge)
	}
}

// extend puts last at the end of a path that is complete but for it (EXTEND).
func extend(path []fraction, last fraction) {
	l := len(path) - 1
	last.weight = 0
	if l == 0 {
		last.weight = 1
	}
	path[l] = last
	for i := l - 1; i >= 0; i-- {
		path[i+1].weight += last.one * path[i].weight * float64(i+1) / float64(l+1)
		path[i].weight *= last.zero * float64(l-i) / float64(l+1)
	}
}

// unwind undoes the extension by path[k] (UNWIND); the path is one shorter then.
func unwind(path []fraction, k int) {
	l := len(path) - 1
	zero, one := path[k].zero, path[k].one
	next := path[l].weight
	for i := l - 1; i >= 0; i-- {
		if one != 0 {
			was := path[i].weight
			path[i].weight = next * float64(l+1) / (float64(i+1) * one)
			next = was - path[i].weight*zero*float64(l-i)/float64(l+1)
		} else {
			path[i].weight *= float64(l+1) / (zero * float64(l-i))
		}
	}
	for i := k; i < l; i++ {
		path[i].feature, path[i].zero, path[i].one = path[i+1].feature, path[i+1].zero, path[i+1].one
	}
}

// unwoundSum returns the sum of the weights that unwinding path[k] would leave.
func unwoundSum(path []fraction, k int) float64 {
	l := len(path) - 1
	zero, one := path[k].zero, path[k].one
	sum := 0.0
	if one == 0 {
		for i := l - 1; i >= 0; i-- {
			sum += path[i].weight / float64(l-i)
		}
		return sum * float64(l+1) / zero
	}
	next := path[l].weight
	for i := l - 1; i >= 0; i-- {
		w := next / float64(i+1)
		sum += w
		next = path[i].weight - w*zero*float64(l-i)
	}
	return sum * float64(l+1)
}

package forest

import "fmt"

// Limits of every forest, fitted or decoded.
const (
	maxFeatures = 1 << 20
	maxTrees    = 1 << 16
	maxNodes    = 1 << 30 // of a whole forest
	maxDepth    = 512     // edges from the root to the deepest leaf
)

// node is one node of a tree in preorder: the left child of a split is the node
// after it, the right child comes after the whole left subtree. The form has no
// way to write a cycle.
type node struct {
	// tag is leafTag, or the feature's index; missingLeft is added to it when a
	// missing value goes left (else it goes right).
	tag uint32
	// value is a split's threshold (finite), or what a leaf answers: the path
	// length, or the probability of class 1.
	value float32
	// right is the index in the tree of a split's right child; 0 in a leaf.
	right uint32
	// cover is the weight of the training rows that reached the node: rows in an
	// isolation forest, class-weighted rows in a random forest.
	cover float32
}

const (
	leafTag     = ^uint32(0)
	missingLeft = uint32(1) << 31
)

func (n *node) leaf() bool   { return n.tag == leafTag }
func (n *node) feature() int { return int(n.tag &^ missingLeft) }

// next returns the child of split i that value v goes to.
func (n *node) next(i uint32, v float32) uint32 {
	left := v <= n.value
	if v != v {
		left = n.tag&missingLeft != 0
	}
	if left {
		return i + 1
	}
	return n.right
}

// tree is the nodes of one tree; node 0 is the root.
type tree []node

// link sets the right children of a tree whose tags are in preorder, and the
// cover of each split to the sum of its leaves'. It returns the depth, or an error
// that names the node where the tags stop to be one tree.
func (t tree) link() (depth int, err error) {
	var open []int // splits whose right subtree has not begun
	for i := range t {
		if i > 0 && t[i-1].leaf() {
			if len(open) == 0 {
				return 0, fmt.Errorf("node %d: belongs to no split", i)
			}
			t[open[len(open)-1]].right = uint32(i)
			open = open[:len(open)-1]
		}
		if !t[i].leaf() {
			open = append(open, i)
		}
	}
	if last := len(t) - 1; len(open) > 0 {
		return 0, fmt.Errorf("node %d: has no right child, the tree ends at node %d", open[len(open)-1], last)
	}
	for i := len(t) - 1; i >= 0; i-- {
		if n := &t[i]; !n.leaf() {
			n.cover = t[i+1].cover + t[n.right].cover
		}
	}
	return t.measure(nil), nil
}

// measure returns the depth of a linked tree and calls visit, if set, with the
// depth of each node in preorder.
func (t tree) measure(visit func(i, depth int)) int {
	deepest, depth := 0, 0
	var stack [maxDepth + 1]struct {
		right uint32
		depth int
	}
	top := 0
	for i := range t {
		if top > 0 && stack[top-1].right == uint32(i) {
			top--
			depth = stack[top].depth
		}
		deepest = max(deepest, depth)
		if visit != nil {
			visit(i, depth)
		}
		if t[i].leaf() {
			continue
		}
		depth++
		if depth > maxDepth {
			return depth
		}
		stack[top].right, stack[top].depth = t[i].right, depth
		top++
	}
	return deepest
}

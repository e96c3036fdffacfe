package forest

import (
	"fmt"
	"slices"
)

// Node is one node of a tree, for those who write forests in another form.
type Node struct {
	Leaf        bool
	Feature     int     // of a split
	Threshold   float32 // of a split, finite: a value at most this goes left
	MissingLeft bool    // a missing value goes left
	Left, Right int     // of a split: the children, as indices into the tree
	Answer      float32 // of a leaf: the path length, or the probability of class 1
	Cover       float32 // weight of the training rows that reached the node
}

// Nodes returns the nodes of tree i, below Trees(), in preorder: node 0 is the
// root. Infinities count as the ends of float32 at a split.
func (m *model) Nodes(i int) []Node {
	t := m.trees[i]
	out := make([]Node, len(t))
	for k := range t {
		n := &t[k]
		if n.leaf() {
			out[k] = Node{Leaf: true, Answer: n.value, Cover: n.cover}
			continue
		}
		out[k] = Node{
			Feature: n.feature(), Threshold: n.value, MissingLeft: n.tag&missingLeft != 0,
			Left: k + 1, Right: int(n.right), Cover: n.cover,
		}
	}
	return out
}

// MeanPath returns c(psi), what a mean path length is measured by in the score; 0
// where trees grew from one row, and every score is 0.5.
func (f *Isolation) MeanPath() float64 { return meanPath(f.samples) }

// Box returns the least and the greatest training value of each feature, where the
// forest keeps them (IsolationOptions.Box), else nil. Where no training row had a
// value, low is above high.
func (f *Isolation) Box() (low, high []float32) {
	if f.box == nil {
		return nil, nil
	}
	return slices.Clone(f.box.low), slices.Clone(f.box.high)
}

// NewIsolation makes an isolation forest over n features from trees that another
// program grew from psi rows each: nodes in preorder, of which Left, Right and Answer
// are not read, for they follow from the rest. Cover of a leaf is how many training
// rows are in it, at least one, and psi in a tree together. It checks what
// UnmarshalBinary checks; errors name the tree and the node.
func NewIsolation(features, psi int, trees [][]Node) (*Isolation, error) {
	if features < 1 || features > maxFeatures || psi < 1 || psi > maxSamples {
		return nil, fmt.Errorf("isolation forest: want 1 to %d features and 1 to %d rows, got %d and %d", maxFeatures, maxSamples, features, psi)
	}
	of := &Isolation{samples: psi}
	of.features = features
	for _, nodes := range trees {
		t := make(tree, len(nodes))
		for k, n := range nodes {
			t[k] = node{tag: leafTag, cover: n.Cover}
			if !n.Leaf {
				// A feature that cannot be is one that the check refuses.
				t[k] = node{tag: uint32(min(uint(n.Feature), maxFeatures)), value: n.Threshold}
				if n.MissingLeft {
					t[k].tag |= missingLeft
				}
			}
		}
		of.trees = append(of.trees, t)
	}
	f := new(Isolation)
	return f, f.UnmarshalBinary(of.marshal())
}

package forest

import "sync"

// model is what both forests are made of.
type model struct {
	features int
	trees    []tree
	depth    int // of the deepest tree
	// plan compiles the trees when it is first called, for a forest that is only
	// written need not be compiled. Nil in the zero value.
	plan func() *plan
}

// set takes over linked trees, whose answers are summed in the unit.
func (m *model) set(features int, trees []tree, unit fixed) {
	m.features, m.trees, m.depth = features, trees, 0
	m.plan = sync.OnceValue(func() *plan { return newPlan(features, trees, unit, kernels[0]) })
	for _, t := range trees {
		m.depth = max(m.depth, t.measure(nil))
	}
}

// Features returns n, the number of columns that the forest was fitted on.
func (m *model) Features() int { return m.features }

// Trees returns the number of trees.
func (m *model) Trees() int { return len(m.trees) }

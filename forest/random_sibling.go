package forest

// tallies are the counts of a node's draws in the bins of every feature. Where all
// features are looked at in every node, a node's counts less those of one child are
// those of the other, so that only the smaller child's draws are counted. Where
// nodes look at few features, drawn anew each time, as a random forest by default
// does, there is nothing to subtract from: a child shares one of eight features in
// sixty-four with its parent.
type tallies struct{ hist [][256]uint64 }

// siblingDraws is how many draws a node has at least whose counts are kept: fewer
// are counted faster than bins are subtracted.
const siblingDraws = 512

// subtracts reports whether the counts of a node are to be kept for its children.
func (g *randomGrower) subtracts(p part) bool {
	return g.MaxFeatures == len(g.features) && p.to-p.from >= g.keepFrom
}

// count counts the draws of a part in all features that may not be constant.
func (g *randomGrower) count(p part, constants int) *tallies {
	var c *tallies
	if last := len(g.free) - 1; last >= 0 {
		c, g.free = g.free[last], g.free[:last]
		clear(c.hist)
	} else {
		c = &tallies{make([][256]uint64, len(g.features))}
	}
	for _, feature := range g.features[constants:] {
		codes, hist := g.codes[feature], &c.hist[feature]
		for _, d := range g.drawn[p.from:p.to] {
			hist[codes[d.row]] += d.counts()
		}
	}
	return c
}

// part turns a node's counts into those of its children, nil where a child needs
// none. It takes over own, which may be nil.
func (g *randomGrower) part(own *tallies, left, right part, constants int) (ofLeft, ofRight *tallies) {
	small, large := left, right
	if left.to-left.from > right.to-right.from {
		small, large = right, left
	}
	if own == nil || !g.subtracts(large) {
		g.release(own)
		return nil, nil
	}
	of := g.count(small, constants)
	for _, feature := range g.features[constants:] {
		from, less := &own.hist[feature], &of.hist[feature]
		for bin, n := range less {
			from[bin] -= n
		}
	}
	if !g.subtracts(small) {
		g.release(of)
		of = nil
	}
	if small == left {
		return of, own
	}
	return own, of
}

// release gives counts back for another node.
func (g *randomGrower) release(c *tallies) {
	if c != nil {
		g.free = append(g.free, c)
	}
}

package forest

import "math"

// batch is how many features of a node are counted in one pass over its rows.
const batch = 8

// Nodes of fewer draws than lineDraws read the table row by row, where all
// features of a row share a cache line or two; larger ones column by column.
// Nodes of fewer draws than fewDraws look at one feature after the other, for
// the first is often enough.
//
// Where denseDraws draws or more fall into 256 bins, looking for empty ones does
// not pay.
const (
	lineDraws = 8192
	fewDraws  = 6

	denseDraws = 256
)

// search draws features until MaxFeatures of them are not constant, and returns
// the best cutoff (impurity +Inf when there is none) and the new count of
// constants. It stops early at a cutoff that leaves no impurity.
func (g *randomGrower) search(p part, counts uint64, constants int) (cutoff, int) {
	best := cutoff{impurity: math.Inf(1)}
	most := batch
	if p.to-p.from < fewDraws {
		most = 1
	}
	end := len(g.features) // features from here on have been looked at
	for tried := 0; tried < g.MaxFeatures && constants < end && best.impurity > 0; {
		n := min(g.MaxFeatures-tried, end-constants, most)
		for k := range n {
			g.swap(constants+g.chance.below(end-constants-k), end-1-k)
		}
		g.fill(g.features[end-n:end], p)
		last := end - 1 // where the next feature that is not constant goes
		for k := n - 1; k >= 0; k-- {
			c := g.best(k, counts)
			if c.constant {
				continue
			}
			if c.impurity < best.impurity {
				best = c
				best.feature = int(g.features[end-n+k])
			}
			g.swap(end-n+k, last)
			last--
		}
		for k := end - n; k <= last; k++ {
			g.swap(k, constants)
			constants++
		}
		tried += end - 1 - last
		end = last + 1
	}
	return best, constants
}

func (g *randomGrower) swap(a, b int) { g.features[a], g.features[b] = g.features[b], g.features[a] }

// bins is a set of bins.
type bins [4]uint64

// fill counts the draws of a part in the bins of at most batch features, in
// g.hist, and notes in g.occupied which bins hold any; of many draws it notes all
// bins. g.hist must be zero.
func (g *randomGrower) fill(features []int32, p part) {
	drawn := g.drawn[p.from:p.to]
	if g.tallies != nil {
		for k, feature := range features {
			g.hist[k] = g.tallies.hist[feature]
			g.occupied[k] = bins{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
		}
		return
	}
	if len(drawn) >= denseDraws {
		for k := range features {
			g.occupied[k] = bins{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
		}
	}
	if len(drawn) < lineDraws {
		g.fillLines(features, drawn)
	} else {
		for k, feature := range features {
			codes, hist := g.codes[feature], &g.hist[k&(batch-1)]
			for _, d := range drawn {
				hist[codes[d.row]] += d.counts()
			}
		}
	}
}

// fillLines is fill in one pass over the rows.
func (g *randomGrower) fillLines(features []int32, drawn []draw) {
	stride := len(g.codes)
	if len(drawn) >= denseDraws {
		for _, d := range drawn {
			line, n := g.lines[int(d.row)*stride:][:stride], d.counts()
			for k, feature := range features {
				g.hist[k&(batch-1)][line[feature]] += n
			}
		}
		return
	}
	for k := range features {
		g.occupied[k] = bins{}
	}
	for _, d := range drawn {
		line, n := g.lines[int(d.row)*stride:][:stride], d.counts()
		for k, feature := range features {
			code := line[feature]
			g.hist[k&(batch-1)][code] += n
			g.occupied[k&(batch-1)][code>>6] |= 1 << (code & 63)
		}
	}
}

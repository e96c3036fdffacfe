package forest

// plan is a forest in the form that scoring executes. It is read-only once made
// and safe for concurrent use.
//
// A tree of an isolation forest has few splits, and a random forest has few
// thresholds. So not the way of a row down a tree is computed, but for a block of
// 512 rows at a time the outcome of every split, one bit per row: the values of a
// column are searched once in all its cuts, which gives a mask of rows per cut
// (kernel.cut, kernel.expand); then each split costs two logical operations on
// the masks of its tree (kernel.route). That is QuickScorer's idea (Lucchese et
// al., SIGIR 2015) turned by 90 degrees: no bit vectors of leaves per row, but of
// rows per leaf. There is no branch and no gather in it, and it is exact.
//
// Trees with too many splits for that are walked, by ranks (see narrow; with very
// many splits or columns, see deep) or by their values (see walk); a few rows walk down the model.
type plan struct {
	kernel   *kernel
	features int
	trees    []tree
	unit     fixed // of what trees answer
	base     uint64
	groups   []group
	narrow   []narrow // trees with many splits
	deep     []deep   // those among them that have no room there
	walk     *walk    // trees that neither has room for; nil when there are none
	spare    *pool
}

// fixed is a scale in which trees' answers are whole numbers, 2^fixed being one, so that
// sums of them are exact in any order.
type fixed uint

// Units of the two forests. Path lengths are float32 values that are zero or at
// least one, so that they are multiples of 2^-23: nothing is rounded, and 2^16 of
// them, each at most 57, have an exact sum in float64. Probabilities are rounded
// to the nearest 2^-30.
const (
	pathUnit        fixed = 23
	probabilityUnit fixed = 30
)

// of rounds what a leaf answers, which is not negative.
func (u fixed) of(v float32) uint32 { return uint32(float64(v)*float64(uint64(1)<<u) + 0.5) }

// float returns a sum of answers. It is exact below 2^53.
func (u fixed) float(sum uint64) float64 { return float64(sum) / float64(uint64(1)<<u) }

// group is some of a plan's trees, and the cuts of their columns. A column that
// has more cuts than a search can tell apart has them in several groups.
type group struct {
	columns  []column
	programs []program
	masks    int       // that the programs refer to
	both     []bothWay // cuts where missing values go left in one tree and right in another
	flush    int       // programs whose answers a uint32 can sum
}

// column is one feature in a group.
type column struct {
	feature int
	cuts
	first int // mask of the first cut
	// right are the masks of the cuts where missing values go right.
	right []int32
}

// bothWay is a cut that has a second mask, which missing values exceed.
type bothWay struct{ column, from, to int32 }

// mostMasks is how many masks of cuts a group has at most, so that they stay in
// the second-level cache.
const mostMasks = 1 << 14

// newPlan lays out linked trees for a kernel.
func newPlan(features int, trees []tree, unit fixed, k *kernel) *plan {
	p := &plan{kernel: k, features: features, trees: trees, unit: unit, spare: new(pool)}
	var f folded
	var walked []tree
	b, many := newBuilder(unit, k.coarse), newDeepBuilder(unit, k.coarse)
	for _, t := range trees {
		f.fold(t, unit)
		switch {
		case f.splits == 0:
			p.base += uint64(f.answers[0])
		case f.splits > k.mostSplits:
			if many.add(t, &f) {
				break
			}
			if len(many.trees) > 0 {
				p.addDeep(many)
				many = newDeepBuilder(unit, k.coarse)
			}
			if !many.add(t, &f) {
				walked = append(walked, t)
			}
		case b.add(t, &f):
		default:
			p.groups = append(p.groups, b.group())
			b = newBuilder(unit, k.coarse)
			if !b.add(t, &f) {
				walked = append(walked, t)
			}
		}
	}
	if len(b.trees) > 0 {
		p.groups = append(p.groups, b.group())
	}
	if len(many.trees) > 0 {
		p.addDeep(many)
	}
	if len(walked) > 0 {
		p.walk = newWalk(features, walked, unit)
	}
	return p
}

// addDeep takes the trees with many splits that were added to b.
func (p *plan) addDeep(b *builder) {
	if n, ok := newNarrow(b); ok {
		p.narrow = append(p.narrow, n)
		return
	}
	p.deep = append(p.deep, newDeep(b, p.kernel))
}

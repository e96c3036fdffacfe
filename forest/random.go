package forest

import "errors"

// ClassWeight says how much a row counts in a random forest's training.
type ClassWeight uint8

const (
	// Balanced weighs the classes so that both count the same in sum: a row of
	// class c weighs m / (2 m_c), m_c being the rows of that class.
	Balanced ClassWeight = iota
	// Uniform weighs every row 1.
	Uniform
)

// RandomOptions say how a random forest is grown. The zero value of a field is
// not always its default: begin with DefaultRandomOptions.
type RandomOptions struct {
	NEstimators    int         // trees, in [1, 65536]; default 100
	MaxDepth       int         // edges from the root to the deepest leaf, at most 512; 0, the default: 512
	MinSamplesLeaf int         // rows of the bootstrap sample in a leaf, at least 1; default 1
	MaxFeatures    int         // features looked at per split, at most n; 0, the default: floor(sqrt(n))
	Bins           int         // bins per feature besides the missing one, in [2, 255]; default 255
	ClassWeight    ClassWeight // default Balanced
	Seed           uint64      // of all chance; default 0

	// Permute asks for PermutationImportance, which takes a walk down every tree
	// for each feature and each row that the tree has not seen. No influence on
	// the model.
	Permute bool

	Threads int // goroutines; below 1: all processors. No influence on the model.
}

// DefaultRandomOptions returns the options that FitRandom is tested with.
func DefaultRandomOptions() RandomOptions {
	return RandomOptions{NEstimators: 100, MinSamplesLeaf: 1, Bins: 255, ClassWeight: Balanced}
}

// OutOfBag is an estimate of how well a random forest does on rows it has not
// seen: each training row is scored by the trees whose bootstrap sample it is not
// in.
type OutOfBag struct {
	Rows     int     // rows that at least one tree had not seen; 0 makes the figures NaN
	AUROC    float64 // area under the ROC curve, ties counted half; NaN when one class only
	LogLoss  float64 // mean of -ln of the true class's probability, kept within [1e-7, 1-1e-7]
	Accuracy float64 // share of rows on the true side of 0.5
}

// Random is a random forest for two classes: Breiman, "Random Forests", Machine
// Learning 45, 2001. It is read-only once fitted or decoded and safe for
// concurrent use. The zero value is only of use to UnmarshalBinary.
type Random struct {
	model
	importance  []float64
	permutation []float64 // nil when not asked for
	outOfBag    OutOfBag
	base        float64 // sum over the trees of the mean answer of the training rows
}

// newRandom takes over linked trees.
func newRandom(features int, trees []tree, importance []float64, bag OutOfBag) *Random {
	f := &Random{importance: importance, outOfBag: bag}
	f.set(features, trees, probabilityUnit)
	for _, t := range trees {
		f.base += t.means()[0]
	}
	return f
}

// Score writes the probability of class 1 for each row into out, in [0, 1]: the
// mean of the class-weighted share of class 1 in the leaves that the row comes
// to. x must have the columns of training and out the length of a column; zero
// rows are no error. threads below 1 means all processors; a score does not
// depend on it. Memory does not grow with rows.
func (f *Random) Score(x [][]float32, out []float32, threads int) error {
	if f.plan == nil {
		return errors.New("random forest: neither fitted nor decoded")
	}
	trees := float64(len(f.trees))
	return f.plan().score(x, out, threads, nil, func(sum, _ float64) float32 { return float32(sum / trees) })
}

// OutOfBag returns the estimate made in training.
func (f *Random) OutOfBag() OutOfBag { return f.outOfBag }

// Importance returns, for each feature, the share of the impurity (Gini) that its
// splits took away in training, meaned over the trees; the sum is 1, or 0 when no
// tree has a split.
func (f *Random) Importance() []float64 { return append([]float64(nil), f.importance...) }

// PermutationImportance returns, for each feature, by how much the out-of-bag AUROC
// falls when the feature's values change rows at random: about 0 for a feature that
// says nothing, below 0 by chance, exactly 0 for one that no split takes, NaN where
// OutOfBag has no AUROC. Impurity credits features with noise that trees fitted;
// this does not. It is nil unless RandomOptions.Permute asked for it, and is not
// written with the forest.
func (f *Random) PermutationImportance() []float64 { return append([]float64(nil), f.permutation...) }

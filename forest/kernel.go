package forest

// blockRows is how many rows are scored together. A mask of them is one AVX-512
// register.
const blockRows = 512

// mask has a bit for each row of a block: row r is bit r%64 of word r/64.
type mask [blockRows / 64]uint64

// planes are the bits of a number of each row, one mask per bit.
type planes [8]mask

// deepestCuts is how many steps the search in a column's cuts takes at most, so
// that a column has at most mostCuts of them.
const (
	deepestCuts = 8
	mostCuts    = 1<<deepestCuts - 1
)

// maskBytes is the size of a mask; flipBytes that of an entry of flips.
const (
	maskBytes = blockRows / 8
	flipBytes = 4 * 8 // a uint32 for each of the planes
)

// kernel is the arithmetic of scoring for one kind of processor. All kernels
// give the same bits.
type kernel struct {
	name string
	// mostSplits is about how many splits a tree may have for evaluating all of
	// them to be faster than walking down. Measured with a deep: of random forests
	// with 300 splits per tree, AVX-512 took 0.5 times as long for evaluating all as
	// for walking, AVX2 0.6 times, the portable kernel as long; with 697 splits
	// 1.1, 1.2 and 2.1 times.
	mostSplits int
	// topSplits is how many splits the top of a deep tree has, at most 255; with 0,
	// it has none. With 255, 127, 63 and 0, AVX-512 scored 0.49, 0.45, 0.40 and 0.28 M rows/s of a
	// random forest of full depth, AVX2 0.41, 0.40, 0.37 and 0.28, the portable kernel
	// 0.29, 0.32, 0.32 and 0.27.
	topSplits int
	coarse    bool // cut uses cuts.coarse

	// cut searches the values of a block in a column's cuts. Plane l of rank is
	// set to the outcomes of step l, which are the bits of the rank, the highest
	// first; a missing value has rank 0. missing is set to where values are
	// missing, and whether any is, is returned. next is what will be read next.
	cut func(x, next *[blockRows]float32, c *cuts, rank *planes, missing *mask) bool
	// expand sets exceeds[i], one for each cut of a column, to the rows whose
	// rank is above i. There are 2^(levels-1) to 2^levels-1 of them.
	expand func(rank *planes, levels int, exceeds []mask)
	// route follows all rows of a block through a tree; see program.
	route func(exceeds []mask, at []uint32, turns []uint16, width int, slots *[maxDepth + 1]mask, code *planes)
	// add adds values[code] to each row's sum, code being width bits, 1 to 8.
	// There are 2^width values, and at least leastValues.
	add func(code *planes, width int, values []uint32, sums *[blockRows]uint32)
	// flush adds sums to totals and zeroes them.
	flush func(sums *[blockRows]uint32, totals *[blockRows]uint64)
	// walk takes rows from their words that many steps down a tree; see narrowTree. Row
	// r has its ranks at r times the stride, which is 64, 128 or 256. There are a
	// multiple of 8 words, at least 8, and at least one step; behind the
	// ranks of the last row are 256 bytes more that may be read.
	walk func(pairs *[mostPairs][2]uint32, ranks []uint8, stride int, words []uint32, steps int)
	// outside sets out to the rows whose value is above high or below low, and
	// returns whether there are any.
	outside func(x *[blockRows]float32, low, high float32, out *mask) bool
}

// leastValues is how many values kernel.add may read in any case.
const leastValues = 32

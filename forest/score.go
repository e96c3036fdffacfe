package forest

import (
	"fmt"
	"math/bits"
	"sync"
)

const (
	// chunkRows is how many rows a thread takes at a time.
	chunkRows = 16 * blockRows
	// fewRows is up to how many rows walking the model is faster than a block.
	fewRows = 8
)

// scratch is what one thread needs to score. The masks lie at multiples of their size.
type scratch struct {
	slots    [maxDepth + 1]mask
	rank     planes
	code     planes
	sums     [blockRows]uint32
	totals   [chunkRows]uint64
	distance [chunkRows]float64
	outside  mask
	padded   [2][blockRows]float32
	exceeds  []mask // per cut of a group, and per cut that goes both ways
	missing  []mask // per column of a group
	codes    []uint32
	tile     tile
	march    march
	sweep    sweep
}

// pool keeps the scratch of threads that are done.
type pool struct{ sync.Pool }

func (p *plan) scratch() *scratch {
	if s, ok := p.spare.Get().(*scratch); ok {
		return s
	}
	masks, columns := 0, 0
	count := func(groups []group) {
		for i := range groups {
			masks, columns = max(masks, groups[i].masks), max(columns, len(groups[i].columns))
		}
	}
	count(p.groups)
	for i := range p.deep {
		count(p.deep[i].tops)
	}
	return &scratch{exceeds: make([]mask, masks), missing: make([]mask, columns)}
}

// score calls finish with each row's sum of the trees' answers and its distance from the
// box, 0 where b is nil, and puts what it returns into out. Chunks of rows are
// shared out among threads.
func (p *plan) score(x [][]float32, out []float32, threads int, b *box, finish func(sum, distance float64) float32) error {
	rows, err := checkColumns(x, p.features)
	if err != nil {
		return err
	}
	if len(out) != rows {
		return fmt.Errorf("out: want %d rows, got %d", rows, len(out))
	}
	share := rows / workers(rows, threads)
	chunk := min(chunkRows, (share+blockRows-1)/blockRows*blockRows)
	chunk = max(chunk, blockRows)
	chunks := (rows + chunk - 1) / chunk
	all := make([]*scratch, workers(chunks, threads))
	parallel(chunks, threads, func(w, i int) {
		if all[w] == nil {
			all[w] = p.scratch()
		}
		s, from := all[w], i*chunk
		n := min(chunk, rows-from)
		p.sum(x, from, n, s)
		distance := s.distance[:n]
		if clear(distance); b != nil {
			b.measure(p.kernel, x, from, distance, s)
		}
		for r, sum := range s.totals[:n] {
			out[from+r] = finish(p.unit.float(sum), distance[r])
		}
	})
	for _, s := range all {
		if s != nil {
			p.spare.Put(s)
		}
	}
	return nil
}

// sum sets s.totals to the sums of rows [from, from+n), at most chunkRows.
func (p *plan) sum(x [][]float32, from, n int, s *scratch) {
	for block := 0; block < n; block += blockRows {
		rows := min(blockRows, n-block)
		totals := (*[blockRows]uint64)(s.totals[block:])
		if rows <= fewRows {
			p.walkFew(x, from+block, totals[:rows])
			continue
		}
		for r := range totals {
			totals[r] = p.base
		}
		for i := range p.groups {
			p.groups[i].sum(p.kernel, x, from+block, rows, totals, s)
		}
		if p.walk != nil {
			p.walk.score(x, from+block, totals[:rows], &s.tile)
		}
	}
	if few := n % blockRows; few <= fewRows {
		n -= few
	}
	for i := range p.narrow {
		p.narrow[i].sum(p.kernel, x, from, s.totals[:n], s)
	}
	for i := range p.deep {
		p.deep[i].sum(p.kernel, x, from, s.totals[:n], s)
	}
}

// walkFew sets totals to the sums of the rows from one on.
func (p *plan) walkFew(x [][]float32, from int, totals []uint64) {
	for r := range totals {
		sum := uint64(0)
		for _, t := range p.trees {
			i := uint32(0)
			for !t[i].leaf() {
				i = t[i].next(i, clamp(x[t[i].feature()][from+r]))
			}
			sum += uint64(p.unit.of(t[i].value))
		}
		totals[r] = sum
	}
}

// sum adds the answers of a group's trees for a block of rows to totals.
func (g *group) sum(k *kernel, x [][]float32, from, rows int, totals *[blockRows]uint64, s *scratch) {
	missing := g.cut(k, x, from, rows, s)
	open := 0 // programs whose answers are in s.sums
	for i := range g.programs {
		p := &g.programs[i]
		at := p.at
		if missing {
			at = p.missing
		}
		if len(p.turns) > 1 {
			p.wide(k, at, totals, s)
			continue
		}
		k.route(s.exceeds, at, p.turns[0], p.width, &s.slots, &s.code)
		k.add(&s.code, p.width, p.values, &s.sums)
		if open++; open == g.flush {
			k.flush(&s.sums, totals)
			open = 0
		}
	}
	k.flush(&s.sums, totals)
}

// cut sets s.exceeds for a block of rows and returns whether a value is missing.
func (g *group) cut(k *kernel, x [][]float32, from, rows int, s *scratch) bool {
	missing := false
	for i := range g.columns {
		c := &g.columns[i]
		v := s.block(x, c.feature, from, rows, 0)
		next := v
		if i+1 < len(g.columns) && rows == blockRows {
			next = s.block(x, g.columns[i+1].feature, from, rows, 1)
		}
		if k.cut(v, next, &c.cuts, &s.rank, &s.missing[i]) {
			missing = true
		}
		k.expand(&s.rank, c.levels, s.exceeds[c.first:c.first+c.count])
	}
	if !missing {
		return false
	}
	for _, b := range g.both {
		for w, none := range s.missing[b.column] {
			s.exceeds[b.to][w] = s.exceeds[b.from][w] | none
		}
	}
	for i := range g.columns {
		if s.missing[i] == (mask{}) {
			continue
		}
		for _, m := range g.columns[i].right {
			for w, none := range s.missing[i] {
				s.exceeds[m][w] |= none
			}
		}
	}
	return true
}

// block returns the values of a column from a row on; where there are not enough,
// a padded copy of them.
func (s *scratch) block(x [][]float32, feature, from, rows, copyNumber int) *[blockRows]float32 {
	if rows == blockRows {
		return (*[blockRows]float32)(x[feature][from:])
	}
	padded := &s.padded[copyNumber]
	clear(padded[copy(padded[:], x[feature][from:from+rows]):])
	return padded
}

// wide adds the answers of a tree whose codes do not fit the planes of one pass.
func (p *program) wide(k *kernel, at []uint32, totals *[blockRows]uint64, s *scratch) {
	if s.codes == nil {
		s.codes = make([]uint32, blockRows)
	}
	clear(s.codes)
	for pass, turns := range p.turns {
		width := min(8, p.width-8*pass)
		k.route(s.exceeds, at, turns, width, &s.slots, &s.code)
		for bit := range width {
			for w, rows := range s.code[bit] {
				for ; rows != 0; rows &= rows - 1 {
					s.codes[64*w+bits.TrailingZeros64(rows)] |= 1 << (8*pass + bit)
				}
			}
		}
	}
	for r, code := range s.codes {
		totals[r] += uint64(p.values[code])
	}
}

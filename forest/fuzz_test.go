package forest

import (
	"encoding/binary"
	"math"
	"testing"
)

// FuzzKernels reads a table from bytes, fits both forests to it and holds that every
// path scores as walking the model does.
func FuzzKernels(f *testing.F) {
	row := func(values ...float32) (b []byte) {
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		return b
	}
	f.Add(row(odd...), uint8(1), uint8(8))
	f.Add(row(1, 2, 3, 4, nan, inf, -inf, 0), uint8(2), uint8(255))
	f.Add(row(0, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32), uint8(1), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, features, samples uint8) {
		n := int(features)%8 + 1
		rows := len(b) / 4 / n
		if rows < 2 || rows > 2*blockRows || samples == 0 {
			return
		}
		x := make([][]float32, n)
		y := make([]uint8, rows)
		for c := range x {
			for r := range rows {
				x[c] = append(x[c], math.Float32frombits(binary.LittleEndian.Uint32(b[4*(r*n+c):])))
				y[r] = uint8(r & 1)
			}
		}
		opts := DefaultIsolationOptions()
		opts.NEstimators, opts.MaxSamples, opts.Box = 20, int(samples), true
		iso := fitIsolation(t, x, opts)
		ropts := DefaultRandomOptions()
		ropts.NEstimators = 5
		rnd := fitRandom(t, x, y, ropts)
		for name, m := range map[string]*model{"isolation": &iso.model, "random": &rnd.model} {
			want := make([]uint64, rows)
			m.plan().walkFew(x, 0, want)
			for _, k := range kernels {
				walking := *k
				walking.mostSplits = 0
				for _, k := range []*kernel{k, &walking} {
					p := newPlan(m.features, m.trees, m.plan().unit, k)
					for r, got := range sumsByBlocks(p, x) {
						if got != want[r] {
							t.Fatalf("%s, %s, at most %d splits: row %d: got %d, want %d", name, k.name, k.mostSplits, r, got, want[r])
						}
					}
				}
			}
		}
		var first []float32
		for _, path := range Paths() {
			other, err := iso.On(path)
			if err != nil {
				t.Fatal(err)
			}
			got := scores(t, other, x, 1)
			if first == nil {
				first = got
			}
			for r := range got {
				if math.Float32bits(got[r]) != math.Float32bits(first[r]) {
					t.Fatalf("%s: row %d with the box: got %v, want %v", path, r, got[r], first[r])
				}
			}
		}
	})
}

// sumsByBlocks returns the rows' sums, of which none come from plan.walkFew, however
// few the rows are.
func sumsByBlocks(p *plan, x [][]float32) (sums []uint64) {
	s := p.scratch()
	rows := len(x[0])
	for from := 0; from < rows; from += blockRows {
		size := min(blockRows, rows-from)
		for r := range s.totals {
			s.totals[r] = p.base
		}
		for i := range p.groups {
			p.groups[i].sum(p.kernel, x, from, size, (*[blockRows]uint64)(s.totals[:]), s)
		}
		for i := range p.narrow {
			p.narrow[i].sum(p.kernel, x, from, s.totals[:size], s)
		}
		for i := range p.deep {
			p.deep[i].sum(p.kernel, x, from, s.totals[:size], s)
		}
		if p.walk != nil {
			p.walk.score(x, from, s.totals[:size], &s.tile)
		}
		sums = append(sums, s.totals[:size]...)
	}
	return sums
}

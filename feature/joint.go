package feature

import (
	"errors"
	"fmt"
	"math"

	"mayfly/trace"
)

// A service's calls come in fixed proportions: with each request so many reads,
// so many writes, one accept. An attack that stays within the usual range of
// every single call still breaks proportions, and a thousandfold load does not.
// The joint features measure that: the squared Mahalanobis distance of a window's
// counts from those of training (Hotelling's T², 1947), which is large where calls
// do not go together as they did, however usual each of them is.
//
// The counts go in as sqrt(n + 3/8) - sqrt(3/8) (Anscombe, 1948): the variance of
// a count that grows with it becomes about one everywhere, a count that is in
// proportion to another stays on a straight line through 0, and what is not there
// stays 0. The correlations are shrunk towards none by a ridge, so that a direction
// in which training never moved is one that costs much, not infinitely much; a call
// never seen is such a direction.

// The time scales of the joint features: the window, and the window and the one
// before it, since half of what happens happens across a border.
const (
	jointWindow = iota
	jointPair
	numJoint
)

const (
	maxJointCalls = 96   // calls that a joint model holds: the first that were seen
	minJointScale = 0.3  // least standard deviation of a root; one call more than none is 0.56
	jointRidge    = 0.02 // of the correlations, at least
)

// jointModel is how calls go together, of one workload.
type jointModel struct {
	Calls  []trace.Call          `json:"calls"` // in no order, each once
	Scales [numJoint]*jointScale `json:"scales"`

	at [maxKnownCall]uint8 // place in Calls, from 1
}

// jointScale is a joint model's one time scale.
type jointScale struct {
	Windows     uint64    `json:"windows"`
	Mean        []float64 `json:"mean"`        // of the roots, per call
	Scale       []float64 `json:"scale"`       // standard deviations of them, ≥ minJointScale
	Correlation []float64 `json:"correlation"` // packed lower triangle with diagonal, of the roots in scales; multiples of jointStep

	metric *metric
}

// jointStep is what correlations are rounded to before they are used: far below
// the ridge, and short in a file.
const jointStep = 1e-5

// metric is a jointScale made ready: the distance of x is
// x'Ax - 2b'x + c, which costs nothing for calls that are not there.
type metric struct {
	a []float64 // row by row
	b []float64
	c float64
}

func (j *jointModel) index() {
	for i, c := range j.Calls {
		j.at[c] = uint8(i + 1)
	}
}

// ridge is how far correlations are shrunk: more where few windows stand behind
// them than there are calls.
func (s *jointScale) ridge() float64 {
	return jointRidge + float64(len(s.Mean))/float64(max(s.Windows, 1))
}

// root is the variance-stabilised count.
func root(n float64) float64 {
	const zero = 0.6123724356957945 // sqrt(3/8)
	return math.Sqrt(n+0.375) - zero
}

// ready inverts the correlations.
func (s *jointScale) ready() error {
	n, ridge := len(s.Mean), s.ridge()
	low := make([]float64, 0, len(s.Correlation))
	for i := range n {
		for j := range i + 1 {
			v := s.Correlation[i*(i+1)/2+j]
			if i == j {
				v += ridge
			}
			low = append(low, v)
		}
	}
	inverse, err := invert(low, n)
	if err != nil {
		return err
	}
	m := &metric{a: make([]float64, n*n), b: make([]float64, n)}
	for i := range n {
		for j := range n {
			p, q := max(i, j), min(i, j)
			m.a[i*n+j] = inverse[p*(p+1)/2+q] / (s.Scale[i] * s.Scale[j])
		}
	}
	for i := range n {
		for j := range n {
			m.b[i] += m.a[i*n+j] * s.Mean[j]
		}
		m.c += m.b[i] * s.Mean[i]
	}
	s.metric = m
	return nil
}

// distance is the squared Mahalanobis distance of the roots x at places at;
// all others are 0. It is a few dozen multiplications per call that is there.
func (m *metric) distance(at []int32, x []float64) float64 {
	d, n := m.c, len(m.b)
	for k, i := range at {
		row, v := m.a[int(i)*n:int(i)*n+n], 0.0
		for l, j := range at[:k] {
			v += row[j] * x[l]
		}
		d += x[k] * (row[i]*x[k] + 2*v - 2*m.b[i])
	}
	return max(d, 0)
}

// errIndefinite says that a matrix is none of correlations.
var errIndefinite = errors.New("not positive definite")

// invert returns the inverse of a positive definite matrix, both as packed lower
// triangles, by Cholesky's decomposition; low is overwritten.
func invert(low []float64, n int) ([]float64, error) {
	at := func(i, j int) int { return i*(i+1)/2 + j }
	for i := range n {
		for j := range i + 1 {
			v := low[at(i, j)]
			for k := range j {
				v -= low[at(i, k)] * low[at(j, k)]
			}
			if i > j {
				low[at(i, j)] = v / low[at(j, j)]
				continue
			}
			if !(v > 1e-9) {
				return nil, errIndefinite
			}
			low[at(i, i)] = math.Sqrt(v)
		}
	}
	for j := range n { // the inverse of the triangle, in place
		low[at(j, j)] = 1 / low[at(j, j)]
		for i := j + 1; i < n; i++ {
			v := 0.0
			for k := j; k < i; k++ {
				v -= low[at(i, k)] * low[at(k, j)]
			}
			low[at(i, j)] = v / low[at(i, i)]
		}
	}
	out := make([]float64, len(low))
	for i := range n {
		for j := range i + 1 {
			v := 0.0
			for k := i; k < n; k++ {
				v += low[at(k, i)] * low[at(k, j)]
			}
			out[at(i, j)] = v
		}
	}
	return out, nil
}

// check holds a decoded model to what the encoder relies on, and makes it ready.
func (j *jointModel) check() error {
	if len(j.Calls) > maxJointCalls {
		return fmt.Errorf("joint: got %d calls, want at most %d", len(j.Calls), maxJointCalls)
	}
	seen := map[trace.Call]bool{}
	for _, c := range j.Calls {
		if c >= maxKnownCall || seen[c] {
			return fmt.Errorf("joint: call %d: unknown, or twice", c)
		}
		seen[c] = true
	}
	n := len(j.Calls)
	for i, s := range j.Scales {
		if s == nil || len(s.Mean) != n || len(s.Scale) != n || len(s.Correlation) != n*(n+1)/2 || s.Windows > 1<<53 {
			return fmt.Errorf("joint: scale %d: incomplete", i)
		}
		for k := range n {
			if !(s.Mean[k] >= 0 && s.Mean[k] < 1e6) || !(s.Scale[k] >= minJointScale && s.Scale[k] < 1e6) {
				return fmt.Errorf("joint: scale %d: call %d: mean %g, scale %g", i, j.Calls[k], s.Mean[k], s.Scale[k])
			}
		}
		for _, v := range s.Correlation {
			if !(v >= -1.01 && v <= 1.01) {
				return fmt.Errorf("joint: scale %d: correlation of %g", i, v)
			}
		}
		if err := s.ready(); err != nil {
			return fmt.Errorf("joint: scale %d: %w", i, err)
		}
	}
	j.index()
	return nil
}

// jointEnough is how many windows should stand behind each call of a joint model:
// what texts on control charts of T² ask for before its limits hold.
const jointEnough = 20

// JointSupport says how well the joint features are founded, in [0,1]: 1 where the
// windows of each workload are jointEnough times its calls or more, less in
// proportion where they are fewer; workloads count by their windows.
func (s *Space) JointSupport() float64 {
	support, total := 0.0, 0.0
	for _, m := range s.models {
		n := float64(m.Joint.Scales[jointWindow].Windows)
		calls := float64(max(len(m.Joint.Calls), 1))
		support += n * min(1, n/(jointEnough*calls))
		total += n
	}
	if total == 0 {
		return 0
	}
	return support / total
}

package train

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"mayfly/feature"

	"github.com/apache/arrow/go/v17/arrow"
)

// Sample says which containers a detector is learned from where there are more
// windows than one machine should go through: of each workload, those whose identity
// has the smallest hash, as many as bring most windows. Whole containers, because a
// window means little without those before it; by workload, because a rare one must
// be known too; by hash, because such a sample is the same wherever and in whatever
// order the windows were counted (bottom-k sampling: Cohen and Kaplan, "Summarizing
// data using bottom-k sketches", PODC 2007).
//
// It is a state that merges: Merge is associative and commutative, and a Sample of
// all windows is the merge of Samples of any parts of them, byte for byte
// (MarshalJSON), even where a container's windows are in several parts. A container
// is in when those of its workload that come before it have fewer than most windows.
// More windows only push containers out, so that one which is out of a part is out of
// the whole. Memory is bounded by most containers of each workload.
//
// Not safe for concurrent use.
type Sample struct {
	seed      uint64
	most      int64
	total     int64 // windows that were added
	workloads map[string]*stratum
}

// sampleSlack is how many containers of a workload stand before the first is cut.
const sampleSlack = 64

// stratum is what is kept of one workload.
type stratum struct {
	windows map[containerKey]*sampled
	cutAt   int          // containers at which they are cut back
	end     *samplePlace // the first that is out; nil: none
}

type sampled struct {
	place   samplePlace
	windows int64
}

// samplePlace orders containers: by hash, then by name, for hashes may be equal.
type samplePlace struct {
	Hash uint64 `json:"hash"`
	Host string `json:"host"`
	ID   string `json:"container_id"`
}

func (p *samplePlace) compare(o *samplePlace) int {
	return cmp.Or(cmp.Compare(p.Hash, o.Hash), cmp.Compare(p.Host, o.Host), cmp.Compare(p.ID, o.ID))
}

// NewSample returns a sample of nothing yet. most is windows of one workload, above 0.
func NewSample(seed uint64, most int64) *Sample {
	return &Sample{seed: seed, most: most, workloads: map[string]*stratum{}}
}

// Add counts a window.
func (s *Sample) Add(w *feature.Window) {
	s.total++
	t := s.workloads[w.Workload]
	if t == nil {
		t = s.stratum(strings.Clone(w.Workload))
	}
	if c := t.windows[containerKey{w.Host, w.ContainerID}]; c != nil {
		c.windows++
		return
	}
	place := samplePlace{s.hash(w.Host, w.ContainerID), w.Host, w.ContainerID}
	if t.end != nil && place.compare(t.end) >= 0 {
		return
	}
	place.Host, place.ID = strings.Clone(place.Host), strings.Clone(place.ID)
	t.windows[containerKey{place.Host, place.ID}] = &sampled{place, 1}
	if len(t.windows) >= t.cutAt {
		t.cut(s.most)
		t.cutAt = max(sampleSlack, 2*len(t.windows))
	}
}

func (s *Sample) stratum(workload string) *stratum {
	t := s.workloads[workload]
	if t == nil {
		t = &stratum{windows: map[containerKey]*sampled{}, cutAt: sampleSlack}
		s.workloads[workload] = t
	}
	return t
}

func (s *Sample) hash(host, id string) uint64 {
	b := make([]byte, 0, 128)
	b = binary.LittleEndian.AppendUint64(b, s.seed)
	b = append(append(append(b, host...), 0), id...)
	sum := sha256.Sum256(b)
	return binary.LittleEndian.Uint64(sum[:])
}

// cut leaves the containers that are in.
func (t *stratum) cut(most int64) {
	before := int64(0)
	for _, c := range t.sorted() {
		switch {
		case t.end != nil && c.place.compare(t.end) >= 0:
			delete(t.windows, containerKey{c.place.Host, c.place.ID})
		case before >= most:
			t.end = &c.place
			delete(t.windows, containerKey{c.place.Host, c.place.ID})
		default:
			before += c.windows
		}
	}
}

func (t *stratum) sorted() []*sampled {
	return slices.SortedFunc(maps.Values(t.windows), func(a, b *sampled) int { return a.place.compare(&b.place) })
}

// Merge adds what another sample has counted; o is not changed.
func (s *Sample) Merge(o *Sample) error {
	if s.seed != o.seed || s.most != o.most {
		return errors.New("samples of different seeds or sizes")
	}
	s.total += o.total
	for workload, from := range o.workloads {
		to := s.stratum(workload)
		if from.end != nil && (to.end == nil || from.end.compare(to.end) < 0) {
			to.end = from.end
		}
		for key, c := range from.windows {
			if mine := to.windows[key]; mine != nil {
				mine.windows += c.windows
			} else {
				to.windows[key] = &sampled{c.place, c.windows}
			}
		}
		to.cut(s.most)
	}
	return nil
}

// Cut takes out what Add has let grow beyond the sample, before Keeps is asked.
func (s *Sample) Cut() {
	for _, t := range s.workloads {
		t.cut(s.most)
	}
}

// Keeps reports whether a window is of the sample, once all windows are counted and
// Cut (or Merge) was called last.
func (s *Sample) Keeps(w *feature.Window) bool {
	t := s.workloads[w.Workload]
	return t != nil && t.windows[containerKey{w.Host, w.ContainerID}] != nil
}

// Choose counts windows, of which there are rows, and returns what says of each of them
// whether the sample keeps it. Where no workload can have more windows than the sample
// takes there is no pass over them: what it returns is to be asked of each once, counts
// it, and keeps all.
func (s *Sample) Choose(rows int64, windows iter.Seq2[arrow.Record, error]) (keep func(*feature.Window) bool, err error) {
	if rows <= s.most {
		return func(w *feature.Window) bool { s.Add(w); return true }, nil
	}
	for w, err := range feature.Each(windows) {
		if err != nil {
			return nil, err
		}
		s.Add(w)
	}
	s.Cut()
	return s.Keeps, nil
}

// Total is the number of windows that were counted, Kept of those that are in.
func (s *Sample) Total() int64 { return s.total }

// Kept is the number of windows that Keeps is true for.
func (s *Sample) Kept() (n int64) {
	s.Cut()
	for _, t := range s.workloads {
		for _, c := range t.windows {
			n += c.windows
		}
	}
	return n
}

// sampleJSON is the sample in a file; workloads by name, containers by hash.
type sampleJSON struct {
	Seed      uint64         `json:"seed"`
	Most      int64          `json:"most"`
	Total     int64          `json:"total"`
	Workloads []workloadJSON `json:"workloads"`
}

type workloadJSON struct {
	Workload   string          `json:"workload"`
	End        *samplePlace    `json:"end,omitempty"`
	Containers []containerJSON `json:"containers"`
}

type containerJSON struct {
	samplePlace
	Windows int64 `json:"windows"`
}

// MarshalJSON gives equal samples equal bytes.
func (s *Sample) MarshalJSON() ([]byte, error) {
	s.Cut()
	out := sampleJSON{Seed: s.seed, Most: s.most, Total: s.total, Workloads: []workloadJSON{}}
	for _, name := range slices.Sorted(maps.Keys(s.workloads)) {
		t := s.workloads[name]
		w := workloadJSON{Workload: name, End: t.end, Containers: []containerJSON{}}
		for _, c := range t.sorted() {
			w.Containers = append(w.Containers, containerJSON{c.place, c.windows})
		}
		out.Workloads = append(out.Workloads, w)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Sample) UnmarshalJSON(content []byte) error {
	var in sampleJSON
	if err := json.Unmarshal(content, &in); err != nil {
		return fmt.Errorf("sample: %w", err)
	}
	if in.Most < 1 || in.Total < 0 {
		return fmt.Errorf("sample: %d windows, at most %d of a workload", in.Total, in.Most)
	}
	*s = Sample{seed: in.Seed, most: in.Most, total: in.Total, workloads: map[string]*stratum{}}
	for _, w := range in.Workloads {
		t := s.stratum(w.Workload)
		t.end = w.End
		for _, c := range w.Containers {
			if c.Windows < 1 || c.Hash != s.hash(c.Host, c.ID) {
				return fmt.Errorf("sample: container %.80q of host %.80q: %d windows, hash %d", c.ID, c.Host, c.Windows, c.Hash)
			}
			t.windows[containerKey{c.Host, c.ID}] = &sampled{c.samplePlace, c.Windows}
		}
	}
	return nil
}

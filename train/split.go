package train

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mayfly/detector"
	"mayfly/feature"
)

// Ways to hold windows back from training.
const (
	SplitNone      = "none"      // learn from every window
	SplitContainer = "container" // whole containers, the ones that began last
	SplitTime      = "time"      // every container's time after one moment
)

// Split says which windows are held back. Both ways hold back what began last;
// with a split by time, a detector is judged only on what came after it learned.
type Split struct {
	By      string  // SplitNone, SplitContainer or SplitTime
	Holdout float64 // share of the windows to hold back, (0,1); without meaning for SplitNone
}

// manifest is the split as the detector's manifest has it.
func (s Split) manifest() detector.Split {
	if s.By == SplitNone {
		return detector.Split{By: SplitNone}
	}
	return detector.Split{By: s.By, Holdout: s.Holdout}
}

func (s Split) check() error {
	switch s.By {
	case SplitNone:
		return nil
	case SplitContainer, SplitTime:
		if !(s.Holdout > 0 && s.Holdout < 1) {
			return fmt.Errorf("holdout: want a share between 0 and 1, got %g", s.Holdout)
		}
		return nil
	}
	return fmt.Errorf("split: want %s, %s or %s, got %q", SplitNone, SplitContainer, SplitTime, s.By)
}

// containerKey tells containers of several hosts apart.
type containerKey struct{ host, id string }

// survey is what the first pass over the windows learns.
type survey struct {
	lives   map[containerKey]*lifetime
	ends    map[int64]int64 // windows by their end, for a split by time: as many as moments, not windows
	windows int64
}

func newSurvey() *survey {
	return &survey{lives: map[containerKey]*lifetime{}, ends: map[int64]int64{}}
}

// lifetime is when a container was first seen, and how much of it there is.
type lifetime struct {
	key     containerKey
	fromNS  int64
	toNS    int64
	windows int64
}

// add takes in the next window. The windows of a container come in time order.
func (s *survey) add(w *feature.Window, byTime bool) error {
	key := containerKey{w.Host, w.ContainerID}
	life := s.lives[key]
	if life == nil {
		key = containerKey{strings.Clone(w.Host), strings.Clone(w.ContainerID)}
		life = &lifetime{key: key, fromNS: w.StartNS}
		s.lives[key] = life
	}
	if life.windows > 0 && w.StartNS < life.toNS {
		return fmt.Errorf("container %s: its time overlaps in the files given", w.ContainerID)
	}
	life.toNS = w.EndNS()
	life.windows++
	s.windows++
	if byTime {
		s.ends[w.EndNS()]++
	}
	return nil
}

// side decides for each window whether it is trained on.
type side struct {
	all        bool
	containers map[containerKey]bool // trained on, with a split by container
	untilNS    int64                 // windows that end by then, with a split by time
	byTime     bool
}

func (s *side) train(w *feature.Window) bool {
	switch {
	case s.all:
		return true
	case s.byTime:
		return w.EndNS() <= s.untilNS
	default:
		return s.containers[containerKey{w.Host, w.ContainerID}]
	}
}

// choose draws the line through what the first pass saw.
func (s Split) choose(seen *survey) (*side, error) {
	keep := int64(float64(seen.windows) * (1 - s.Holdout))
	switch s.By {
	case SplitTime:
		return seen.byTime(keep)
	case SplitContainer:
		return seen.byContainer(keep)
	}
	return &side{all: true}, nil
}

// byContainer keeps the containers that began first, as many whole ones as come
// nearest to the number of windows to keep, but never the last one.
func (s *survey) byContainer(keep int64) (*side, error) {
	if len(s.lives) < 2 {
		return nil, fmt.Errorf("split by container: %d containers leave none to hold back: split by time, or record more of them", len(s.lives))
	}
	lives := slices.SortedFunc(maps.Values(s.lives), func(a, b *lifetime) int {
		return cmp.Or(cmp.Compare(a.fromNS, b.fromNS), cmp.Compare(a.key.host, b.key.host), cmp.Compare(a.key.id, b.key.id))
	})
	chosen := &side{containers: map[containerKey]bool{}}
	var kept int64
	for _, life := range lives[:len(lives)-1] {
		if kept > 0 && kept+life.windows/2 > keep {
			break
		}
		chosen.containers[life.key] = true
		kept += life.windows
	}
	return chosen, nil
}

// byTime keeps the windows that ended first, whatever their container.
func (s *survey) byTime(keep int64) (*side, error) {
	ended := int64(0)
	ends := slices.Sorted(maps.Keys(s.ends))
	for i, at := range ends {
		if ended += s.ends[at]; ended >= keep && keep > 0 && i < len(ends)-1 {
			return &side{byTime: true, untilNS: at}, nil
		}
	}
	return nil, fmt.Errorf("split by time: %d windows cannot be divided so", s.windows)
}

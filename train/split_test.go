package train

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mayfly/detector"
	"mayfly/feature"
)

const second = int64(1e9)

// surveyOf sees containers that begin one after the other and live for some
// windows each; all on one host.
func surveyOf(byTime bool, lives ...int) (*survey, []feature.Window) {
	seen := newSurvey()
	var windows []feature.Window
	for c, n := range lives {
		for i := range n {
			w := feature.Window{Host: "h", ContainerID: fmt.Sprintf("c%d", c), StartNS: int64(c*10+i) * second, WidthNS: second}
			if err := seen.add(&w, byTime); err != nil {
				panic(err)
			}
			windows = append(windows, w)
		}
	}
	return seen, windows
}

func TestSplitByContainerKeepsWholeContainers(t *testing.T) {
	for _, tc := range []struct {
		lives   []int
		holdout float64
		want    []bool // trained on, by container
	}{
		{[]int{10, 10, 10, 10}, 0.5, []bool{true, true, false, false}},
		{[]int{10, 10, 10}, 0.1, []bool{true, true, false}},
		{[]int{1, 1, 1, 97}, 0.5, []bool{true, true, true, false}},
		{[]int{97, 1, 1, 1}, 0.5, []bool{true, false, false, false}},
	} {
		seen, windows := surveyOf(false, tc.lives...)
		chosen, err := Split{By: SplitContainer, Holdout: tc.holdout}.choose(seen)
		if err != nil {
			t.Errorf("%v, holdout %g: %v", tc.lives, tc.holdout, err)
			continue
		}
		for i := range windows {
			var c int
			_, _ = fmt.Sscanf(windows[i].ContainerID, "c%d", &c)
			if got := chosen.train(&windows[i]); got != tc.want[c] {
				t.Fatalf("%v, holdout %g: a window of container %d is trained on: %v, want %v", tc.lives, tc.holdout, c, got, tc.want[c])
			}
		}
	}
}

func TestSplitByTimeKeepsWhatEndedFirst(t *testing.T) {
	seen, windows := surveyOf(true, 20, 20)
	if len(seen.ends) != 30 {
		t.Errorf("%d ends of windows are held, want one for each of 30 seconds", len(seen.ends))
	}
	chosen, err := Split{By: SplitTime, Holdout: 0.25}.choose(seen)
	if err != nil {
		t.Fatal(err)
	}
	trained, last, first := 0, int64(0), int64(1)<<62
	for i := range windows {
		if chosen.train(&windows[i]) {
			trained++
			last = max(last, windows[i].EndNS())
		} else {
			first = min(first, windows[i].StartNS)
		}
	}
	if trained != 30 || first < last {
		t.Errorf("%d windows up to %d ns are trained on, the first held back begins at %d ns; want 30, and no overlap", trained, last, first)
	}
}

func TestSplitRefuses(t *testing.T) {
	one, _ := surveyOf(true, 5)
	for _, tc := range []struct {
		split Split
		want  string
	}{
		{Split{By: SplitContainer, Holdout: 0.5}, "leave none to hold back"},
		{Split{By: SplitTime, Holdout: 0.9}, "cannot be divided"},
	} {
		if _, err := tc.split.choose(one); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: got error %v, want one with %q", tc.split, err, tc.want)
		}
	}
	for _, bad := range []Split{{By: "rows"}, {By: SplitTime}, {By: SplitContainer, Holdout: 1}, {By: SplitTime, Holdout: -1}} {
		if bad.check() == nil {
			t.Errorf("%+v: want an error", bad)
		}
	}
}

func TestLabelsTellAttackAndAftermath(t *testing.T) {
	id := strings.Repeat("ab", 32)
	index := newLabelIndex([]feature.Label{
		{Container: id[:12], FromNS: 100 * second, ToNS: 101 * second, Attack: "shell"},
		{Container: "web-2", FromNS: 100 * second, ToNS: 101 * second, Attack: "mount"},
	}, 10*time.Second)
	for _, tc := range []struct {
		id, name string
		start    int64
		want     detector.Class
	}{
		{id, "web-1", 98, detector.Normal},
		{id, "web-1", 100, detector.Attack},
		{id, "web-1", 101, detector.Attack}, // the label's end is within
		{id, "web-1", 102, detector.Neither},
		{id, "web-1", 111, detector.Neither},
		{id, "web-1", 112, detector.Normal},
		{"other", "web-2", 100, detector.Attack},
		{"other", "web-3", 100, detector.Normal},
	} {
		w := feature.Window{ContainerID: tc.id, ContainerName: tc.name, StartNS: tc.start * second, WidthNS: second}
		if got := index.class(&w); got != tc.want {
			t.Errorf("%s at %d s: class %d, want %d", tc.name, tc.start, got, tc.want)
		}
	}
}

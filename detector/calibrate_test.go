package detector

import (
	"fmt"
	"testing"

	"mayfly/feature"
)

func TestEveryPartKnowsEveryWorkload(t *testing.T) {
	r := &rows{containers: map[containerKey]*seen{}}
	for workload, containers := range map[string]int{"web": 8, "db": 1, "cache": 2} {
		for c := range containers {
			for i := range 40 {
				w := feature.Window{Workload: workload, ContainerID: fmt.Sprint(workload, c), StartNS: int64(i) * second, WidthNS: second}
				r.see(&w)
				r.container = append(r.container, r.ordinal(&w))
			}
		}
	}
	workloadOf := make([]string, r.counts.Containers)
	for _, s := range r.containers {
		workloadOf[s.ordinal] = s.workload
	}
	count := map[string]map[int32]int{}     // windows by workload and part
	whole := map[int32]map[int32]struct{}{} // parts by container
	for i, part := range r.parts() {
		c := r.container[i]
		workload := workloadOf[c]
		if count[workload] == nil {
			count[workload] = map[int32]int{}
		}
		if whole[c] == nil {
			whole[c] = map[int32]struct{}{}
		}
		count[workload][part]++
		whole[c][part] = struct{}{}
	}
	for workload, parts := range count {
		for part := range int32(calibrationFolds) {
			if n, all := parts[part], len(r.container); n == 0 || n > all/2 {
				t.Errorf("%s: part %d has %d windows of %v, want about a quarter", workload, part, n, parts)
			}
		}
	}
	for c, parts := range whole {
		if workloadOf[c] == "web" && len(parts) != 1 {
			t.Errorf("container %d of web, which has enough, lies in %d parts, want 1", c, len(parts))
		}
	}
}

// TestCalibrationScoresAreHeldOut: a window that lies alone is stranger to a forest
// that has not seen it.
func TestCalibrationScoresAreHeldOut(t *testing.T) {
	windows := quiet(6, 60)
	windows[100] = attack(windows[100])
	d := fit(t, Training{Windows: source(windows)}, func(o *Options) { o.Budget = Budget{FalsePositiveRate: 1e-9} })
	inSample, _ := score(t, d, windows[100])
	if d.Manifest.Threshold <= inSample {
		t.Errorf("threshold %g, the highest score in training, is that of a forest that knew the window (%g)", d.Manifest.Threshold, inSample)
	}
}

func TestSpansJoinShortSilences(t *testing.T) {
	r := &rows{containers: map[containerKey]*seen{}}
	for _, start := range []int64{0, 1, 5, 3000, 3601 + 3600, 3602 + 3600} {
		r.see(&feature.Window{ContainerID: "c", StartNS: start * second, WidthNS: second})
	}
	want := []Span{{"", "c", 0, 3001 * second}, {"", "c", 7201 * second, 7203 * second}}
	if got := r.spans(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestTrainingNoveltyIsHonest: what only one container of the training time does is
// new to the others, and so a usual number of new things is not none.
func TestTrainingNoveltyIsHonest(t *testing.T) {
	windows := quiet(6, 60)
	for i := range windows {
		windows[i].Items = []string{"read /srv/index", "read /var/lib/" + windows[i].ContainerID[60:]}
		windows[i].ItemCounts = []uint32{1, 1}
	}
	d := fit(t, Training{Windows: source(windows)}, nil)
	for i, f := range d.Space.Features() {
		if f.Name == "new_read" {
			if usual := d.Manifest.Expected[i]; usual.High <= 0 {
				t.Errorf("new_read: expected %+v, want more than 0: training was measured against itself", usual)
			}
			return
		}
	}
	t.Error("no feature new_read")
}

package feature

import (
	"fmt"
	"testing"
)

// seriesWindows are of replicas of which each saves a numbered file every 20 windows,
// all under the same number; two logs are the begin of a series that goes no further.
func seriesWindows() (all []Window) {
	for _, w := range sampleWindows(6, 400) {
		age := w.StartNS / w.WidthNS
		w.Items = []string{"exec /bin/db", fmt.Sprintf("read /etc/log.%d", age%2), fmt.Sprintf("write /data/temp-%d.rdb", age/20)}
		w.ItemCounts = []uint32{1, 1, 1}
		all = append(all, w)
	}
	return all
}

// TestSeries: the next number of a series is nothing new, whatever it is; another name,
// another folder, a program and a series of two are.
func TestSeries(t *testing.T) {
	windows := seriesWindows()
	s := learn(t, windows)
	for item, isNew := range map[string]bool{
		"write /data/temp-7.rdb":       false, // learned
		"write /data/temp-99.rdb":      false,
		"write /data/temp-1.rdb2":      true,
		"write /data/temp-x.rdb":       true,
		"write /root/.ssh/temp-99.rdb": true,
		"read /data/temp-99.rdb":       true,
		"exec /data/temp-99.rdb":       true,
		"read /etc/log.1":              false, // learned
		"read /etc/log.2":              true,
	} {
		w := windows[0]
		w.Items, w.ItemCounts = []string{item}, []uint32{1}
		seen := encode(t, s.NewEncoder(), []Window{w})[0]
		if d := s.Describe(&w, 9); (seen["rarity"] > 0) != isNew || (len(d.Items) > 0) != isNew {
			t.Errorf("%s: rarity %g, %v called new, want it new %v", item, seen["rarity"], d.Items, isNew)
		}
	}
}

// TestSeriesOfTraining: windows that were learned from find their own numbers as little
// new as tomorrow's will be.
func TestSeriesOfTraining(t *testing.T) {
	windows := seriesWindows()
	for i := range windows { // one replica counts on alone
		if w := &windows[i]; w.ContainerID == windows[0].ContainerID {
			w.Items[2] = fmt.Sprintf("write /data/temp-%d.rdb", 1000+i)
		}
	}
	enc, err := learn(t, windows).NewTrainingEncoder()
	if err != nil {
		t.Fatal(err)
	}
	for i, seen := range encode(t, enc, windows) {
		if seen["rarity"] != 0 || seen["new_write"] != 0 {
			t.Fatalf("window %d with %q: rarity %g, %g new writes, want none", i, windows[i].Items, seen["rarity"], seen["new_write"])
		}
	}
}

// TestSeriesOfOne: a part of the time that alone had a series finds its numbers new, as
// another such series will be.
func TestSeriesOfOne(t *testing.T) {
	windows := seriesWindows()
	alone := func(w *Window) bool { return w.ContainerID == windows[0].ContainerID && w.StartNS < 100*w.WidthNS }
	for i := range windows {
		if w := &windows[i]; alone(w) {
			w.Items[2] = fmt.Sprintf("write /spool/%d.x", i)
		}
	}
	enc, err := learn(t, windows).NewTrainingEncoder()
	if err != nil {
		t.Fatal(err)
	}
	for i, seen := range encode(t, enc, windows) {
		if isNew := seen["rarity"] > 0; isNew != alone(&windows[i]) {
			t.Fatalf("window %d with %q: rarity %g, want it new %v", i, windows[i].Items, seen["rarity"], !isNew)
		}
	}
}

package detector

import (
	"bytes"
	"slices"
	"testing"

	"mayfly/feature"
)

// intruded is quiet time with a shell in five windows of one container.
func intruded() []feature.Window {
	windows := quiet(6, 100)
	for i := 250; i < 255; i++ {
		windows[i] = attack(windows[i])
	}
	return windows
}

func TestTrimmingSetsTheIntruderAside(t *testing.T) {
	windows := intruded()
	plain := fit(t, Training{Windows: source(windows)}, nil)
	d := fit(t, Training{Windows: source(windows)}, func(o *Options) { o.Trim = 0.02 })
	m := d.Manifest
	if m.Training.Trimmed != 12 || m.Training.Windows != 588 || len(m.Oddest) != 12 || m.Trim != 0.02 {
		t.Fatalf("got %d of %d windows set aside, %d listed, trim %g; want 12 of 588 and 12 listed", m.Training.Trimmed, m.Training.Windows, len(m.Oddest), m.Trim)
	}
	found := 0
	for i, o := range m.Oddest {
		if i > 0 && o.Score > m.Oddest[i-1].Score {
			t.Errorf("window %d: score %g after %g, want the oddest first", i, o.Score, m.Oddest[i-1].Score)
		}
		if slices.Contains(o.New, "exec /bin/sh") {
			found++
		}
	}
	if found != 5 {
		t.Errorf("got %d of the intruder's 5 windows set aside: %+v", found, m.Oddest)
	}
	late := attack(windows[0])
	late.StartNS = 1000 * second
	before, _ := score(t, plain, late)
	after, _ := score(t, d, late)
	if after <= before || after <= m.Threshold {
		t.Errorf("the intruder again: score %g after %g without trimming, threshold %g; want a greater one and an alarm", after, before, m.Threshold)
	}
	if len(d.Manifest.Trained) != len(plain.Manifest.Trained) {
		t.Error("what was set aside is no longer a time that was looked at")
	}
}

func TestTrimmingIsTheSameAtAnyNumberOfThreads(t *testing.T) {
	var packed [2][]byte
	for i := range packed {
		d := fit(t, Training{Windows: source(intruded())}, func(o *Options) { o.Trim, o.MaxContainerWindows, o.Threads = 0.02, 80, 1+2*i })
		var err error
		if packed[i], err = d.pack(); err != nil {
			t.Fatal(err)
		}
		if _, err := unpack(packed[i]); err != nil {
			t.Errorf("read again: %v", err)
		}
	}
	if !bytes.Equal(packed[0], packed[1]) {
		t.Error("three threads gave another detector than one")
	}
}

func TestTrimmingLeavesAttacksToTheLabels(t *testing.T) {
	d := fit(t, Training{Windows: source(intruded()), Class: shells}, func(o *Options) { o.Trim = 0.01 })
	if n := d.Manifest.Training; n.SetAside != 5 || n.Trimmed != 5 || n.Windows != 590 {
		t.Errorf("got %+v, want 5 set aside by labels, 5 trimmed, 590 learned from", n)
	}
}

func TestACapKeepsOneContainerFromDominating(t *testing.T) {
	windows := append(quiet(3, 100), quiet(1, 3000)...)
	for i := 300; i < len(windows); i++ {
		windows[i].ContainerID = "busy"
	}
	for seed := range uint64(2) {
		d := fit(t, Training{Windows: source(windows)}, func(o *Options) { o.MaxContainerWindows, o.Seed = 500, seed })
		n := d.Manifest.Training
		if n.Windows > 800 || n.Windows < 700 || n.Windows+n.Capped != 3300 || d.Space.Windows() != uint64(n.Windows) {
			t.Errorf("seed %d: got %+v, want all 300 of the three and nearly 500 of the busy one", seed, n)
		}
	}
	one := chosenStretches(containerKey{"h", "c"}, map[int64]int64{1: 60, 2: 60, 3: 60, 4: 60, 5: 60, 6: 60}, 120, 1)
	two := chosenStretches(containerKey{"h", "d"}, map[int64]int64{1: 60, 2: 60, 3: 60, 4: 60, 5: 60, 6: 60}, 120, 2)
	if len(one) != 2 || len(two) != 2 {
		t.Errorf("got %v and %v, want two stretches each", one, two)
	}
}

func TestTrimmingIsRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Options)
	}{
		{"more than half", func(o *Options) { o.Trim = 0.6 }},
		{"less than nothing", func(o *Options) { o.Trim = -0.1 }},
		{"a random forest", func(o *Options) { o.Trim, o.Engine = 0.1, Random }},
		{"a negative cap", func(o *Options) { o.MaxContainerWindows = -1 }},
	} {
		opts := DefaultOptions()
		test.change(&opts)
		if err := opts.Check(); err == nil {
			t.Errorf("%s: want an error", test.name)
		}
	}
}

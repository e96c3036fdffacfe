package flags

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"mayfly/ingest"
	"mayfly/train"
)

// parsed are flags that add has added, set to what a command line says.
func parsed(t *testing.T, line string, add func(*pflag.FlagSet)) *pflag.FlagSet {
	t.Helper()
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	add(set)
	if err := set.Parse(strings.Fields(line)); err != nil {
		t.Fatal(err)
	}
	return set
}

func says(err error, want string) bool {
	if err == nil {
		return want == ""
	}
	return want != "" && strings.Contains(err.Error(), want)
}

func TestWindows(t *testing.T) {
	for line, want := range map[string]struct {
		width, lateness int64
		err             string
	}{
		"":                            {width: 1e9, lateness: 5e9},
		"--width 1ms --lateness 24h":  {width: 1e6, lateness: 86_400e9},
		"--width 24h --lateness 0s":   {width: 86_400e9, lateness: -1},
		"--width 999us":               {err: "ingest: --width: got 999µs, want 1ms to 24h"},
		"--width 25h":                 {err: "ingest: --width: got 25h"},
		"--lateness -1s":              {err: "ingest: --lateness: got -1s, want 0s to 24h"},
		"--lateness 24h1s --host-too": {err: "ingest: --lateness: got 24h0m1s"},
	} {
		var w Windows
		var opts ingest.Options
		parsed(t, line, w.Add)
		err := w.Set(&opts)
		if !says(err, want.err) || opts.WidthNS != want.width || opts.LatenessNS != want.lateness {
			t.Errorf("%q: got %d ns, %d ns late, error %v; want %+v", line, opts.WidthNS, opts.LatenessNS, err, want)
		}
	}
}

func TestSetTrain(t *testing.T) {
	for line, want := range map[string]string{
		"":           "",
		"--fpr 0.01": "",
		"--fpr 0":    "train: --fpr: want more than 0",
		"--fpr 0.01 --alarms-per-container-day 2": "train: give --fpr or --alarms-per-container-day",
		"--threads -1":               "train: --threads: want 0 or more, got -1",
		"--holdout 0.2":              "train: --holdout holds nothing back",
		"--holdout 0.2 --split time": "",
		"--engine oak":               "(see mayfly train -h)",
	} {
		opts := train.DefaultOptions()
		set := parsed(t, line, func(set *pflag.FlagSet) { AddTrain(set, &opts) })
		if err := SetTrain(set, &opts, "v1"); !says(err, want) {
			t.Errorf("%q: got error %v, want %q", line, err, want)
		}
	}
	opts := train.DefaultOptions()
	set := parsed(t, "--n-estimators 7 --fpr 0.5", func(set *pflag.FlagSet) { AddTrain(set, &opts) })
	if err := SetTrain(set, &opts, "v1"); err != nil {
		t.Fatal(err)
	}
	if d := opts.Detector; d.Random.NEstimators != 7 || d.Version != "v1" || d.Budget.AlarmsPerContainerDay != 0 {
		t.Errorf("got %d trees of a random forest, version %q, %g alarms; want 7, v1, none", d.Random.NEstimators, d.Version, d.Budget.AlarmsPerContainerDay)
	}
}

func TestSince(t *testing.T) {
	now := time.Date(2026, 1, 3, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"36h": now.Add(-36 * time.Hour), "2026-01-02": now.Add(-36 * time.Hour),
		"2026-01-02 03:04:05": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-02T03:04:05+01:00": time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC),
	} {
		if got, err := Since(text, now); err != nil || got != want.UnixNano() {
			t.Errorf("%q: got %d and error %v, want %d", text, got, err, want.UnixNano())
		}
	}
	if got, err := Since("", now); got != 0 || err != nil {
		t.Errorf("nothing: got %d and error %v, want 0", got, err)
	}
	for _, bad := range []string{"-36h", "0s", "yesterday", "1969-12-31", "2262-01-01"} {
		if got, err := Since(bad, now); err == nil || !strings.HasPrefix(err.Error(), "replay: --since ") {
			t.Errorf("%q: got %d and error %v, want one that names the flag", bad, got, err)
		}
	}
}

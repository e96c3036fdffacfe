package record

import (
	"flag"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"mayfly/record/dockertest"
)

var (
	rounds    = flag.Int("rounds", 0, "how often each tracer meets each load; 0: not at all")
	loadNames = flag.String("loads", "storm,redis,nginx,nginx-connections,fork", "loads to measure")
	only      = flag.String("tracers", "", "tracers to measure beside none (default: all)")
)

// TestOverhead lets each load run under each tracer, in turns, and prints how
// fast it was beside the same round's run without any.
func TestOverhead(t *testing.T) {
	if *rounds == 0 {
		t.Skip("a measurement: ask for it with -rounds 5")
	}
	dockertest.Alone(t)
	daemon := dockertest.StartDaemon(t)
	tracers := availableTracers(t)
	for _, load := range loads(t, daemon) {
		if !slices.Contains(strings.Split(*loadNames, ","), load.name) {
			continue
		}
		t.Run(load.name, func(t *testing.T) { measure(t, daemon, load, tracers) })
	}
}

// measure prints one load's table.
func measure(t *testing.T, daemon *dockertest.Daemon, load load, tracers []tracer) {
	image := load.image()
	speeds, notes := make([][]float64, len(tracers)), make([]string, len(tracers))
	for round := range *rounds {
		for i := range tracers {
			at := (i + round) % len(tracers) // none of them always comes first
			speed, note, err := run(t, daemon, load, image, tracers[at])
			if err != nil {
				notes[at] = "cannot: " + oneLine(err.Error())
				continue
			}
			speeds[at], notes[at] = append(speeds[at], speed), note
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d rounds\n\n| tracer | %s, median | of untraced, median (range) | |\n|---|---|---|---|\n", load.name, *rounds, load.unit)
	for i, tr := range tracers {
		if len(speeds[i]) == 0 {
			fmt.Fprintf(&b, "| %s | | | %s |\n", tr.name, notes[i])
			continue
		}
		ratios := ratios(speeds[i], speeds[0])
		fmt.Fprintf(&b, "| %s | %.5g | %.3f (%.3f–%.3f) | %s |\n", tr.name, median(speeds[i]),
			median(ratios), slices.Min(ratios), slices.Max(ratios), notes[i])
	}
	fmt.Println(b.String())
}

// run is one load under one tracer.
func run(t *testing.T, daemon *dockertest.Daemon, load load, image string, tr tracer) (speed float64, note string, err error) {
	t.Helper()
	container := daemon.RunWith(t, load.options, image, load.command...)
	defer container.Remove(t)
	if load.ready != nil {
		load.ready(t)
	}
	stop, err := tr.start(t, daemon, container)
	if err != nil {
		return 0, "", err
	}
	speed = load.run(t, container)
	note, err = stop()
	return speed, note, err
}

// ratios divides each by the untraced run of its round, so that what else the
// machine did in that round counts for both.
func ratios(speeds, untraced []float64) (out []float64) {
	for i := range min(len(speeds), len(untraced)) {
		out = append(out, speeds[i]/untraced[i])
	}
	return out
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func oneLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.ReplaceAll(line, "|", "/")
}

func TestMedian(t *testing.T) {
	if got := median([]float64{3, 1, 2, 10}); got != 2.5 {
		t.Errorf("median of 3 1 2 10: got %v, want 2.5", got)
	}
	if got := ratios([]float64{1, 4}, []float64{2, 2}); !slices.Equal(got, []float64{0.5, 2}) {
		t.Errorf("ratios: got %v, want 0.5 2", got)
	}
}

package evaluate

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"mayfly/feature"
)

// MeasureOptions say how windows are measured.
type MeasureOptions struct {
	// Rates are the false-positive rates at which detection rates are given.
	Rates []float64
	// Aftermath is how long after the end of a label the container's windows
	// count as neither normal nor attack: what the attacker left running still
	// runs, and features that look back still see the attack.
	// Those windows are counted, and so are the alarms among them.
	Aftermath time.Duration
	Bootstrap BootstrapOptions
	Timelines int // how many containers keep a timeline
	Bins      int // of the histogram, and 4 times as many buckets of a timeline
}

// DefaultMeasureOptions gives rates of 0.1, 1 and 5 % and an aftermath of a
// minute. Run makes it longer where the detector looks back farther.
func DefaultMeasureOptions() MeasureOptions {
	return MeasureOptions{
		Rates:     []float64{0.001, 0.01, 0.05},
		Aftermath: time.Minute,
		Bootstrap: DefaultBootstrapOptions(),
		Timelines: 40,
		Bins:      64,
	}
}

// Measure measures scored windows against labels. Without labels every window
// is taken as normal and only alarm rates come out. A window is of an attack
// when it shares any time with a label of its container (see
// MeasureOptions.Aftermath for what follows). The caller fills in Provenance.
func Measure(w *Windows, labels []feature.Label, opts MeasureOptions) (*Report, error) {
	byContainer := assign(w.Containers, labels)
	classes := classify(w, byContainer, labels, opts.Aftermath.Nanoseconds())
	r := &Report{Format: "mayfly report", Version: ReportVersion, Lost: w.Lost, GapWindows: w.GapWindows}
	r.AtThreshold.Threshold = w.Threshold
	r.Provenance.AftermathNS = opts.Aftermath.Nanoseconds()
	r.Provenance.BootstrapSeed, r.Provenance.Resamples = opts.Bootstrap.Seed, opts.Bootstrap.Resamples
	r.count(w, classes)
	r.findings(w, classes, opts.Aftermath.Nanoseconds())
	r.alarmRate(w, classes, opts.Bootstrap)
	if err := r.rank(w, classes, opts); err != nil {
		return nil, err
	}
	found := r.attacks(w, byContainer, labels)
	mark(r.containers(w, classes, opts), byContainer, labels, found)
	r.Histogram = histogram(w, classes, opts.Bins)
	r.note(labels)
	return r, nil
}

// count fills in windows, hours and what happens at the threshold.
func (r *Report) count(w *Windows, classes []class) {
	seen := make([]bool, len(w.Containers))
	at := &r.AtThreshold
	for i := range w.Rows {
		row := &w.Rows[i]
		alarm := 0
		if row.Score > w.Threshold {
			alarm = 1
		}
		if !seen[row.Container] {
			seen[row.Container] = true
			r.Containers++
		}
		r.Windows.add(classes[i])
		switch classes[i] {
		case normal:
			at.NormalAlarms += alarm
			r.NormalHours += float64(row.WidthNS) / float64(time.Hour)
		case attacked:
			at.AttackAlarms += alarm
		case aftermath:
			at.AftermathAlarms += alarm
		}
	}
	at.FPR = finite(float64(at.NormalAlarms) / float64(r.Windows.Normal))
	at.Recall = finite(float64(at.AttackAlarms) / float64(r.Windows.Attack))
	if r.Windows.Attack > 0 {
		at.Precision = finite(float64(at.AttackAlarms) / float64(at.AttackAlarms+at.NormalAlarms))
	}
}

func (c *Counts) add(k class) {
	c.Total++
	switch k {
	case normal:
		c.Normal++
	case attacked:
		c.Attack++
	case aftermath:
		c.Aftermath++
	case trained:
		c.Trained++
	}
}

// alarmRate is alarms per container-hour on normal windows, and its interval
// over containers.
func (r *Report) alarmRate(w *Windows, classes []class, opts BootstrapOptions) {
	alarms, hours := make([]float64, len(w.Containers)), make([]float64, len(w.Containers))
	for i := range w.Rows {
		row := &w.Rows[i]
		if classes[i] != normal {
			continue
		}
		hours[row.Container] += float64(row.WidthNS) / float64(time.Hour)
		if row.Score > w.Threshold {
			alarms[row.Container]++
		}
	}
	rate := func(weights []float64) float64 {
		var a, h float64
		for c, weight := range weights {
			a, h = a+weight*alarms[c], h+weight*hours[c]
		}
		return a / h
	}
	// Containers without a normal window have no say in how wide it is.
	alarms, hours = keep(alarms, hours), keep(hours, hours)
	weights := slices.Repeat([]float64{1}, len(hours))
	value := rate(weights)
	var interval *[2]float64
	if len(hours) > 1 {
		var values []float64
		for i := range opts.Resamples {
			draw(weights, rand.New(rand.NewPCG(opts.Seed, uint64(i))))
			if v := rate(weights); !math.IsNaN(v) {
				values = append(values, v)
			}
		}
		if len(values) >= minResamples {
			interval = percentiles(values, opts.Level)
		}
	}
	r.AtThreshold.AlarmsPerContainerHour = estimate(value, interval)
}

// keep returns the values whose weight is above 0.
func keep(values, weights []float64) []float64 {
	var out []float64
	for i, v := range values {
		if weights[i] > 0 {
			out = append(out, v)
		}
	}
	return out
}

// rank fills in what does not depend on the threshold.
func (r *Report) rank(w *Windows, classes []class, opts MeasureOptions) error {
	n := 0
	for _, c := range classes {
		if c == normal || c == attacked {
			n++
		}
	}
	scores, attack, cluster := make([]float64, 0, n), make([]bool, 0, n), make([]int32, 0, n)
	dense := make(map[int32]int32) // containers with measured windows, counted from 0
	for i := range w.Rows {
		if classes[i] == normal || classes[i] == attacked {
			c, ok := dense[w.Rows[i].Container]
			if !ok {
				c = int32(len(dense))
				dense[w.Rows[i].Container] = c
			}
			scores = append(scores, w.Rows[i].Score)
			attack = append(attack, classes[i] == attacked)
			cluster = append(cluster, c)
		}
	}
	ranking, err := NewRanking(scores, attack, cluster)
	if err != nil {
		return err
	}
	r.DetectionRates, r.Curve, r.ROCBand, r.PRBand = []RateAt{}, []Point{}, []Band{}, []Band{}
	asked := Grid{FPRs: slices.Sorted(slices.Values(opts.Rates))}
	summary := ranking.Summarize(asked)
	if math.IsNaN(summary.AUROC) {
		return nil
	}
	// The intervals of the asked rates and of the curves come from one bootstrap.
	grid := Grid{FPRs: slices.Sorted(slices.Values(append(bandFPRs(), asked.FPRs...))), Recalls: bandRecalls()}
	intervals := ranking.Bootstrap(grid, opts.Bootstrap)
	r.AUROC = estimate(summary.AUROC, intervals.AUROC)
	r.AUPRC = estimate(summary.AUPRC, intervals.AUPRC)
	for i, fpr := range asked.FPRs {
		p := summary.Rates[i]
		at, _ := slices.BinarySearch(grid.FPRs, fpr)
		r.DetectionRates = append(r.DetectionRates,
			RateAt{fpr, *estimate(p.Recall, intervals.Recalls[at]), finite(p.Threshold)})
	}
	r.Curve = thin(ranking.points())
	r.ROCBand, r.PRBand = bands(grid.FPRs, intervals.Recalls), bands(grid.Recalls, intervals.Precisions)
	return nil
}

// bandFPRs are the places of the ROC curve's band: even steps on its linear and
// on its logarithmic axis.
func bandFPRs() []float64 {
	var at []float64
	for i := range 25 {
		at = append(at, math.Pow(10, float64(i-24)/6), float64(i)/24)
	}
	return at
}

func bandRecalls() []float64 {
	at := make([]float64, 41)
	for i := range at {
		at[i] = float64(i) / 40
	}
	return at
}

// bands joins places and intervals, without the places that repeat.
func bands(at []float64, intervals []*[2]float64) []Band {
	out := []Band{}
	for i, interval := range intervals {
		if interval != nil && (i == 0 || at[i] != at[i-1]) {
			out = append(out, Band{at[i], interval[0], interval[1]})
		}
	}
	return out
}

// note says what a reader must know.
func (r *Report) note(labels []feature.Label) {
	r.Notes = []string{}
	note := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	switch {
	case r.Windows.Total == 0:
		note("no windows")
	case r.Windows.Total == r.Windows.Trained:
		note("the detector learned from every window: nothing is left to measure on")
	case len(labels) == 0:
		note("no labels: every window is taken as normal; only alarm rates can be given")
	case r.Windows.Attack == 0:
		note("no window of any labelled attack: only alarm rates can be given")
	case r.Windows.Normal == 0:
		note("no normal windows: no false-positive rate, AUROC or AUPRC can be given")
	}
	if r.GapWindows > 0 {
		note("%d of these windows touch a gap of the recording: what is not there cannot be found", r.GapWindows)
	}
	if r.Lost > 0 {
		note("%d records were lost while these windows were recorded: what is not there cannot be found", r.Lost)
	}
	absent := 0
	for i := range r.Attacks {
		if r.Attacks[i].Windows == 0 && r.Attacks[i].Trained == 0 {
			absent++
		}
	}
	if absent > 0 {
		note("%d labelled attack(s) have no window in the input and count as missed", absent)
	}
	if r.AUROC != nil && r.AUROC.Low == nil {
		note("no intervals for what ranks: they need attack windows, and normal ones, in at least two containers each")
	}
	if n := r.Windows.Normal; n > 0 && r.AUROC != nil {
		if finest := slices.Min(append([]float64{1}, rates(r.DetectionRates)...)); finest*float64(n) < 1 {
			note("%d normal windows cannot resolve a false-positive rate of %g: the detection rate there is the one without any false alarm", n, finest)
		}
	}
}

func rates(at []RateAt) []float64 {
	out := make([]float64, len(at))
	for i := range at {
		out[i] = at[i].FPR
	}
	return out
}

// thin keeps the points of a curve that an eye can tell apart: steps of 1/500
// in any rate, or of 2 % in the false-positive rate where that is small; and the
// first and the last.
func thin(points iter.Seq[Point]) []Point {
	const step = 1.0 / 500
	out := []Point{}
	var p Point
	kept := true
	for p = range points {
		kept = true
		if len(out) > 0 {
			last := &out[len(out)-1]
			kept = p.FPR-last.FPR >= step || p.Recall-last.Recall >= step ||
				math.Abs(p.Precision-last.Precision) >= step || p.FPR > last.FPR*1.02
		}
		if kept {
			out = append(out, p)
		}
	}
	if !kept {
		out = append(out, p)
	}
	return out
}

// histogram counts scores of normal and attack windows.
func histogram(w *Windows, classes []class, bins int) Histogram {
	h := Histogram{Low: math.Inf(1), High: math.Inf(-1), Normal: []int{}, Attack: []int{}}
	for i := range w.Rows {
		if classes[i] == normal || classes[i] == attacked {
			h.Low, h.High = min(h.Low, w.Rows[i].Score), max(h.High, w.Rows[i].Score)
		}
	}
	if h.Low > h.High || bins < 1 {
		h.Low, h.High = 0, 1
		return h
	}
	h.Low, h.High = min(h.Low, w.Threshold), max(h.High, w.Threshold)
	if h.Low == h.High {
		h.High = h.Low + 1
	}
	h.Normal, h.Attack = make([]int, bins), make([]int, bins)
	for i := range w.Rows {
		bin := int(float64(bins) * (w.Rows[i].Score - h.Low) / (h.High - h.Low))
		bin = min(max(bin, 0), bins-1)
		switch classes[i] {
		case normal:
			h.Normal[bin]++
		case attacked:
			h.Attack[bin]++
		}
	}
	return h
}

package evaluate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mayfly/datasets/dockercve"
	"mayfly/detector"
)

// DockerCVEOptions say how the protocol of docker-cve is gone through.
type DockerCVEOptions struct {
	Detector  detector.Options // Seed and Budget count; Threads does not
	Threads   int              // CVEs at a time; no influence on the result
	Baselines bool             // measure methods of the literature too
	Bootstrap BootstrapOptions // over CVEs
	// Progress is told after each CVE how many are done; it may be nil, and is
	// called from several goroutines.
	Progress func(done, total int)
}

// DockerCVERun is what the detector did on one run.
type DockerCVERun struct {
	CVE         string  `json:"cve"`
	Run         int     `json:"run"`
	Before      int     `json:"windows_before"` // test windows before the trigger
	FalseAlarms int     `json:"false_alarms"`   // of them
	FPR         float64 `json:"fpr"`            // their share
	Detected    bool    `json:"detected"`
	LeadS       float64 `json:"lead_s"`
}

// MethodMeans are one method's means over runs.
type MethodMeans struct {
	Method   string   `json:"method"`
	Runs     int      `json:"runs"`
	FPR      Estimate `json:"fpr"`
	Detected Estimate `json:"detected"` // share of runs
	LeadS    Estimate `json:"lead_s"`
}

// DockerCVEReport is the outcome of the protocol.
type DockerCVEReport struct {
	Format  string          `json:"format"` // "mayfly docker-cve"
	Version int             `json:"version"`
	Seed    uint64          `json:"seed"`
	Engine  string          `json:"engine"`
	Budget  detector.Budget `json:"budget"` // as asked for; what each model resolves differs
	Mayfly  MethodMeans     `json:"mayfly"`
	Others  []MethodMeans   `json:"published"` // on the same runs
	// Baselines are null where none was asked for; LeftOut are those that need an order
	// of calls, which the dataset has not.
	Baselines []MethodMeans  `json:"baselines"`
	LeftOut   []string       `json:"baselines_left_out"`
	Runs      []DockerCVERun `json:"runs"`
	Protocol  string         `json:"protocol"`
}

// DockerCVEProtocol is the protocol in one paragraph.
const DockerCVEProtocol = "One detector per CVE, trained on the train segments of its four runs and nothing else; its threshold comes " +
	"from the same windows. FPR of a run: share of test windows before the trigger that alarm. Detected: any alarm in " +
	"[trigger, success]. Lead: success minus the first such alarm in seconds, 0 where none. Means over runs."

// DockerCVE measures by the protocol of docker-cve's authors. The same seed
// gives the same report at any number of threads.
func DockerCVE(ctx context.Context, set *dockercve.Set, opts DockerCVEOptions) (*DockerCVEReport, error) {
	cves := set.CVEs()
	published, err := set.Published()
	if err != nil {
		return nil, err
	}
	methods := []dockerCVEMethod{{"mayfly", func(ctx context.Context, w *dockercve.Windows) ([]bool, error) {
		return detectorAlarms(ctx, w, opts.Detector)
	}}}
	if opts.Baselines {
		methods = append(methods, dockerCVEMethods(opts.Detector)...)
	}
	perCVE := make([][][]DockerCVERun, len(cves)) // by CVE and method
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, opts.Threads))
	var done atomic.Int64
	for i, cve := range cves {
		group.Go(func() error {
			var err error
			if perCVE[i], err = runCVE(ctx, set, cve, methods); err != nil {
				return fmt.Errorf("%s: %w", cve, err)
			}
			if n := int(done.Add(1)); opts.Progress != nil {
				opts.Progress(n, len(cves))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	r := &DockerCVEReport{Format: "mayfly docker-cve", Version: ReportVersion, Seed: opts.Detector.Seed,
		Engine: opts.Detector.Engine, Budget: opts.Detector.Budget, Protocol: DockerCVEProtocol}
	runs := make([][]DockerCVERun, len(methods))
	for _, of := range perCVE {
		for m := range methods {
			runs[m] = append(runs[m], of[m]...)
		}
	}
	r.Runs, r.Mayfly = runs[0], means(methods[0].name, runs[0], opts.Bootstrap)
	for m := 1; m < len(methods); m++ {
		r.Baselines = append(r.Baselines, means(methods[m].name, runs[m], opts.Bootstrap))
	}
	if opts.Baselines {
		r.LeftOut = unordered()
	}
	r.Others = publishedMeans(published, r.Runs, opts.Bootstrap)
	return r, nil
}

// runCVE measures each method on the runs of one CVE.
func runCVE(ctx context.Context, set *dockercve.Set, cve string, methods []dockerCVEMethod) ([][]DockerCVERun, error) {
	windows, err := set.Windows(cve)
	if err != nil {
		return nil, err
	}
	out := make([][]DockerCVERun, len(methods))
	for m, method := range methods {
		alarms, err := method.run(ctx, windows)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", method.name, err)
		}
		byRun := map[int][]bool{} // in the order of the test segment
		for i, row := range windows.Rows {
			if !dockercve.Train(row) {
				byRun[row.Run] = append(byRun[row.Run], alarms[i])
			}
		}
		for _, run := range set.Runs(cve) {
			out[m] = append(out[m], judge(run, byRun[run.Run]))
		}
	}
	return out, nil
}

// detectorAlarms trains one detector on the train segments and scores the others;
// alarms are beside windows.Rows.
func detectorAlarms(ctx context.Context, windows *dockercve.Windows, opts detector.Options) ([]bool, error) {
	opts.Threads = 1
	d, err := detector.Fit(ctx, detector.Training{Windows: windows.Training}, opts)
	if err != nil {
		return nil, err
	}
	test := func(r dockercve.Row) bool { return !dockercve.Train(r) }
	scored, err := Score(ctx, d, windows.Records(ctx, test), nil, 1)
	if err != nil {
		return nil, err
	}
	alarms, next := make([]bool, len(windows.Rows)), 0
	for i, row := range windows.Rows {
		if test(row) {
			alarms[i] = scored.Rows[next].Score > scored.Threshold
			next++
		}
	}
	return alarms, nil
}

// judge applies the protocol to the alarms of one test segment, one per window
// of 100 ms from the segment's start.
func judge(run dockercve.Run, alarms []bool) DockerCVERun {
	out := DockerCVERun{CVE: run.CVE, Run: run.Run, Before: run.TriggerRow}
	for _, alarm := range alarms[:run.TriggerRow] {
		if alarm {
			out.FalseAlarms++
		}
	}
	out.FPR = float64(out.FalseAlarms) / float64(run.TriggerRow)
	if first := slices.Index(alarms[run.TriggerRow:run.SuccessRow+1], true); first >= 0 {
		out.Detected = true
		out.LeadS = float64(run.SuccessRow-run.TriggerRow-first) * dockercve.Width.Seconds()
	}
	return out
}

// means averages runs, with intervals over CVEs: the runs of one share their
// model.
func means(method string, runs []DockerCVERun, opts BootstrapOptions) MethodMeans {
	cluster := map[string]int{}
	sums := [][4]float64{} // per CVE: runs, FPR, detected, lead
	for _, run := range runs {
		c, ok := cluster[run.CVE]
		if !ok {
			c = len(sums)
			cluster[run.CVE] = c
			sums = append(sums, [4]float64{})
		}
		s := &sums[c]
		s[0], s[1], s[3] = s[0]+1, s[1]+run.FPR, s[3]+run.LeadS
		if run.Detected {
			s[2]++
		}
	}
	mean := func(figure int, weights []float64) float64 {
		var total, n float64
		for c, weight := range weights {
			total, n = total+weight*sums[c][figure], n+weight*sums[c][0]
		}
		return total / n
	}
	figure := func(figure int) Estimate {
		weights := slices.Repeat([]float64{1}, len(sums))
		value := mean(figure, weights)
		var interval *[2]float64
		if len(sums) > 1 && opts.Resamples >= minResamples {
			values := make([]float64, opts.Resamples)
			for i := range values {
				draw(weights, rand.New(rand.NewPCG(opts.Seed, uint64(i))))
				values[i] = mean(figure, weights)
			}
			interval = percentiles(values, opts.Level)
		}
		if e := estimate(value, interval); e != nil {
			return *e
		}
		return Estimate{}
	}
	return MethodMeans{method, len(runs), figure(1), figure(2), figure(3)}
}

// publishedMeans averages each published method over the runs that were
// measured here.
func publishedMeans(published []dockercve.PublishedRun, measured []DockerCVERun, opts BootstrapOptions) []MethodMeans {
	type key struct {
		cve string
		run int
	}
	here := map[key]bool{}
	for _, run := range measured {
		here[key{run.CVE, run.Run}] = true
	}
	var order []string
	byMethod := map[string][]DockerCVERun{}
	for _, p := range published {
		if !here[key{p.CVE, p.Run}] {
			continue
		}
		if byMethod[p.Method] == nil {
			order = append(order, p.Method)
		}
		byMethod[p.Method] = append(byMethod[p.Method], DockerCVERun{CVE: p.CVE, Run: p.Run, FPR: p.FPR, Detected: p.Detected, LeadS: p.LeadS})
	}
	out := []MethodMeans{}
	for _, method := range order {
		out = append(out, means(method, byMethod[method], opts))
	}
	return out
}

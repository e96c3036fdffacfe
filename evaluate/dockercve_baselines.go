package evaluate

import (
	"context"
	"fmt"

	"mayfly/datasets/dockercve"
	"mayfly/detector"
	"mayfly/feature"
)

// dockerCVEMethod is what is measured beside mayfly: it tells the windows of one CVE
// that alarm, as windows.Rows has them.
type dockerCVEMethod struct {
	name string
	run  func(ctx context.Context, windows *dockercve.Windows) (alarms []bool, err error)
}

// dockerCVEMethods are golearn's forest over mayfly's features, and the methods of the
// literature that need no order of calls: the dataset has counts.
func dockerCVEMethods(opts detector.Options) []dockerCVEMethod {
	golearn := opts
	golearn.Engine, golearn.Trim = detector.Golearn, 0
	all := []dockerCVEMethod{{golearnMethod, func(ctx context.Context, w *dockercve.Windows) ([]bool, error) {
		return detectorAlarms(ctx, w, golearn)
	}}}
	if opts.Engine == detector.Golearn {
		all = nil
	}
	for _, b := range baselines(3) {
		if !b.ordered {
			all = append(all, dockerCVEMethod{b.name, func(ctx context.Context, w *dockercve.Windows) ([]bool, error) {
				return b.alarms(ctx, w, opts.Budget)
			}})
		}
	}
	return all
}

// unordered names the methods that dockerCVEMethods has not.
func unordered() (names []string) {
	for _, b := range baselines(3) {
		if b.ordered {
			names = append(names, b.name)
		}
	}
	return names
}

// baselineFolds is into how many parts training windows are cut for a baseline's
// threshold, as for a detector's.
const baselineFolds = 4

// alarms learns the train segments of a CVE and scores the others. The threshold is set
// as a detector's is: train segments are cut into parts, each scored by what learned the
// others. Windows without calls do not alarm: most methods have nothing to say of them.
func (b baseline) alarms(ctx context.Context, windows *dockercve.Windows, budget detector.Budget) ([]bool, error) {
	var samples []sample
	var starts []int64
	for w, err := range feature.Each(windows.Records(ctx, func(dockercve.Row) bool { return true })) {
		if err != nil {
			return nil, err
		}
		samples, starts = append(samples, windowSample(w)), append(starts, w.StartNS)
	}
	part, containers := trainParts(windows.Rows)
	score := func(m learner, i int) float64 {
		if len(samples[i].bag) == 0 {
			return 0
		}
		return m.score(&samples[i])
	}
	fit := func(without int) learner {
		m := b.new()
		for i := range samples {
			if part[i] >= 0 && part[i] != without && len(samples[i].bag) > 0 {
				m.learn(&samples[i])
			}
		}
		return m
	}
	var held []detector.HeldOut
	for fold := range baselineFolds {
		m := fit(fold)
		for i, row := range windows.Rows {
			if part[i] == fold {
				held = append(held, detector.HeldOut{ContainerID: dockercve.ContainerID(windows.CVE, row.Run, row.Segment), StartNS: starts[i], Score: score(m, i)})
			}
		}
	}
	if len(held) == 0 || containers < baselineFolds {
		return nil, fmt.Errorf("%d train segments are too few for %d parts", containers, baselineFolds)
	}
	threshold := budget.Threshold(held, float64(len(held))*dockercve.Width.Hours()/24, dockercve.Width.Nanoseconds())
	m, out := fit(-1), make([]bool, len(samples))
	for i, row := range windows.Rows {
		out[i] = !dockercve.Train(row) && score(m, i) > threshold
	}
	return out, nil
}

// trainParts deals the train segments out to baselineFolds parts; -1 for other rows.
func trainParts(rows []dockercve.Row) (part []int, segments int) {
	part = make([]int, len(rows))
	for i, row := range rows {
		if !dockercve.Train(row) {
			part[i] = -1
			continue
		}
		if i == 0 || rows[i-1].Run != row.Run || rows[i-1].Segment != row.Segment {
			segments++
		}
		part[i] = (segments - 1) % baselineFolds
	}
	return part, segments
}

package evaluate_test

import (
	"fmt"
	"os"
	"time"

	"mayfly/evaluate"
	"mayfly/feature"
)

// Scores may come from anywhere: here, eight windows of one container, of which
// the sixth is of an attack.
func ExampleMeasure() {
	windows := &evaluate.Windows{Threshold: 0.5, Containers: []evaluate.Container{{ID: "web", Workload: "nginx"}}}
	for i, score := range []float64{0.2, 0.3, 0.2, 0.6, 0.1, 0.9, 0.2, 0.1} {
		windows.Rows = append(windows.Rows, evaluate.Scored{StartNS: int64(i) * 1e9, WidthNS: 1e9, Score: score})
	}
	labels := []feature.Label{{Container: "web", FromNS: 5e9, ToNS: 5.9e9, Attack: "shell"}}
	opts := evaluate.DefaultMeasureOptions()
	opts.Aftermath = time.Second
	report, err := evaluate.Measure(windows, labels, opts)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := report.WriteTable(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// windows                      8  6 normal, 1 of attacks, 1 of aftermath (left out)
	// containers                   1  0.00167 container-hours of normal windows
	// AUROC                        1.000
	// AUPRC                        1.000
	// detection rate at FPR 0.1 %  100 %
	// detection rate at FPR 1 %    100 %
	// detection rate at FPR 5 %    100 %
	// at threshold                 0.5000  FPR 16.7 %, attack windows above it 100 %, precision 50 %
	// alarms per container-hour    600
	// findings                     1 in normal time, 1 in attacks and after them
	// attacks found                1 of 1
	//
	// ATTACK  CONTAINER  WINDOWS  ALARMS  DETECTED AFTER  PEAK   CARRIED BY
	// shell   web        1        1       1.0 s           0.900
	//
	// note: no intervals for what ranks: they need attack windows, and normal ones, in at least two containers each
	// note: 6 normal windows cannot resolve a false-positive rate of 0.001: the detection rate there is the one without any false alarm
}

func ExampleRanking() {
	scores := []float64{0.1, 0.4, 0.35, 0.8}
	attack := []bool{false, false, true, true}
	ranking, err := evaluate.NewRanking(scores, attack, make([]int32, 4))
	if err != nil {
		fmt.Println(err)
		return
	}
	s := ranking.Summarize(evaluate.Grid{})
	fmt.Printf("AUROC %.2f, AUPRC %.3f\n", s.AUROC, s.AUPRC)
	// Output: AUROC 0.75, AUPRC 0.833
}

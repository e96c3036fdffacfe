package rule

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"mayfly/feature"
	"mayfly/rule/falco"
	"mayfly/trace"
)

// File is a file of rules, whoever wrote them: Falco's YAML, or a seccomp profile
// in JSON, as its name or its first character says.
type File struct {
	Name    string
	Content []byte
}

// TestFiles is Test for rules in files. Falco's files are read in order, each
// changing what those before define, as Falco reads several. Rules are held
// against all containers that they may fire in; a seccomp profile against those of
// the workload that its file is named for (FileName), or against all. Errors name
// file and line; what a trace cannot tell of a rule is in its result.
func TestFiles(ctx context.Context, files []File, traces []*trace.Trace, labels []feature.Label, opts TestOptions) (*Report, error) {
	var sources []falco.Source
	var filters []*filter
	for _, file := range files {
		if !file.seccomp() {
			sources = append(sources, falco.Source(file))
			continue
		}
		f, err := readFilter(file.Name, file.Content)
		if err != nil {
			return nil, err
		}
		filters = append(filters, f)
	}
	program, err := compileRules(sources)
	if err != nil {
		return nil, err
	}
	if len(program.Rules)+len(filters) == 0 {
		return nil, fmt.Errorf("%s: no rules to try", files[0].Name)
	}
	t := newTrial(program, filters, labels, opts)
	if err := t.run(ctx, traces); err != nil {
		return nil, err
	}
	return t.report(), nil
}

func (f *File) seccomp() bool {
	switch strings.ToLower(filepath.Ext(f.Name)) {
	case ".json":
		return true
	case ".yaml", ".yml":
		return false
	}
	return bytes.HasPrefix(bytes.TrimSpace(f.Content), []byte("{"))
}

// AtMost is the rate, by container-hour, that the true one is below with 95 %
// confidence after so many fires on normal time: the upper bound of a Poisson
// count (Garwood 1936). +Inf without normal time.
func (r *Result) AtMost() float64 {
	if r.NormalHours <= 0 {
		return math.Inf(1)
	}
	n := float64(r.Normal)
	low, high := n, n+4*math.Sqrt(n+1)+4
	for range 60 {
		mid := (low + high) / 2
		if poissonBelow(r.Normal, mid) > 0.05 {
			low = mid
		} else {
			high = mid
		}
	}
	return high / r.NormalHours
}

// poissonBelow is the chance of at most n events where mean are expected.
func poissonBelow(n int64, mean float64) float64 {
	if n > 10_000 { // close to normal
		return 0.5 * math.Erfc((mean-float64(n)-0.5)/math.Sqrt(2*mean))
	}
	logTerm, sum := -mean, 0.0
	for k := int64(0); k <= n; k++ {
		if k > 0 {
			logTerm += math.Log(mean) - math.Log(float64(k))
		}
		sum += math.Exp(logTerm)
	}
	return sum
}

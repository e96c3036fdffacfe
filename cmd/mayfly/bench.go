package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"mayfly/forest"

	"github.com/spf13/cobra"
)

const benchLong = `Bench makes a table of normally distributed random numbers, fits an isolation
forest to it, scores it, and prints how long that took. Scoring takes the fastest
path that the processor has, AVX-512, AVX2 or portable; --path takes another, and
the scores are the same bits. Then golearn's isolation forest scores rows of the
same table, as many as --golearn says (it keeps a copy of all); its threads are one.

Nothing is read or written. Times are wall clock: on a busy machine, run it again.

  mayfly bench
  mayfly bench --rows 100000 --path portable --format json

Exit status: 0 fine, 1 failure, 2 wrong use.`

type benchOptions struct {
	rows, features, trees, samples, threads, golearn int
	seed                                             uint64
	path, format                                     string
}

func newBenchCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast forests are fitted and score here",
		Long:  benchLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.run(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.rows, "rows", 1_000_000, "rows of the table")
	f.IntVar(&o.features, "features", 64, "columns of the table")
	f.IntVar(&o.trees, "trees", 100, "trees of the forest")
	f.IntVar(&o.samples, "samples", 256, "rows that each tree grows from")
	f.IntVar(&o.threads, "threads", 1, "threads to use; 0: one per processor")
	f.IntVar(&o.golearn, "golearn", 2000, "rows that golearn scores; 0: it is left out")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the table and the forest")
	f.StringVar(&o.path, "path", "", "way of scoring: "+strings.Join(forest.Paths(), ", ")+"; the first when not given")
	f.StringVarP(&o.format, "format", "o", "table", "what is printed: table or json")
	return cmd
}

func (o *benchOptions) check() error {
	for _, c := range []struct {
		flag           string
		got, low, high int
	}{
		{"rows", o.rows, 2, 1 << 30}, {"features", o.features, 1, 1 << 16}, {"trees", o.trees, 1, 1 << 16},
		{"samples", o.samples, 2, 1 << 24}, {"threads", o.threads, 0, 1 << 16}, {"golearn", o.golearn, 0, 1 << 30},
	} {
		if c.got < c.low || c.got > c.high {
			return usageErrorf("bench: --%s: want %d to %d, got %d", c.flag, c.low, c.high, c.got)
		}
	}
	if o.format != "table" && o.format != "json" {
		return usageErrorf("bench: --format: want table or json, got %q", o.format)
	}
	if o.path != "" && !slices.Contains(forest.Paths(), o.path) {
		return usageErrorf("bench: --path: want one of %s, got %q", strings.Join(forest.Paths(), ", "), o.path)
	}
	if o.path == "" {
		o.path = forest.Paths()[0]
	}
	if o.threads == 0 {
		o.threads = runtime.GOMAXPROCS(0)
	}
	return nil
}

// benchFigures is what bench prints.
type benchFigures struct {
	Rows     int    `json:"rows"`
	Features int    `json:"features"`
	Trees    int    `json:"trees"`
	Samples  int    `json:"samples"`
	Threads  int    `json:"threads"`
	Path     string `json:"path"`

	FitSeconds        float64         `json:"fit_seconds"`
	ScoreSeconds      float64         `json:"score_seconds"`
	RowsPerSecond     float64         `json:"rows_per_second"`
	NanosecondsAVisit float64         `json:"ns_per_tree_visit"` // wall clock of one row and one tree
	TableBytes        int64           `json:"table_bytes"`
	FitBytes          uint64          `json:"fit_bytes"`   // allocated while fitting
	ScoreBytes        uint64          `json:"score_bytes"` // allocated while scoring
	Golearn           *golearnFigures `json:"golearn,omitempty"`
}

func (o *benchOptions) run(w io.Writer) error {
	r := rand.New(rand.NewPCG(o.seed, 0))
	x := make([][]float32, o.features)
	for f := range x {
		x[f] = make([]float32, o.rows)
		for i := range x[f] {
			x[f][i] = float32(r.NormFloat64())
		}
	}
	b := benchFigures{
		Rows: o.rows, Features: o.features, Trees: o.trees, Samples: o.samples, Threads: o.threads,
		Path: o.path, TableBytes: 4 * int64(o.rows) * int64(o.features),
	}
	opts := forest.DefaultIsolationOptions()
	opts.NEstimators, opts.MaxSamples, opts.Seed, opts.Threads = o.trees, o.samples, o.seed, o.threads
	var f *forest.Isolation
	var err error
	b.FitSeconds, b.FitBytes = measure(func() { f, err = forest.FitIsolation(x, opts) })
	if err != nil {
		return err
	}
	if f, err = f.On(o.path); err != nil {
		return err
	}
	out := make([]float32, o.rows)
	b.ScoreSeconds, b.ScoreBytes = measure(func() { err = f.Score(x, out, o.threads) })
	if err != nil {
		return err
	}
	b.RowsPerSecond = float64(o.rows) / b.ScoreSeconds
	b.NanosecondsAVisit = b.ScoreSeconds * 1e9 / float64(o.rows) / float64(o.trees)
	if o.golearn > 0 {
		b.golearn(x, min(o.golearn, o.rows))
	}
	if o.format == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(b)
	}
	return b.print(w)
}

// measure returns how long work takes and how much memory it allocates.
func measure(work func()) (seconds float64, bytes uint64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := time.Now()
	work()
	seconds = time.Since(begin).Seconds()
	runtime.ReadMemStats(&after)
	return seconds, after.TotalAlloc - before.TotalAlloc
}

func (b *benchFigures) print(w io.Writer) error {
	var s strings.Builder
	mega := func(n float64) float64 { return n / 1e6 }
	fmt.Fprintf(&s, "isolation forest, %d trees of %d rows; %d rows, %d features, %.1f MB; threads: %d; path: %s\n",
		b.Trees, b.Samples, b.Rows, b.Features, mega(float64(b.TableBytes)), b.Threads, b.Path)
	fmt.Fprintf(&s, "fit      %10.2f ms            %8.2f MB allocated\n", b.FitSeconds*1e3, mega(float64(b.FitBytes)))
	fmt.Fprintf(&s, "score    %10.4f M rows/s      %8.2f MB allocated   %.3f ns per tree visit\n",
		mega(b.RowsPerSecond), mega(float64(b.ScoreBytes)), b.NanosecondsAVisit)
	if g := b.Golearn; g != nil {
		fmt.Fprintf(&s, "golearn  %10.4f M rows/s      %8.2f MB allocated   for %d rows: mayfly scores %.0f times as fast\n",
			mega(g.RowsPerSecond), mega(float64(g.Bytes)), g.Rows, g.Ratio)
	}
	_, err := io.WriteString(w, s.String())
	return err
}

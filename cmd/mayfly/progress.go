package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"mayfly/feature"
	"mayfly/trace"
)

// progressAfter is how long a command works before it says how far it is.
const progressAfter = 2 * time.Second

// withProgress shows a person at a terminal how many of so many rows have been read,
// how fast, and how long it will take. passes is how often the rows are read; where it is
// not known how many there are (0), it shows no end. Elsewhere it shows nothing. What is returned takes the bar away; call it before anything else
// is printed.
func withProgress(ctx context.Context, w io.Writer, what string, rows int64, passes int) (context.Context, func()) {
	if !onTerminal(w) {
		return ctx, func() {}
	}
	wait := make(chan struct{})
	timer := time.AfterFunc(progressAfter, func() { close(wait) })
	bars := mpb.NewWithContext(ctx, mpb.WithOutput(w), mpb.WithWidth(30), mpb.WithRenderDelay(wait), mpb.WithAutoRefresh())
	name := mpb.PrependDecorators(decor.Name("mayfly: " + what + " "))
	speed := decor.AverageSpeed(0, " %.0f rows/s")
	var bar *mpb.Bar
	if rows > 0 {
		bar = bars.New(rows*int64(passes), mpb.BarStyle().Rbound("]"), mpb.BarRemoveOnComplete(), name,
			mpb.AppendDecorators(decor.Percentage(), speed, decor.Name(" "), decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO), ""), decor.Name(" left")))
	} else {
		bar = bars.New(0, mpb.SpinnerStyle(), name, mpb.AppendDecorators(decor.CurrentNoUnit("%d rows"), speed))
	}
	ctx = trace.WithWatch(ctx, func(n int) { bar.IncrInt64(int64(n)) })
	return ctx, func() {
		if timer.Stop() {
			close(wait)
		}
		bar.Abort(true)
		bars.Wait()
	}
}

// featureRows is how many windows FEATURES files have; 0 where one cannot be read, of
// which the command itself will say why.
func featureRows(paths []string) (rows int64) {
	for _, path := range paths {
		f, err := feature.OpenFile(path)
		if err != nil {
			return 0
		}
		rows += f.Rows
		_ = f.Close() // only read
	}
	return rows
}

// traceRows is how many rows of events and sequences the traces among paths have.
func traceRows(paths []string) (rows int64) {
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			continue
		}
		if t, err := trace.Open(path); err == nil {
			rows += eventRows(t)
		}
	}
	return rows
}

// eventRows is how many rows of events and sequences traces have.
func eventRows(traces ...*trace.Trace) (rows int64) {
	for _, t := range traces {
		for _, table := range []trace.Table{trace.Events, trace.Sequences} {
			for _, f := range t.Files(table) {
				rows += f.Rows
			}
		}
	}
	return rows
}

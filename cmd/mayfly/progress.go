package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"mayfly/feature"
	"mayfly/trace"
)

// progressAfter is how long a command works before it says how far it is.
var progressAfter = 2 * time.Second

// withProgress shows a person at a terminal how many of so many rows have been read,
// how fast, and how long it will take. passes is how often the rows are read; where it
// is not known how many there are (0), it shows no end. Elsewhere it shows nothing.
// What is returned takes the bar away; call it before anything else is printed.
func withProgress(ctx context.Context, w io.Writer, what string, rows int64, passes int) (context.Context, func()) {
	if !onTerminal(w) {
		return ctx, func() {}
	}
	p := newProgress(ctx, w)
	bar := p.rows(what, rows*int64(passes))
	return trace.WithWatch(ctx, func(n int) { bar.IncrInt64(int64(n)) }), func() { p.end(bar) }
}

// withPlannedProgress is withProgress for what finds out how many rows it will read
// when it is at work: it calls planned before it reads, again where it begins anew.
func withPlannedProgress(ctx context.Context, w io.Writer, what string) (watched context.Context, planned func(rows int64), done func()) {
	if !onTerminal(w) {
		return ctx, nil, func() {}
	}
	p := newProgress(ctx, w)
	var bar *mpb.Bar
	planned = func(rows int64) {
		if bar != nil {
			bar.Abort(true)
		}
		bar = p.rows(what, rows)
	}
	watched = trace.WithWatch(ctx, func(n int) {
		if bar != nil {
			bar.IncrInt64(int64(n))
		}
	})
	return watched, planned, func() { p.end(bar) }
}

// withInputProgress is withPlannedProgress for what reads files first of which the
// size is known: read is told of their bytes.
func withInputProgress(ctx context.Context, w io.Writer, what string, bytes int64) (watched context.Context, read, planned func(int64), done func()) {
	if !onTerminal(w) {
		return ctx, nil, nil, func() {}
	}
	p := newProgress(ctx, w)
	bar := p.bytes(what, bytes)
	rows := false
	read = func(n int64) {
		if !rows {
			bar.IncrInt64(n)
		}
	}
	planned = func(n int64) {
		bar.Abort(true)
		bar, rows = p.rows(what, n), true
	}
	watched = trace.WithWatch(ctx, func(n int) {
		if rows {
			bar.IncrInt64(int64(n))
		}
	})
	return watched, read, planned, func() { p.end(bar) }
}

// waiting shows a person at a terminal that a command is at work, and since when, for
// what cannot say how far it is.
func waiting(ctx context.Context, w io.Writer, what string) (done func()) {
	if !onTerminal(w) {
		return func() {}
	}
	p := newProgress(ctx, w)
	bar := p.bars.New(0, mpb.SpinnerStyle(), mpb.PrependDecorators(decor.Name("mayfly: "+what)), mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_GO)))
	return sync.OnceFunc(func() { p.end(bar) })
}

// inputBytes is the size of files, and of those in folders, on this machine's disks.
func inputBytes(paths []string) (bytes int64) {
	for _, path := range paths {
		path = strings.TrimPrefix(path, "file://")
		_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // the command itself says it
			}
			if info, err := d.Info(); err == nil {
				bytes += info.Size()
			}
			return nil
		})
	}
	return bytes
}

// stepProgress shows a person at a terminal how many steps of so many are done, and
// how long the rest will take; step is nil elsewhere, and safe for concurrent use.
func stepProgress(ctx context.Context, w io.Writer, steps string) (step func(done, total int), done func()) {
	if !onTerminal(w) {
		return nil, func() {}
	}
	p := newProgress(ctx, w)
	begin := time.Now()
	count := func(s decor.Statistics) string {
		if s.Current == 0 { // how many there are is known once one is done
			return "the first of the " + steps
		}
		return fmt.Sprintf("%d of %d %s", s.Current, s.Total, steps)
	}
	left := func(s decor.Statistics) string {
		if s.Current == 0 {
			return ""
		}
		each := time.Since(begin) / time.Duration(s.Current)
		return fmt.Sprintf("%v left", (each * time.Duration(s.Total-s.Current)).Round(time.Second))
	}
	bar := p.bars.New(0, barStyle(), mpb.PrependDecorators(decor.Name("mayfly: "), decor.Any(count)), mpb.AppendDecorators(decor.Any(left)))
	return func(_, total int) {
		bar.SetTotal(int64(total), false)
		bar.Increment() // not to done, which may come out of order
	}, func() { p.end(bar) }
}

// progress draws on a terminal, once a command has worked for a while.
type progress struct {
	bars *mpb.Progress
	wait chan struct{}
	late *time.Timer // closes wait
}

func newProgress(ctx context.Context, w io.Writer) *progress {
	p := &progress{wait: make(chan struct{})}
	p.late = time.AfterFunc(progressAfter, func() { close(p.wait) })
	p.bars = mpb.NewWithContext(ctx, mpb.WithOutput(w), mpb.WithWidth(30), mpb.WithRenderDelay(p.wait), mpb.WithAutoRefresh())
	return p
}

func barStyle() mpb.BarStyleComposer { return mpb.BarStyle().Rbound("]") }

// rows adds a bar for so many rows, or without an end where there are 0.
func (p *progress) rows(what string, total int64) *mpb.Bar {
	name, speed := mpb.PrependDecorators(decor.Name("mayfly: "+what)), decor.AverageSpeed(0, " %.0f rows/s")
	if total <= 0 {
		return p.bars.New(0, mpb.SpinnerStyle(), name, mpb.AppendDecorators(decor.CurrentNoUnit("%d rows"), speed))
	}
	return p.bars.New(total, barStyle(), mpb.BarRemoveOnComplete(), name,
		mpb.AppendDecorators(decor.Percentage(), speed, decor.Name(" "), decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO), ""), decor.Name(" left")))
}

// bytes adds a bar for so many bytes, or without an end where there are 0.
func (p *progress) bytes(what string, total int64) *mpb.Bar {
	name, speed := mpb.PrependDecorators(decor.Name("mayfly: "+what)), decor.AverageSpeed(decor.SizeB1024(0), " % .0f")
	if total <= 0 {
		return p.bars.New(0, mpb.SpinnerStyle(), name, mpb.AppendDecorators(decor.CurrentKibiByte("% .0f"), speed))
	}
	return p.bars.New(total, barStyle(), mpb.BarRemoveOnComplete(), name,
		mpb.AppendDecorators(decor.Percentage(), speed, decor.Name(" "), decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO), ""), decor.Name(" left")))
}

// end takes the bar away; nil: there was none yet.
func (p *progress) end(bar *mpb.Bar) {
	if p.late.Stop() {
		close(p.wait)
	}
	if bar != nil {
		bar.Abort(true)
	}
	p.bars.Wait()
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

package main

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"mayfly/record"
)

// watcher tells the world how a recording is doing: a terminal, a log, systemd,
// Prometheus.
type watcher struct {
	json    bool
	out     io.Writer
	log     *slog.Logger
	line    *statusLine // nil: no terminal
	notify  *notifier
	metrics *recordMetrics // nil: nobody asks
	closers []func()
	closed  sync.Once
}

func newWatcher(stderr io.Writer, opts *recordOptions) *watcher {
	w := &watcher{out: stderr, notify: newNotifier()}
	terminal := onTerminal(stderr)
	w.json = opts.log == "json" || opts.log == "auto" && !terminal
	if terminal && !w.json {
		w.line = &statusLine{w: stderr}
		w.out = w.line
	}
	level := slog.LevelWarn // what else there is to say is said in words
	if w.json {
		level = slog.LevelInfo
	}
	if opts.verbose {
		level = slog.LevelDebug
	}
	handler := &slog.HandlerOptions{Level: level}
	w.log = slog.New(slog.NewTextHandler(w.out, handler))
	if w.json {
		w.log = slog.New(slog.NewJSONHandler(w.out, handler))
	}
	return w
}

// open begins to tell who asked for metrics.
func (w *watcher) open(opts *recordOptions) error {
	if opts.metrics == "" && opts.metricFile == "" {
		return nil
	}
	w.metrics = newRecordMetrics()
	if opts.metrics != "" {
		stop, err := w.metrics.serve(opts.metrics)
		if err != nil {
			return err
		}
		w.closers = append(w.closers, stop)
	}
	if opts.metricFile != "" {
		w.closers = append(w.closers, w.metrics.textfile(opts.metricFile, func(err error) { w.log.Error(err.Error()) }))
	}
	return nil
}

func (w *watcher) watch(s record.Status) {
	w.notify.watch(s)
	if w.line != nil {
		w.line.watch(s)
	}
	if w.metrics != nil {
		w.metrics.watch(s)
	}
}

// say logs one of the two things that a recorder has to say.
func (w *watcher) say(message string, what ...slog.Attr) {
	if w.json {
		args := make([]any, len(what))
		for i, a := range what {
			args[i] = a
		}
		w.log.Info(message, args...)
		return
	}
	fmt.Fprintf(w.out, "mayfly: %s %s into %s\n", message, what[0].Value, what[1].Value)
}

// close ends what open began. It may be called twice.
func (w *watcher) close() {
	w.closed.Do(func() {
		if w.line != nil {
			w.line.end()
		}
		for _, stop := range w.closers {
			stop()
		}
	})
}

// summary tells the end.
func (w *watcher) summary(s record.Summary) {
	if !w.json {
		printSummary(w.out, s)
		return
	}
	args := []any{"events", s.Events, "calls", s.Calls, "sequences", s.Sequences, "processes", s.Processes,
		"containers", s.Containers, "redacted", s.Redacted, "seconds", s.Duration.Seconds()}
	var lost []any
	for _, class := range slices.Sorted(maps.Keys(s.Lost)) {
		lost = append(lost, slog.Int64(class, s.Lost[class]))
	}
	w.log.Info("recorded", append(args, slog.Group("lost", lost...))...)
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"mayfly/replay"
	"mayfly/sink"
)

// replayRun is how one run went, for the metrics.
type replayRun struct {
	begin       time.Time
	seconds     float64
	outcome     string         // one of replayOutcomes
	report      *replay.Report // nil when there is none
	rejected    int
	delivery    sink.Delivery
	deliveryErr error
}

// How a run may end.
const (
	clean   = "clean"
	partial = "partial" // inputs were left out, or findings wait for the receiver
	failed  = "failed"
	busy    = "busy" // another run was at work
)

var replayOutcomes = []string{clean, partial, failed, busy}

// lastSuccess is the name of the metric that a run which fails must not lose.
const lastSuccess = "mayfly_replay_last_success_timestamp_seconds"

// writeTextfile writes the run's metrics, by rename. All are gauges of the last run,
// but for the time of the last success, which is taken over from the file before.
func (r *replayRun) writeTextfile(path string) error {
	registry := prometheus.NewRegistry()
	gauge := func(name, help string, v float64) {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		g.Set(v)
		registry.MustRegister(g)
	}
	success := unixSeconds(r.begin)
	if r.outcome == failed || r.outcome == busy {
		var err error
		if success, err = readGauge(path, lastSuccess); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	gauge(lastSuccess, "Begin of the last run that scored what there was, partial or not; 0: none.", success)
	gauge("mayfly_replay_last_run_timestamp_seconds", "Begin of the last run.", unixSeconds(r.begin))
	gauge("mayfly_replay_duration_seconds", "How long the last run took.", r.seconds)
	outcome := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mayfly_replay_outcome", Help: "1 for how the last run ended."}, []string{"outcome"})
	for _, name := range replayOutcomes {
		outcome.WithLabelValues(name).Set(0)
	}
	outcome.WithLabelValues(r.outcome).Set(1)
	registry.MustRegister(outcome)
	if s := r.report; s != nil {
		gauge("mayfly_replay_windows", "Windows that the last run scored.", float64(s.Windows))
		gauge("mayfly_replay_windows_waiting", "Windows whose files are not sealed yet.", float64(s.Waiting))
		gauge("mayfly_replay_windows_in_gaps", "Of the windows scored, those that touch a gap of the recording.", float64(s.GapWindows))
		gauge("mayfly_replay_alarms", "Windows above the threshold.", float64(s.Alarms))
		gauge("mayfly_replay_findings", "Findings that the last run wrote.", float64(s.Findings))
		gauge("mayfly_replay_findings_open", "Findings that may still go on.", float64(s.Open))
		gauge("mayfly_replay_records_lost", "Records that the recorder lost within the windows scored.", float64(s.Lost))
		gauge("mayfly_replay_files", "Files that the last run scored.", float64(s.Files))
		gauge("mayfly_replay_files_late", "Files that came when their time had been scored.", float64(s.LateFiles))
		gauge("mayfly_replay_files_rejected", "Files that could not be read.", float64(r.rejected))
		gauge("mayfly_replay_webhook_sent", "Findings that the receiver took.", float64(r.delivery.Sent))
		gauge("mayfly_replay_webhook_refused", "Findings that the receiver refused for good.", float64(r.delivery.Refused))
		gauge("mayfly_replay_webhook_waiting_bytes", "Bytes of findings that wait for the receiver.", float64(r.delivery.Waiting))
	}
	if err := prometheus.WriteToTextfile(path, registry); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// readGauge reads a gauge of a textfile; 0 where there is none, or the file is
// somebody's that is no such text.
func readGauge(path, name string) (float64, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(f)
	if err != nil {
		return 0, nil //nolint:nilerr // a file cut short by a crash is written anew
	}
	if family, ok := families[name]; ok && len(family.GetMetric()) == 1 {
		return family.GetMetric()[0].GetGauge().GetValue(), nil
	}
	return 0, nil
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"mayfly/datasets/demo"
	"mayfly/evaluate"

	"github.com/spf13/cobra"
)

const demoLong = `Demo goes the whole way on a small real recording that ships in the binary: a web
shop, its stock server and short report jobs in Docker containers, with attacks on
two of the shops. It runs the commands that you would run, says what each does and
where its file is, and ends with what came of it.

With --live it does so on this host, as root and with Docker: it runs three little
shops in containers without a network, records them, learns, attacks one of them
harmlessly, and looks whether it finds that. It takes a minute and a half, and removes
what it started.

  mayfly demo
  mayfly demo -o /tmp/first-look
  mayfly demo --live -o live-out

` + exitStatuses

// demoStep is one command of the demo.
type demoStep struct {
	says string
	args []string
	json any // where the JSON that it prints goes; nil: it is shown to nobody
}

func newDemoCommand() *cobra.Command {
	var out string
	var live bool
	seconds := 40
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Go the whole way on a recording that ships with mayfly",
		Long:  demoLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case cmd.Flags().Changed("seconds") && !live:
				return usageErrorf("demo: --seconds without --live: the recording is as long as it is")
			case seconds < 10 || seconds > 3600:
				return usageErrorf("demo: --seconds: want 10 to 3600, got %d", seconds)
			case live:
				return runDemoLive(cmd.Context(), out, seconds, cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return runDemo(cmd.Context(), out, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "demo-out", "`folder` for what the steps write")
	cmd.Flags().BoolVar(&live, "live", false, "record containers of this host rather than replay a recording (root, Docker)")
	cmd.Flags().IntVar(&seconds, "seconds", seconds, "with --live: how long to learn")
	return cmd
}

// demoEngines are the two detectors of the demo.
var demoEngines = []string{"isolation", "random"}

func runDemo(ctx context.Context, out string, stdout, stderr io.Writer) error {
	begin := time.Now()
	if err := demo.Write(out); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	in := func(name string) string { return filepath.Join(out, name) }
	fmt.Fprintf(stdout, "The recording is in %s, the times of the attacks on it in %s.\n", in("trace"), in("labels.csv"))

	results := demoResults{reports: map[string]*evaluate.Report{}}
	for i, step := range demoSteps(in, &results) {
		fmt.Fprintf(stdout, "\n%d. %s\n   $ mayfly %s\n", i+1, step.says, strings.Join(step.args, " "))
		var printed, said bytes.Buffer
		err := execute(ctx, step.args, strings.NewReader(""), &printed, &said)
		for line := range strings.Lines(said.String()) {
			fmt.Fprint(stderr, "   ", line)
		}
		var status statusError
		partial := errors.As(err, &status) && status.status == statusPartial && status.err == nil
		if err != nil && !partial {
			return fmt.Errorf("demo: %s: %w", step.args[0], err)
		}
		if step.json == nil {
			continue
		}
		if err := json.Unmarshal(printed.Bytes(), step.json); err != nil {
			return fmt.Errorf("demo: %s: %w", step.args[0], err)
		}
	}
	findings, err := os.ReadFile(in("findings.jsonl"))
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if results.rules.Report == nil {
		return errors.New("demo: rules: no test in what it printed")
	}
	results.findings = bytes.Count(findings, []byte("\n"))
	fmt.Fprintf(stdout, "\nDone in %.1f s. Look at %s first, then at %s and %s.\n\n",
		time.Since(begin).Seconds(), in("report-isolation/report.html"), in("findings.jsonl"), in("rules"))
	return results.print(stdout)
}

// demoSteps are the commands, in the order of the way of the data. The first half
// of the recording trains, the containers that came later are the test.
func demoSteps(in func(string) string, results *demoResults) []demoStep {
	labels := []string{"--labels", in("labels.csv")}
	steps := []demoStep{{
		says: "Cut the trace into windows of one second per container, and note what each did.",
		args: []string{"ingest", in("trace"), "-o", in("features.parquet")},
	}}
	for _, engine := range demoEngines {
		says := "Learn what is normal, without the attacks, from the containers that began first."
		if engine == "random" {
			says = "Learn from the same containers what their attacks look like."
		}
		steps = append(steps, demoStep{
			says: says,
			args: append([]string{"train", in("features.parquet"), "-o", in(engine + ".mayfly"), "--engine", engine,
				"--split", "container", "--holdout", "0.5", "--fpr", "0.01"}, labels...),
		})
	}
	for _, engine := range demoEngines {
		report := new(evaluate.Report)
		results.reports[engine] = report
		steps = append(steps, demoStep{
			says: "Measure the " + engine + " forest on the containers that it has not seen.",
			args: append([]string{"evaluate", in(engine + ".mayfly"), in("features.parquet"), "-o", in("report-" + engine), "--format", "json"}, labels...),
			json: report,
		})
	}
	return append(steps, demoStep{
		says: "Score the recording as cron would, and write a finding for each alarm.",
		args: []string{"replay", in("isolation.mayfly"), in("trace"), "-o", in("findings.jsonl")},
	}, demoStep{
		says: "Write what was learned as Falco rules and seccomp profiles, and test them on the recording first.",
		args: append([]string{"rules", in("isolation.mayfly"), "-o", in("rules"), "--test", in("trace"), "--format", "json"}, labels...),
		json: &results.rules,
	})
}

// demoResults is what the steps said of themselves.
type demoResults struct {
	reports  map[string]*evaluate.Report
	rules    rulesResult
	findings int
}

func (r *demoResults) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "DETECTOR\tWINDOWS\tALARMS/CONTAINER-HOUR, NORMAL\tATTACKS FOUND\tFOUND AFTER")
	for _, engine := range demoEngines {
		report := r.reports[engine]
		alarms := "–"
		if e := report.AtThreshold.AlarmsPerContainerHour; e != nil {
			alarms = fmt.Sprintf("%.3g (%d in %.2g h)", e.Value, report.AtThreshold.NormalAlarms, report.NormalHours)
		}
		fmt.Fprintf(t, "%s forest\t%d\t%s\t%d of %d\t%s\n", engine, report.Windows.Normal+report.Windows.Attack, alarms,
			report.Found, report.Found+report.Missed, detectedAfter(report))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	test := r.rules.Report
	caught, recorded := 0, 0
	for _, a := range test.Attacks {
		if a.Recorded {
			recorded++
		}
		if a.Caught {
			caught++
		}
	}
	fmt.Fprintf(w, "\n%d findings. %d rules written, in %d files; on the recording they catch %d of %d attacks.\n",
		r.findings, len(test.Rules), len(r.rules.Files), caught, recorded)
	return nil
}

// detectedAfter is the range of times to detect.
func detectedAfter(report *evaluate.Report) string {
	least, most, seen := 0.0, 0.0, false
	for _, a := range report.Attacks {
		if s := a.TimeToDetectS; s != nil {
			if !seen {
				least, most, seen = *s, *s, true
			}
			least, most = min(least, *s), max(most, *s)
		}
	}
	if !seen {
		return "–"
	}
	return fmt.Sprintf("%.1f to %.1f s", least, most)
}

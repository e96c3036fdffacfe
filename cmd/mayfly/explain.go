package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mayfly/detector"
	"mayfly/replay"
	"mayfly/sink"
	"mayfly/trace"
)

const explainLong = `Tell the story of a finding to the person on call: who did what in order, what was
usual, the rows behind it, the techniques of ATT&CK, which rule would have caught it,
and what to do.

FINDING is the id of a finding, or its first digits; without it the findings of the
file are listed. With --trace the story is read from the recording, from shortly
before the finding to shortly after; without, from the rows that the finding holds.
--detector adds what was usual and the rules.

  mayfly explain --findings findings.jsonl
  mayfly explain e587 --findings findings.jsonl --detector web.mayfly --trace trace/

` + exitStatuses

type explainOptions struct {
	findings, detector, format string
	traces                     []string
	all                        bool
}

func newExplainCommand() *cobra.Command {
	opts := explainOptions{format: "text"}
	cmd := &cobra.Command{
		Use:   "explain [FINDING] --findings FILE",
		Short: "Tell the story of a finding",
		Long:  explainLong,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runExplain(cmd.Context(), opts, args, cmd.OutOrStdout())
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return completeFindings(opts.findings, args), cobra.ShellCompDirectiveNoFileComp
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.findings, "findings", "", "findings `file` that replay wrote (JSON lines)")
	flags.StringVar(&opts.detector, "detector", "", "detector `file` that found it")
	flags.StringArrayVar(&opts.traces, "trace", nil, "`trace` that it was found in (several times for several)")
	flags.BoolVar(&opts.all, "all", false, "tell usual steps one by one too")
	flags.StringVarP(&opts.format, "format", "o", opts.format, "form of the story: text or json")
	return cmd
}

func runExplain(ctx context.Context, opts explainOptions, args []string, stdout io.Writer) error {
	if opts.findings == "" {
		return usageErrorf("explain: no findings: name the file with --findings (see mayfly explain -h)")
	}
	if opts.format != "text" && opts.format != "json" {
		return usageErrorf("explain: --format %q: want text or json", opts.format)
	}
	if len(args) == 0 {
		return listFindings(opts.findings, stdout)
	}
	found, err := findFinding(opts.findings, args[0])
	if err != nil {
		return err
	}
	var d *detector.Detector
	if opts.detector != "" {
		if d, err = detector.Load(opts.detector); err != nil {
			return err
		}
	}
	var traces []*trace.Trace
	for _, path := range opts.traces {
		t, err := trace.Open(path)
		if err != nil {
			return err
		}
		traces = append(traces, t)
	}
	story, err := replay.Explain(ctx, found, d, traces)
	if err != nil {
		return err
	}
	if opts.format == "json" {
		out := json.NewEncoder(stdout)
		out.SetIndent("", "  ")
		return out.Encode(story)
	}
	return story.WriteText(stdout, opts.all)
}

func listFindings(path string, stdout io.Writer) error {
	w := bufio.NewWriter(stdout)
	err := eachFinding(path, func(f *detector.Finding) error {
		_, err := fmt.Fprintf(w, "%s  %s  %-8s  %s\n", sink.Printable(f.Mayfly.ID), sink.Printable(f.Time), sink.Printable(f.Priority), sink.Printable(f.Output))
		return err
	})
	return cmp.Or(w.Flush(), err) // where writing failed, both say so
}

// findFinding returns the one finding whose id begins with prefix.
func findFinding(path, prefix string) (found *detector.Finding, err error) {
	err = eachFinding(path, func(f *detector.Finding) error {
		switch {
		case !strings.HasPrefix(f.Mayfly.ID, prefix):
		case f.Mayfly.ID == prefix || found == nil:
			found = f
		case found.Mayfly.ID != prefix && found.Mayfly.ID != f.Mayfly.ID:
			return fmt.Errorf("%s: %q begins the ids of two findings, %s and %s", path, prefix, found.Mayfly.ID, f.Mayfly.ID)
		}
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("%s: no finding %q (without an id all are listed)", path, prefix)
	}
	return found, err
}

// eachFinding reads the lines of a findings file.
func eachFinding(path string, do func(*detector.Finding) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		one := new(detector.Finding)
		if err := json.Unmarshal(lines.Bytes(), one); err != nil {
			return fmt.Errorf("%s:%d: no finding: %w", path, n, err)
		}
		if one.Mayfly.ID == "" {
			return fmt.Errorf("%s:%d: a finding without an id: was it written by mayfly replay?", path, n)
		}
		if err := do(one); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// completeFindings offers the ids of a file to a shell.
func completeFindings(path string, args []string) (ids []string) {
	if path == "" || len(args) > 0 {
		return nil
	}
	_ = eachFinding(path, func(f *detector.Finding) error {
		ids = append(ids, f.Mayfly.ID+"\t"+sink.Printable(f.Output))
		return nil
	}) // a shell shows what there is
	return ids
}

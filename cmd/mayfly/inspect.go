package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mayfly/detector"
	"mayfly/rule"
	"mayfly/trace"
)

const inspectLong = `Say what a trace holds and what it does not: hosts, containers, time, rates, kinds
of events, losses by container and class, gaps after a recorder was killed, what
quotas deleted, and what the recorder was blind for.

A journal that a killed recorder left is sealed by the next recorder of its host.
Where there will be none, --salvage seals it now, and notes the gap.

Example:
  mayfly inspect trace
  mayfly inspect trace -o json | jq .losses
  mayfly inspect --salvage /mnt/dead-host/trace

`

type inspectOptions struct {
	output  string
	top     int
	salvage bool
}

func newInspectCommand() *cobra.Command {
	opts := inspectOptions{}
	cmd := &cobra.Command{
		Use:   "inspect TRACE",
		Short: "Say what a trace holds, what was lost and where its gaps are",
		Long:  inspectLong + exitStatuses,
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return runInspect(cmd, args[0], opts) },
	}
	f := cmd.Flags()
	f.StringVarP(&opts.output, "output", "o", "table", "table or json")
	f.IntVar(&opts.top, "top", 20, "containers and gaps that the table shows (json has all)")
	f.BoolVar(&opts.salvage, "salvage", false, "first seal what a killed recorder left, as its next start would")
	return cmd
}

func runInspect(cmd *cobra.Command, path string, opts inspectOptions) error {
	switch {
	case opts.output != "table" && opts.output != "json":
		return usageErrorf("inspect: -o: want table or json, got %q", opts.output)
	case opts.top < 0:
		return usageErrorf("inspect: --top: want 0 or more, got %d", opts.top)
	}
	if opts.salvage {
		if err := salvage(cmd.ErrOrStderr(), path); err != nil {
			return err
		}
	}
	t, bad, err := trace.OpenSound(path)
	if err != nil {
		return err
	}
	for _, err := range bad {
		fmt.Fprintf(cmd.ErrOrStderr(), "mayfly: left out: %s\n", oneLine(err))
	}
	ctx, done := withProgress(cmd.Context(), cmd.ErrOrStderr(), "inspect", eventRows(t), 1)
	in, err := trace.Inspect(ctx, t, trace.InspectOptions{})
	done()
	if err != nil {
		return err
	}
	if left, _ := filepath.Glob(filepath.Join(path, "journal", "host=*", "journal-*")); len(left) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "mayfly: journals left to seal: %d, of a recorder that is at work, or was killed (--salvage)\n", len(left))
	}
	if err := printInspection(cmd.OutOrStdout(), in, opts); err != nil {
		return err
	}
	if len(bad) > 0 {
		return statusError{statusPartial, nil}
	}
	return nil
}

func salvage(w io.Writer, path string) error {
	if info, err := os.Stat(path); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("%s: is no folder, want the trace that a recorder wrote into", path)
	}
	all, err := trace.Salvage(path)
	for _, s := range all {
		rows := int64(0)
		for _, n := range s.Rows {
			rows += n
		}
		fmt.Fprintf(w, "mayfly: %s: sealed %d rows of %d journals; rows after %s may be missing\n", s.Host, rows, s.Journals, clock(s.FromNS))
		for _, q := range s.Quarantined {
			fmt.Fprintf(w, "mayfly: %s: holds what was no whole frame\n", q)
		}
	}
	return err
}

func printInspection(w io.Writer, in *trace.Inspection, opts inspectOptions) error {
	if opts.output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(in)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	printHosts(t, in)
	printTables(t, in)
	printContainers(t, in, opts.top)
	printLosses(t, in)
	printGaps(t, in, opts.top)
	return t.Flush()
}

// clock is a time for a person, in UTC, to the millisecond.
func clock(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05.000") }

func printHosts(t io.Writer, in *trace.Inspection) {
	fmt.Fprintln(t, "HOST\tFROM (UTC)\tTO\tFILES\tSIZE\tBOOTS\tENDED\tKERNEL\tRECORDER")
	for _, h := range in.Hosts {
		ended := "not said" // by other programs
		switch {
		case h.Ended != nil && *h.Ended:
			ended = "in order"
		case h.Ended != nil:
			ended = "no"
		}
		size := byteSize(h.Bytes)
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%d\t%s\t%s %s\t%s\n", rule.Printable(h.Host), clock(h.FromNS), clock(h.ToNS), h.Files, size.String(),
			h.Boots, ended, printables(h.Kernels), printables(h.Arch), printables(h.Recorder))
	}
	for _, h := range in.Hosts {
		for _, blind := range h.Blind {
			fmt.Fprintf(t, "%s is blind for\t%s\n", rule.Printable(h.Host), rule.Printable(blind))
		}
	}
}

func printables(list []string) string {
	for i := range list {
		list[i] = rule.Printable(list[i])
	}
	return strings.Join(list, ", ")
}

func printTables(t io.Writer, in *trace.Inspection) {
	fmt.Fprintf(t, "\nTABLE (schema %d)\tROWS\tFILES\tSIZE\tBYTES/ROW\tCOLUMNS\n", in.SchemaVersion)
	for _, s := range in.Tables {
		size, columns := byteSize(s.Bytes), fmt.Sprint(s.Columns)
		if len(s.Lacking) > 0 {
			columns += "; older files lack " + strings.Join(s.Lacking, ", ")
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\n", s.Table, s.Rows, s.Files, size.String(), per(s.Bytes, s.Rows), columns)
		if s.Table == trace.Sequences {
			fmt.Fprintf(t, "  calls\t%d\t\t\t%s\n", in.Calls, per(s.Bytes, in.Calls))
		}
	}
	fmt.Fprintln(t, "\nKIND\tEVENTS\tPER SECOND")
	seconds := float64(in.ToNS-in.FromNS) / 1e9
	for _, kind := range byCount(in.Kinds) {
		fmt.Fprintf(t, "%s\t%d\t%s\n", rule.Printable(kind), in.Kinds[kind], rate(in.Kinds[kind], seconds))
	}
}

func per(bytes, n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(bytes)/float64(n))
}

func rate(n int64, seconds float64) string {
	if seconds <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.3g", float64(n)/seconds)
}

func byCount(m map[string]int64) []string {
	names := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(names, func(a, b string) int { return int(min(1, max(-1, m[b]-m[a]))) })
	return names
}

func printContainers(t io.Writer, in *trace.Inspection, top int) {
	fmt.Fprintln(t, "\nCONTAINER\tNAME\tIMAGE\tFROM (UTC)\tSECONDS\tEVENTS\tCALLS\tCALLS/S\tLOST")
	for i, c := range in.Containers {
		if i == top {
			fmt.Fprintf(t, "%d more (--top)\n", len(in.Containers)-top)
			break
		}
		id := "(host)"
		switch {
		case c.ID == trace.MoreContainers:
			id = "(others)"
		case c.ID != "":
			id = detector.ShortID(rule.Printable(c.ID))
		}
		lost := int64(0)
		for _, l := range c.Losses {
			lost += l.Lost
		}
		seconds := float64(c.ToNS-c.FromNS) / 1e9
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.1f\t%d\t%d\t%s\t%d\n", id, rule.Printable(c.Name), rule.Printable(c.Image), clock(c.FromNS), seconds,
			c.Events, c.Calls, rate(c.Calls, seconds), lost)
	}
}

func printLosses(t io.Writer, in *trace.Inspection) {
	fmt.Fprintln(t, "\nCLASS\tPRODUCED\tIN THE TRACE\tLOST\tNOT COUNTED")
	for _, class := range slices.Sorted(maps.Keys(in.Losses)) {
		l := in.Losses[class]
		uncounted := "-"
		if l.Produced > 0 && l.Rows > 0 && l.Uncounted() >= 0 && in.Retention == nil {
			uncounted = fmt.Sprint(l.Uncounted())
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\n", rule.Printable(class), l.Produced, l.Rows, l.Lost, uncounted)
	}
}

func printGaps(t io.Writer, in *trace.Inspection, top int) {
	if in.Retention != nil {
		fmt.Fprintf(t, "\nDeleted by quota: %d rows from %s to %s\n", in.Retention.Rows, clock(in.Retention.FromNS), clock(in.Retention.ToNS))
	}
	if len(in.Gaps) == 0 {
		fmt.Fprintln(t, "\nNo gaps.")
		return
	}
	fmt.Fprintln(t, "\nGAP\tFROM (UTC)\tTO\tSECONDS")
	for i, g := range in.Gaps {
		if i == top {
			fmt.Fprintf(t, "%d more (--top)\n", int64(len(in.Gaps)-top)+in.MoreGaps)
			break
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.3f\n", rule.Printable(g.Host), clock(g.FromNS), clock(g.ToNS), float64(g.ToNS-g.FromNS)/1e9)
	}
}

package main

import (
	"fmt"
	"io"

	"mayfly/replay"
	"mayfly/sink"
)

// printReplay says on stderr what became of the traces.
func printReplay(w io.Writer, report *replay.Report, rejected []error) {
	for _, err := range rejected {
		fmt.Fprintf(w, "mayfly: left out: %s\n", oneLine(err))
	}
	fmt.Fprintf(w, "mayfly: %d windows of %d containers scored in %d files (%d files scored before, %d windows wait): %d findings\n",
		report.Windows, report.Containers, report.Files, report.Before, report.Waiting, report.Findings)
	if report.Open > 0 {
		fmt.Fprintf(w, "mayfly: %d findings may still go on: the state holds them, a later run writes them\n", report.Open)
	}
	if report.Unlearned > 0 {
		fmt.Fprintf(w, "mayfly: %d more alarms are of workloads that were not learned: one finding for each container says so\n", report.Unlearned)
	}
	if report.Lost > 0 || report.LateRows > 0 {
		fmt.Fprintf(w, "mayfly: %d records were lost and %d rows came too late: what they did was not scored\n", report.Lost, report.LateRows)
	}
	if report.GapWindows > 0 {
		fmt.Fprintf(w, "mayfly: %d of these windows touch a gap of the recording: that nothing was found there says little\n", report.GapWindows)
	}
	for i := range report.Workloads {
		if c := &report.Workloads[i]; c.Verdict != replay.AsLearned {
			fmt.Fprintf(w, "mayfly: %s\n", c.Words())
		}
	}
	if report.LateFiles > 0 {
		fmt.Fprintf(w, "mayfly: %d files came when their time had been scored without them: their windows were left out\n", report.LateFiles)
	}
}

// printDelivery says on stderr what became of the findings that waited for a receiver.
func printDelivery(w io.Writer, d sink.Delivery, err error) {
	if d.Sent > 0 {
		fmt.Fprintf(w, "mayfly: %d findings sent\n", d.Sent)
	}
	if d.Refused > 0 {
		fmt.Fprintf(w, "mayfly: the receiver refused %d findings: they are in the file .refused beside the findings\n", d.Refused)
	}
	if err != nil {
		fmt.Fprintf(w, "mayfly: %s: %d bytes of findings wait for the next run\n", oneLine(err), d.Waiting)
	}
}

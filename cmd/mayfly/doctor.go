package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mayfly/record"
)

const doctorLong = `Tell what this host supports of recording, and what to fix: kernel, type
information, hooks, capabilities, namespaces, cgroups, sockets of container
runtimes, the trace directory, clock, limits, and other recorders. It changes
nothing. Without root it says what it cannot see.

Each line has a level: ok; note, worth knowing; partial, something will be missing
from a recording; fail, nothing can be recorded.

Example:
  mayfly doctor --dir /var/lib/mayfly

Exit status: 0 fine, 1 nothing can be recorded here, 2 wrong use, 3 partial
(recordings will lack something).`

func newDoctorCommand() *cobra.Command {
	var opts record.DoctorOptions
	var format string
	var asked []string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Tell what this host supports of recording, and what to fix",
		Long:  doctorLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usageErrorf("doctor: --format %q: want text or json", format)
			}
			var err error
			if opts.Runtimes, err = runtimeSources(asked, os.Getenv("DOCKER_HOST")); err != nil {
				return usageErrorf("doctor: %w", err)
			}
			found := record.Examine(cmd.Context(), opts)
			if err := printFindings(cmd.OutOrStdout(), found, format); err != nil {
				return err
			}
			switch record.Worst(found) {
			case record.LevelFail:
				return statusError{status: statusFailure}
			case record.LevelPartial:
				return statusError{status: statusPartial}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&format, "format", "o", "text", "form of the report: text or json")
	f.StringArrayVar(&asked, "runtime", nil, "try this container runtime, as docker=unix:///run/docker.sock (repeatable; default: the usual sockets, and DOCKER_HOST)")
	f.StringVar(&opts.Dir, "dir", "", "trace directory to look at as well")
	return cmd
}

func printFindings(w io.Writer, found []record.Finding, format string) error {
	if format == "json" {
		out := json.NewEncoder(w)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(found)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range found {
		says := oneLine(fmt.Errorf("%s", f.Says))
		if f.Fix != "" {
			says += "; " + f.Fix
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", strings.ToUpper(string(f.Level)), f.Check, says)
	}
	return t.Flush()
}

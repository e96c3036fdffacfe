package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mayfly/profile"
)

const profileDiffLong = `Say what changed between two profiles: of two versions of an image, of two days, of
staging and production. Workloads are compared by name; where only the digest of the
image changed, or only the deployment, they belong together still.

+ is done or declared now and was not, - was and is not. An item that was seen in few
replicas of many may be missing by chance: the evidence stands beside it. ~ is seen
still, but by other replicas or ten times as often or seldom.

  mayfly profile diff v1.json v2.json
  mayfly profile diff v1.json v2.json -o json | jq '.workloads[].added[].item'
  mayfly profile diff yesterday.json today.json --exit-code

With --exit-code the exit status is 3 where anything differs.
`

type profileDiffOptions struct {
	format   string
	kinds    []string
	exitCode bool
}

func newProfileDiffCommand() *cobra.Command {
	opts := profileDiffOptions{format: "table"}
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Say what changed between two profiles",
		Long:  profileDiffLong + exitStatuses,
		Args:  cobra.ExactArgs(2),
		RunE:  func(cmd *cobra.Command, args []string) error { return runProfileDiff(cmd, opts, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.StringVarP(&opts.format, "format", "o", opts.format, "form of the output: table or json")
	f.StringSliceVar(&opts.kinds, "kind", nil, "only items of these kinds, as exec,connect")
	f.BoolVar(&opts.exitCode, "exit-code", false, "exit with status 3 where anything differs")
	return cmd
}

func runProfileDiff(cmd *cobra.Command, opts profileDiffOptions, before, after string) error {
	if opts.format != "table" && opts.format != "json" {
		return usageErrorf("profile diff: -o: want table or json, got %q", opts.format)
	}
	if err := checkKinds("diff", opts.kinds); err != nil {
		return err
	}
	a, err := readProfile(before)
	if err != nil {
		return err
	}
	b, err := readProfile(after)
	if err != nil {
		return err
	}
	d := profile.Diff(keepKinds(a, opts.kinds), keepKinds(b, opts.kinds))
	if err := printDifference(cmd.OutOrStdout(), d, opts.format); err != nil {
		return err
	}
	if opts.exitCode && !d.Same() {
		return statusError{statusPartial, nil}
	}
	return nil
}

func printDifference(w io.Writer, d *profile.Difference, format string) error {
	if format == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(d)
	}
	if d.Same() {
		fmt.Fprintln(w, "no difference")
		return nil
	}
	for i := range d.Workloads {
		if wl := &d.Workloads[i]; !wl.Same() {
			if err := printWorkloadDifference(w, wl); err != nil {
				return err
			}
		}
	}
	return nil
}

func printWorkloadDifference(out io.Writer, d *profile.WorkloadDifference) error {
	switch {
	case d.Before == "":
		fmt.Fprintf(out, "+ %s: new\n", printable(d.After))
	case d.After == "":
		fmt.Fprintf(out, "- %s: gone\n", printable(d.Before))
	case d.Before != d.After:
		fmt.Fprintf(out, "%s\n  was %s\n", printable(d.After), printable(d.Before))
	default:
		fmt.Fprintln(out, printable(d.After))
	}
	fmt.Fprintf(out, "  %d containers for %.3g h, then %d for %.3g h\n", d.Replicas[0], d.Seen[0].Hours, d.Replicas[1], d.Seen[1].Hours)
	for i, when := range []string{"before", "after"} {
		if d.Seen[i].Lost > 0 {
			fmt.Fprintf(out, "  %s: %d records LOST: what they held looks like a difference\n", when, d.Seen[i].Lost)
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range d.Declared {
		for _, value := range c.Gone {
			fmt.Fprintf(w, "  - declared\t%s\t%s\n", c.Field, printable(value))
		}
		for _, value := range c.Added {
			fmt.Fprintf(w, "  + declared\t%s\t%s\n", c.Field, printable(value))
		}
	}
	for _, e := range d.Gone {
		fmt.Fprintf(w, "  - %s\t%s\t%s\n", e.Item.Kind, printableItem(e.Item), replicasOf(e.Evidence, d.Replicas[0]))
	}
	for _, e := range d.Added {
		fmt.Fprintf(w, "  + %s\t%s\t%s\n", e.Item.Kind, printableItem(e.Item), replicasOf(e.Evidence, d.Replicas[1]))
	}
	for _, c := range d.Changed {
		fmt.Fprintf(w, "  ~ %s\t%s\t%s\n", c.Item.Kind, printableItem(c.Item), c.Words())
	}
	return w.Flush()
}

// replicasOf says in how many of how many containers something was seen.
func replicasOf(e profile.Evidence, of int) string {
	return fmt.Sprintf("in %d of %d containers, %s", e.Containers, of, times(e.Count))
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// printableItem writes the value of an item for people: lists as words.
func printableItem(item profile.Item) string {
	parts := []string(nil)
	switch item.Kind {
	case profile.Argv, profile.Parent, profile.Mount:
		parts = profile.ParseList(item.Value)
	}
	switch {
	case len(parts) == 0:
		return printable(item.Value)
	case item.Kind == profile.Parent && len(parts) == 2:
		if parts[0] == "" {
			parts[0] = "(from outside)"
		}
		return printable(parts[0]) + " → " + printable(parts[1])
	case item.Kind == profile.Mount && len(parts) == 3:
		return printable(fmt.Sprintf("%s %s on %s", parts[0], parts[1], parts[2]))
	}
	return printable(strings.Join(parts, " "))
}

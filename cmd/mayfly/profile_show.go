package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mayfly/profile"
	"mayfly/sink"
)

const profileShowLong = `Show a profile to a person: what each workload is declared to be, what it does, the
evidence for each, and how much of it was probably not seen yet. A list is cut to
what most replicas do (--top, --all); -o json has everything. A recording has no DNS
names, and of capabilities those that a program sets, not those that it uses.

  mayfly profile show web.json
  mayfly profile show web.json --workload 'nginx*' --kind exec,connect --all

`

type profileShowOptions struct {
	format   string
	workload string
	kinds    []string
	top      int
	all      bool
}

func newProfileShowCommand() *cobra.Command {
	opts := profileShowOptions{format: "table", top: 8}
	cmd := &cobra.Command{
		Use:   "show PROFILE",
		Short: "Show what workloads do, with evidence",
		Long:  profileShowLong + exitStatuses,
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return runProfileShow(cmd, opts, args[0]) },
	}
	f := cmd.Flags()
	f.StringVarP(&opts.format, "format", "o", opts.format, "form of the output: table or json")
	f.StringVar(&opts.workload, "workload", "", "only workloads of this name; * stands for any characters")
	f.StringSliceVar(&opts.kinds, "kind", nil, "only items of these kinds, as exec,connect")
	f.IntVar(&opts.top, "top", opts.top, "how many items of a kind to show")
	f.BoolVar(&opts.all, "all", false, "show all items")
	return cmd
}

func runProfileShow(cmd *cobra.Command, opts profileShowOptions, path string) error {
	switch {
	case opts.format != "table" && opts.format != "json":
		return usageErrorf("profile show: -o: want table or json, got %q", opts.format)
	case opts.top < 0:
		return usageErrorf("profile show: --top: want 0 or more, got %d", opts.top)
	}
	if err := checkKinds("show", opts.kinds); err != nil {
		return err
	}
	p, err := readProfile(path)
	if err != nil {
		return err
	}
	p = keepKinds(p, opts.kinds)
	if opts.workload != "" {
		p.Workloads = slices.DeleteFunc(p.Workloads, func(w profile.Workload) bool { return !matches(opts.workload, w.Name) })
		if len(p.Workloads) == 0 {
			return fmt.Errorf("%s: no workload %q", path, opts.workload)
		}
	}
	if opts.format == "json" {
		return p.Encode(cmd.OutOrStdout())
	}
	for i := range p.Workloads {
		if i > 0 {
			fmt.Fprintln(cmd.OutOrStdout())
		}
		if err := printWorkload(cmd.OutOrStdout(), p, &p.Workloads[i], opts); err != nil {
			return err
		}
	}
	return nil
}

// checkKinds refuses kinds of items that there are not.
func checkKinds(command string, kinds []string) error {
	for _, kind := range kinds {
		if !slices.Contains(profile.Kinds(), kind) {
			return usageErrorf("profile %s: --kind: got %q, want some of %s", command, kind, strings.Join(profile.Kinds(), ", "))
		}
	}
	return nil
}

// keepKinds returns the profile with items of some kinds alone, all where none is named.
func keepKinds(p *profile.Profile, kinds []string) *profile.Profile {
	if len(kinds) > 0 {
		for i := range p.Workloads {
			w := &p.Workloads[i]
			w.Items = slices.DeleteFunc(w.Items, func(e profile.Entry) bool { return !slices.Contains(kinds, e.Item.Kind) })
		}
	}
	return p
}

// matches says whether a name is that of a pattern, in which * is any text.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(name, parts[0])
	if len(parts) == 1 {
		return ok && rest == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		rest, ok = after, ok && found
	}
	return ok && strings.HasSuffix(rest, parts[len(parts)-1])
}

// headings of the kinds of items, in the order in which they are shown.
var headings = []struct{ kind, text string }{
	{profile.Exec, "PROGRAMS"}, {profile.WriteExec, "PROGRAMS WRITTEN AFTER THE START"}, {profile.Parent, "WHO STARTS WHOM"}, {profile.Argv, "ARGUMENTS"},
	{profile.Write, "FILES WRITTEN"}, {profile.Read, "FILES READ"}, {profile.Listen, "LISTENS ON"}, {profile.Connect, "CONNECTS TO"},
	{profile.Accept, "ACCEPTS"}, {profile.Bind, "BINDS"}, {profile.Cap, "CAPABILITIES SET"}, {profile.Priv, "PRIVILEGED OPERATIONS"},
	{profile.Mount, "MOUNTS"}, {profile.Call, "SYSTEM CALLS"},
}

func printWorkload(out io.Writer, p *profile.Profile, w *profile.Workload, opts profileShowOptions) error {
	fmt.Fprintln(out, printable(w.Name))
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "  seen\t%d containers on %d hosts, %s to %s UTC, %.3g container-hours%s\n",
		len(w.Containers), len(w.Hosts), clock(w.FromNS), clock(w.ToNS), w.Hours(), shortcomings(w))
	var names []string
	for i := range p.Traces {
		names = append(names, p.Traces[i].Name)
	}
	if names = slices.Compact(names); len(names) > 0 {
		fmt.Fprintf(t, "  in\t%s\n", shortened(names, 5))
	}
	w.Declared.Each(func(name string, values []string) { fmt.Fprintf(t, "  %s\t%s\n", name, shortened(values, 4)) })
	fmt.Fprintf(t, "  not seen yet\t%s\n", unseen(w.Completeness()))
	if err := t.Flush(); err != nil {
		return err
	}
	for _, h := range headings {
		if entries := w.Kind(h.kind); len(entries) > 0 {
			if err := printKind(out, w, h.text, h.kind, entries, opts); err != nil {
				return err
			}
		}
	}
	return nil
}

// unseen says what Completeness estimates.
func unseen(c profile.Completeness) string {
	if c.Containers < 2 {
		return fmt.Sprintf("one container cannot tell what another would do; %d of %d items were first seen in the last fifth of the time", c.NewLately, c.Items)
	}
	return fmt.Sprintf("about %.2g %% of what one more container would do (%.2g items); %d of %d items were seen in one container only",
		100*max(c.UnseenShare, 0), max(c.NewPerContainer, 0), c.OnceInContainers, c.Items)
}

// printKind lists the items of a kind, those of most replicas first. System calls
// need no line each.
func printKind(out io.Writer, w *profile.Workload, heading, kind string, entries []profile.Entry, opts profileShowOptions) error {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b profile.Entry) int {
		return cmp.Or(cmp.Compare(b.Containers, a.Containers), cmp.Compare(b.Windows, a.Windows))
	})
	fmt.Fprintf(out, "  %s (%d; %s)\n", heading, len(entries), unseenOf(w, kind))
	if kind == profile.Call && !opts.all {
		names := make([]string, len(entries))
		for i, e := range entries {
			names[i] = e.Item.Value
		}
		fmt.Fprintf(out, "    %s\n", shortened(names, 8*opts.top))
		return nil
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	shown := len(entries)
	if !opts.all {
		shown = min(shown, opts.top)
	}
	for _, e := range entries[:shown] {
		fmt.Fprintf(t, "    %s\t%d of %d\t%s\t%s to %s\n", printableItem(e.Item), e.Containers, len(w.Containers), times(e.Count), clock(e.FirstNS), clock(e.LastNS))
	}
	if left := len(entries) - shown; left > 0 {
		fmt.Fprintf(t, "    %d more (--all)\n", left)
	}
	return t.Flush()
}

// unseenOf says in a few words how complete a kind is.
func unseenOf(w *profile.Workload, kind string) string {
	c := w.Completeness(kind)
	if c.UnseenShare < 0 {
		return fmt.Sprintf("%d first seen lately", c.NewLately)
	}
	return fmt.Sprintf("%.2g %% unseen", 100*c.UnseenShare)
}

// shortened joins words, and says how many were left out.
func shortened(words []string, most int) string {
	s := make([]string, min(len(words), most))
	for i := range s {
		s[i] = printable(words[i])
	}
	text := strings.Join(s, ", ")
	if len(words) > most {
		text += fmt.Sprintf(" and %d more", len(words)-most)
	}
	return text
}

// printable makes a text from a container harmless on a terminal, on one line.
func printable(s string) string { return sink.Printable(s) }

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mayfly/feature"
	"mayfly/profile"
	"mayfly/rule"
	"mayfly/trace"
)

var rulesLong = `Write what a detector learned of each workload as rules that other tools enforce,
a file for each workload and target: DIR/TARGET/WORKLOAD.EXT. The targets are falco
and seccomp, and with --target these, or all:

` + rule.DescribeTargets() + `
Each file says what it rests on, and what its target cannot express. A workload that
a target has no rules for is refused, with the reason: policies for Kubernetes want
the labels of its pods, which traces have (--test) and features have not.

A workload of which too little is known gets no rules: nothing or too little
recorded, records lost, a gap in the recording, or too much of what a rule
allows probably not seen yet (--max-unseen, by what each container did that the
others did not). The reason is said and the exit status is 3 (1 when no rules are
left at all). --audit writes rules that only watch of such a workload, --force
those that deny, both with the risk inside.

Paths and addresses are allowed as they were recorded. Where the recording shows
that they differ from replica to replica or from hour to hour, a wildcard takes
their place; --explain says what each costs and saves.

With --test the rules run over recorded traces before anybody deploys them, as Falco
rules and seccomp profiles whatever the targets: how
often each would have fired on normal time, and which labelled attacks it would
have caught. What the traces say of containers (capabilities, ports, machine) is
taken into account. With --findings, what findings named as new becomes a rule too,
where no other catches it.

Rules of others are tried by mayfly rules test.

  mayfly rules web.mayfly -o rules/
  mayfly rules web.mayfly -o rules/ --test monday/ --test attack/ --labels labels.csv
  docker run --security-opt seccomp=rules/seccomp/web.json web

` + exitStatuses

type rulesOptions struct {
	rule.Options
	output, profile, findings, labels, format string
	targets, tests                            []string
	aftermath                                 time.Duration
	explain                                   bool
}

func newRulesCommand() *cobra.Command {
	opts := rulesOptions{Options: rule.DefaultOptions, targets: rule.DefaultTargets, format: "table"}
	opts.Machine = ""
	cmd := &cobra.Command{
		Use:   "rules DETECTOR -o DIR",
		Short: "Write what was learned and found as rules that other tools enforce",
		Long:  rulesLong,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRules(cmd.Context(), opts, args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.AddCommand(newRulesTestCommand())
	flags := cmd.Flags()
	flags.StringVarP(&opts.output, "output", "o", "", "folder to write to")
	flags.StringVar(&opts.profile, "profile", "", "read a profile (JSON) in place of a detector")
	flags.StringVar(&opts.findings, "findings", "", "findings (JSON lines) to make rules of too")
	flags.StringArrayVar(&opts.tests, "test", nil, "trace to test the rules over (several times for several)")
	flags.StringVar(&opts.labels, "labels", "", "labels of the attacks in the tested traces (CSV)")
	flags.DurationVar(&opts.aftermath, "aftermath", time.Minute, "time after a label that counts as neither normal nor attack")
	flags.StringSliceVar(&opts.targets, "target", opts.targets, "what to write: "+strings.Join(rule.Targets(), ", ")+", or all")
	flags.StringVar(&opts.format, "format", opts.format, "how to print the result: table or json")
	flags.StringVar(&opts.Machine, "machine", "", "machine of the recording where the profile does not say, as Go names it (default: this one, "+runtime.GOARCH+")")
	flags.Int64Var(&opts.MinWindows, "min-windows", opts.MinWindows, "refuse workloads with fewer windows")
	flags.Float64Var(&opts.MaxUnseen, "max-unseen", opts.MaxUnseen, "refuse workloads with a rule of which more than this share of what one more container does was probably not seen, in (0,1]")
	flags.BoolVar(&opts.Force, "force", false, "write rules of workloads that would be refused")
	flags.BoolVar(&opts.Audit, "audit", false, "of workloads that would be refused, write rules that only watch")
	flags.BoolVar(&opts.explain, "explain", false, "say how complete the evidence of each rule is, and what each wildcard costs and saves")
	return cmd
}

func runRules(ctx context.Context, opts rulesOptions, args []string, stdout, stderr io.Writer) error {
	if err := opts.check(args); err != nil {
		return err
	}
	p, err := opts.load(args)
	if err != nil {
		return err
	}
	found, err := opts.readFindings()
	if err != nil {
		return err
	}
	traces, err := opts.openTests(ctx, p)
	if err != nil {
		return err
	}
	out := rulesResult{Files: []rule.Output{}, Refused: []string{}}
	if len(p.Workloads) == 0 {
		return errors.New("rules: the profile has no workloads")
	}
	thin := false
	for i := range p.Workloads {
		set, err := rule.Build(&p.Workloads[i], found[p.Workloads[i].Name], opts.Options)
		if err != nil {
			out.Refused = append(out.Refused, err.Error())
			thin = true
			continue
		}
		out.sets = append(out.sets, set)
	}
	files, refusals, err := rule.Render(opts.output, out.sets, opts.targets)
	if err != nil {
		return err
	}
	for _, refusal := range refusals {
		out.Refused = append(out.Refused, refusal.Error())
	}
	if out.Report, err = opts.test(ctx, out.sets, traces, stderr); err != nil {
		return err
	}
	if len(files) > 0 {
		out.Files = files
		if err := rule.WriteFiles(files); err != nil {
			return err
		}
	}
	if opts.explain {
		out.Explained = explanations(out.sets)
	}
	if err := out.print(stdout, opts.format); err != nil {
		return err
	}
	for _, refused := range out.Refused {
		fmt.Fprintf(stderr, "mayfly: %s\n", refused)
	}
	if thin && !opts.Audit {
		fmt.Fprintln(stderr, "mayfly: rules: --audit writes rules that only watch of the workloads of which too little is known, --force those that deny")
	}
	switch {
	case len(files) == 0:
		return errors.New("rules: none were written")
	case len(out.Refused) > 0:
		return statusError{statusPartial, nil}
	}
	return nil
}

// check says what is wrong with the command line.
func (o *rulesOptions) check(args []string) error {
	switch {
	case o.output == "":
		return usageErrorf("rules: no output: name a folder with -o (see mayfly rules -h)")
	case o.output == "json" || o.output == "table":
		return usageErrorf("rules: -o is the folder to write to (./%[1]s is one): want --format %[1]s to print so", o.output)
	case len(args) == 0 && o.profile == "":
		return usageErrorf("rules: no detector (see mayfly rules -h)")
	case len(args) > 0 && o.profile != "":
		return usageErrorf("rules: a detector and --profile: want one of them")
	case o.Force && o.Audit:
		return usageErrorf("rules: --force and --audit: want one of them")
	case !(o.MaxUnseen > 0 && o.MaxUnseen <= 1):
		return usageErrorf("rules: --max-unseen: got %g, want more than 0, at most 1", o.MaxUnseen)
	case o.MinWindows < 0:
		return usageErrorf("rules: --min-windows: want 0 or more, got %d", o.MinWindows)
	case o.format != "table" && o.format != "json":
		return usageErrorf("rules: --format: got %q, want table or json", o.format)
	case o.labels != "" && len(o.tests) == 0:
		return usageErrorf("rules: --labels without --test")
	case len(o.targets) == 0:
		return usageErrorf("rules: --target: want some of %s", strings.Join(rule.Targets(), ", "))
	}
	if slices.Equal(o.targets, []string{"all"}) {
		o.targets = rule.Targets()
	}
	for i, target := range o.targets {
		if !slices.Contains(rule.Targets(), target) {
			return usageErrorf("rules: --target: got %q, want some of %s", target, strings.Join(rule.Targets(), ", "))
		}
		if slices.Contains(o.targets[:i], target) {
			return usageErrorf("rules: --target: %s twice", target)
		}
	}
	return nil
}

// load reads the profile out of the detector, or from its own file.
func (o *rulesOptions) load(args []string) (*profile.Profile, error) {
	if o.profile != "" {
		return readProfile(o.profile)
	}
	return readProfile(args[0])
}

func (o *rulesOptions) readFindings() (map[string][]profile.Item, error) {
	if o.findings == "" {
		return nil, nil
	}
	f, err := os.Open(o.findings)
	if err != nil {
		return nil, fmt.Errorf("findings: %w", err)
	}
	defer func() { _ = f.Close() }()
	return rule.ReadFindings(f, o.findings)
}

// openTests opens the traces to test over. What they say of containers (image,
// capabilities, ports, machine) goes into the profile, which may not know it.
func (o *rulesOptions) openTests(ctx context.Context, p *profile.Profile) ([]*trace.Trace, error) {
	var traces []*trace.Trace
	for _, path := range o.tests {
		t, err := trace.Open(path)
		if err != nil {
			return nil, err
		}
		containers, err := t.Containers(ctx)
		if err != nil {
			return nil, err
		}
		for _, c := range containers {
			for _, name := range profile.NamesOf(&c) {
				w := p.Workload(name)
				if w == nil {
					continue
				}
				w.Declare(&c)
				for _, f := range t.Files(trace.Containers) {
					w.AddMachine(f.Meta.Arch)
				}
			}
		}
		traces = append(traces, t)
	}
	return traces, checkTraces(traces)
}

// test runs the rules over the traces; nil when there are none.
func (o *rulesOptions) test(ctx context.Context, sets []*rule.Set, traces []*trace.Trace, stderr io.Writer) (*rule.Report, error) {
	if len(traces) == 0 {
		return nil, nil
	}
	var labels []feature.Label
	if o.labels != "" {
		var err error
		if labels, err = feature.OpenLabels(o.labels); err != nil {
			return nil, err
		}
	}
	ctx, done := withProgress(ctx, stderr, "rules", eventRows(traces...), 1)
	defer done()
	return rule.Test(ctx, sets, traces, labels, o.aftermath)
}

// rulesResult is what the command prints.
type rulesResult struct {
	Files     []rule.Output `json:"files"`
	Refused   []string      `json:"refused"`
	Report    *rule.Report  `json:"test,omitempty"`
	Explained []explained   `json:"explained,omitempty"`
	sets      []*rule.Set
}

func (r *rulesResult) print(w io.Writer, format string) error {
	if format == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	if r.Explained != nil {
		if err := printExplanations(w, r.sets); err != nil {
			return err
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	switch {
	case r.Report != nil:
		r.printTest(t)
		fmt.Fprintln(t)
	case len(r.Files) > 0:
		r.printRules(t)
		fmt.Fprintln(t)
	}
	for _, f := range r.Files {
		fmt.Fprintf(t, "wrote\t%s\t%d bytes\n", f.Path, f.Bytes)
	}
	return t.Flush()
}

// printRules prints what is watched of each workload, and which of the targets that
// were written say it.
func (r *rulesResult) printRules(w io.Writer) {
	fmt.Fprintln(w, "RULE\tTARGETS\tEVIDENCE")
	for _, s := range r.sets {
		var written []string
		for _, f := range r.Files {
			if f.Workload == s.Workload {
				written = append(written, f.Target)
			}
		}
		for _, rl := range s.Rules {
			if say := rule.Say(rl.Kind, written); len(say) > 0 {
				fmt.Fprintf(w, "%s\t%s\t%s\n", rl.Name, strings.Join(say, " "), rl.Basis)
			}
		}
		if say := rule.Say(rule.Calls, written); len(say) > 0 {
			fmt.Fprintf(w, "mayfly %s: system calls\t%s\t%d calls recorded, %d added for the runtime\n",
				rule.Printable(s.Workload), strings.Join(say, " "), len(s.Calls.Recorded), len(s.Calls.Added))
		}
	}
}

// printTest prints how the rules did, then the attacks. What is tried is the Falco
// rules and the seccomp profile, whatever the targets.
func (r *rulesResult) printTest(w io.Writer) {
	fmt.Fprintln(w, "RULE\tTRIED AS\tEVIDENCE\tFIRES/CONTAINER-HOUR, NORMAL\tATTACKS CAUGHT")
	for _, res := range r.Report.Rules {
		target, name := "falco", res.Rule
		if res.Kind == rule.Calls {
			target, name = "seccomp", "mayfly "+rule.Printable(res.Workload)+": "+res.Rule
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.3g (%d in %.3g h)\t%s\n", name, target, res.Basis, res.PerHour, res.Normal,
			res.NormalHours, rule.Printable(strings.Join(res.Attacks, " ")))
	}
	printAttacks(w, r.Report.Attacks)
}

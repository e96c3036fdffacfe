package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mayfly/feature"
	"mayfly/rule"
	"mayfly/rule/falco"
	"mayfly/sink"
	"mayfly/trace"
)

const rulesTestLong = `Run rules over recorded traces before anybody deploys them: how often each would have
fired on normal time, on which rows, and which labelled attacks it would have caught,
how soon. RULES is a file or a folder: Falco rules, mayfly's or anybody's, with lists,
macros, exceptions and overrides; or a seccomp profile (JSON), of which it says which
recorded calls it would have refused. With --rules more files are read after it, in
order, as Falco reads several.

A trace does not have everything that Falco sees. What a rule asks for and the trace
lacks is named, and the rule is then "partly" evaluated or not at all; rows on which it
may have fired are counted as unsure. rule/TESTING.md lists fields and differences.

--max-fp makes it a gate: with a rule that fires more often on normal time, by
container-hour, the exit status is 1. Where a rule cannot be tried, or may have fired
more often on rows that leave it open, it is 3, unless --allow-untried.

  mayfly rules test rules/ monday/
  mayfly rules test falco_rules.yaml --rules falco_rules.local.yaml monday/ --max-fp 0.1
  mayfly rules test custom.yaml attack/ --labels labels.csv -o json

`

type rulesTestOptions struct {
	rule.TestOptions
	more         []string
	labels       string
	format       string
	maxFP        float64
	allowUntried bool
}

func newRulesTestCommand() *cobra.Command {
	opts := rulesTestOptions{format: "table", maxFP: math.Inf(1)}
	cmd := &cobra.Command{
		Use:   "test RULES TRACE...",
		Short: "Run rules over recorded traces before they are deployed",
		Long:  rulesTestLong + exitStatuses,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.MinimumNArgs(2)(cmd, args); err != nil {
				return usageErrorf("rules test: %w (see %s -h)", err, cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runRulesTest(cmd, opts, args) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&opts.more, "rules", nil, "`file` or folder of rules to read after RULES (several times for several)")
	f.StringVar(&opts.labels, "labels", "", "labels of the attacks in the traces (CSV)")
	f.DurationVar(&opts.Aftermath, "aftermath", time.Minute, "time after a label that counts as neither normal nor attack")
	f.Float64Var(&opts.maxFP, "max-fp", opts.maxFP, "false alarms of a rule by container-hour above which the exit status is 1")
	f.BoolVar(&opts.allowUntried, "allow-untried", false, "exit status 0 also where rules cannot be tried")
	f.BoolVar(&opts.Host, "host", false, "try rules on what is in no container too")
	f.StringVarP(&opts.format, "format", "o", opts.format, "form of the output: table or json")
	return cmd
}

func runRulesTest(cmd *cobra.Command, opts rulesTestOptions, args []string) error {
	switch {
	case opts.format != "table" && opts.format != "json":
		return usageErrorf("rules test: -o: want table or json, got %q", opts.format)
	case !(opts.maxFP >= 0):
		return usageErrorf("rules test: --max-fp: want 0 or more, got %g", opts.maxFP)
	case opts.Aftermath < 0:
		return usageErrorf("rules test: --aftermath: want 0 or more, got %s", opts.Aftermath)
	}
	var files []rule.File
	for _, path := range append(args[:1:1], opts.more...) {
		more, err := readRules(path)
		if err != nil {
			return err
		}
		files = append(files, more...)
	}
	var labels []feature.Label
	if opts.labels != "" {
		var err error
		if labels, err = feature.OpenLabels(opts.labels); err != nil {
			return err
		}
	}
	var traces []*trace.Trace
	for _, path := range args[1:] {
		t, err := trace.Open(path)
		if err != nil {
			return err
		}
		traces = append(traces, t)
	}
	if err := checkTraces(traces); err != nil {
		return err
	}
	ctx, done := withProgress(cmd.Context(), cmd.ErrOrStderr(), "rules test", eventRows(traces...), 1)
	report, err := rule.TestFiles(ctx, files, traces, labels, opts.TestOptions)
	done()
	if err != nil {
		return err
	}
	out := judgeRules(report, opts.maxFP)
	if err := out.print(cmd.OutOrStdout(), opts.format); err != nil {
		return err
	}
	return out.status(cmd.ErrOrStderr(), opts)
}

// maxRuleFile bounds a file of rules, maxRuleFiles how many a folder may hold.
const (
	maxRuleFile  = 16 << 20
	maxRuleFiles = 10_000
)

// readRules reads a file of rules, or those of a folder by name: as mayfly rules
// writes it, with falco/ and seccomp/, or as Falco's own, with files in it.
func readRules(path string) ([]rule.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	paths := []string{path}
	if info.IsDir() {
		paths = nil
		for _, pattern := range []string{"*.yaml", "*.yml", "*.json", "falco/*.yaml", "seccomp/*.json"} {
			found, err := filepath.Glob(filepath.Join(globQuote(path), pattern))
			if err != nil {
				return nil, fmt.Errorf("rules: %w", err)
			}
			paths = append(paths, found...)
		}
		if len(paths) == 0 || len(paths) > maxRuleFiles {
			return nil, fmt.Errorf("%s: %d files of rules (*.yaml, *.json, falco/, seccomp/), want 1 to %d", path, len(paths), maxRuleFiles)
		}
	}
	var files []rule.File
	for _, path := range paths {
		content, err := readBounded(path, maxRuleFile)
		if err != nil {
			return nil, err
		}
		files = append(files, rule.File{Name: path, Content: content})
	}
	return files, nil
}

// globQuote makes a path a pattern that matches itself only.
func globQuote(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		if file := (*fs.PathError)(nil); errors.As(err, &file) {
			err = file.Err
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if int64(len(content)) > most {
		return nil, fmt.Errorf("%s: more than %d bytes", path, most)
	}
	return content, nil
}

// rulesVerdict is what the command prints.
type rulesVerdict struct {
	*rule.Report
	MaxFP *float64 `json:"max_fp,omitempty"` // null: no gate
	Above []string `json:"above"`            // rules that fire more often than that
	Open  []string `json:"open"`             // rules that may: what decides it is not recorded
	Left  []string `json:"untried"`          // rules that cannot be tried
	Weak  []string `json:"weak"`             // rules within the bound for which the traces are too short to say so with 95 % confidence
}

func judgeRules(r *rule.Report, maxFP float64) *rulesVerdict {
	v := &rulesVerdict{Report: r, Above: []string{}, Open: []string{}, Left: []string{}, Weak: []string{}}
	gate := !math.IsInf(maxFP, 1)
	if gate {
		v.MaxFP = &maxFP
	}
	for i := range r.Rules {
		res := &r.Rules[i]
		name := ruleName(res)
		switch {
		case res.Verdict == string(falco.Untried):
			v.Left = append(v.Left, name)
		case res.Verdict == string(falco.Disabled) || !gate:
		case res.PerHour > maxFP:
			v.Above = append(v.Above, name)
		case float64(res.Normal+res.UnsureNormal) > maxFP*res.NormalHours:
			v.Open = append(v.Open, name)
		case maxFP > 0 && res.Containers > 0 && res.AtMost() > maxFP: // nothing vouches for 0
			v.Weak = append(v.Weak, name)
		}
	}
	return v
}

// ruleName names a rule, a profile by its file.
func ruleName(res *rule.Result) string {
	if res.Kind == rule.Calls {
		return res.File
	}
	return res.Rule
}

// status says what is wrong on stderr, and makes the exit status.
func (v *rulesVerdict) status(w io.Writer, opts rulesTestOptions) error {
	for _, name := range v.Above {
		fmt.Fprintf(w, "mayfly: rules test: %q fires more than %g times an hour on normal time\n", name, opts.maxFP)
	}
	for _, name := range v.Open {
		fmt.Fprintf(w, "mayfly: rules test: %q may fire more than %g times an hour on normal time: what decides it is not recorded\n", name, opts.maxFP)
	}
	if len(v.Weak) > 0 {
		fmt.Fprintf(w, "mayfly: rules test: of %d rules the traces are too short to say with 95 %% confidence that they fire at most %g times an hour\n", len(v.Weak), opts.maxFP)
	}
	if len(v.Left) > 0 {
		fmt.Fprintf(w, "mayfly: rules test: %d of %d rules cannot be tried on these traces\n", len(v.Left), len(v.Rules))
	}
	switch {
	case len(v.Above) > 0:
		return statusError{statusFailure, nil}
	case (len(v.Left) > 0 || len(v.Open) > 0) && !opts.allowUntried:
		return statusError{statusPartial, nil}
	}
	return nil
}

func (v *rulesVerdict) print(out io.Writer, format string) error {
	if format == "json" {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tTRIED\tCONTAINERS\tFIRES/CONTAINER-HOUR, NORMAL\tATTACKS CAUGHT")
	for i := range v.Rules {
		res := &v.Rules[i]
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", sink.Printable(ruleName(res)), res.Verdict, res.Containers, fires(res), caught(res))
	}
	v.printRows(w)
	v.printMissing(w)
	printAttacks(w, v.Attacks)
	fmt.Fprintf(w, "\n%d events, %d sequences of calls; %d containers that no rule speaks of", v.Events, v.Sequences, v.Unscoped)
	if v.Host > 0 {
		fmt.Fprintf(w, "; %d events of the host passed over (--host)", v.Host)
	}
	if v.IOUring > 0 {
		fmt.Fprintf(w, "; %d events came through io_uring, which Falco does not see", v.IOUring)
	}
	if v.RefusedBefore > 0 {
		fmt.Fprintf(w, "; %d calls were refused already when they were recorded", v.RefusedBefore)
	}
	fmt.Fprintln(w)
	return w.Flush()
}

// fires says how often a rule fired on normal time.
func fires(res *rule.Result) string {
	if res.Verdict == string(falco.Disabled) {
		return "-"
	}
	s := fmt.Sprintf("%.3g (%d in %.3g h)", res.PerHour, res.Normal, res.NormalHours)
	if res.UnsureNormal > 0 {
		s += fmt.Sprintf(", %d more unsure", res.UnsureNormal)
	}
	return s
}

func caught(res *rule.Result) string {
	all := slices.Clone(res.Attacks)
	for _, name := range res.Maybe {
		all = append(all, name+"?")
	}
	return sink.Printable(strings.Join(all, " "))
}

// printRows shows what rules fired on in normal time.
func (v *rulesVerdict) printRows(w io.Writer) {
	head := "\nON NORMAL TIME\tWHEN (UTC)\tCONTAINER\tWHAT\tROW"
	for i := range v.Rules {
		res := &v.Rules[i]
		for _, e := range res.Examples {
			if head != "" {
				fmt.Fprintln(w, head)
				head = ""
			}
			name := sink.Printable(ruleName(res))
			if e.Unsure {
				name += "?"
			}
			what := e.Text
			if e.Exe != "" {
				what = e.Exe + ": " + what
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s:%d\n", name, time.Unix(0, e.TimeNS).UTC().Format("2006-01-02 15:04:05.000"),
				sink.Printable(e.ContainerID[:min(12, len(e.ContainerID))]), sink.Printable(what), sink.Printable(e.File), e.Row)
		}
	}
}

// printMissing shows what of the rules could not be tried, and what else to know.
func (v *rulesVerdict) printMissing(w io.Writer) {
	head := "\nNOT AS IN FALCO\tWHERE\tWHY"
	for i := range v.Rules {
		res := &v.Rules[i]
		for _, why := range append(slices.Clone(res.Missing), res.Warnings...) {
			if head != "" {
				fmt.Fprintln(w, head)
				head = ""
			}
			fmt.Fprintf(w, "%s\t%s:%d\t%s\n", sink.Printable(ruleName(res)), sink.Printable(res.File), res.Line, sink.Printable(why))
		}
	}
}

func printAttacks(w io.Writer, attacks []rule.Attack) {
	if len(attacks) > 0 {
		fmt.Fprintln(w, "\nATTACK\tCAUGHT\tAFTER\tBY")
	}
	for _, a := range attacks {
		caught, after := "no", "-"
		switch {
		case a.Caught:
			caught, after = "yes", time.Duration(a.AfterNS).Round(time.Millisecond).String()
		case !a.Recorded:
			caught = "not recorded, or no rules"
		case len(a.Maybe) > 0:
			caught = "unsure"
		}
		by := slices.Clone(a.Rules)
		for _, name := range a.Maybe {
			by = append(by, name+"?")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", sink.Printable(a.Attack), caught, after, sink.Printable(strings.Join(by, "; ")))
	}
}

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const rootLong = `mayfly learns what containers normally do from recordings, tells when a new
recording departs from it, and writes what it learned as rules for other tools.

  record    what containers do, with eBPF, into a trace (root)
  inspect   what a trace holds and what it lacks
  query     SQL over all of it, with DuckDB
  ingest    traces into windows of features
  train     a detector on windows
  evaluate  a detector against labels
  replay    a detector over new traces, into findings
  explain   a finding, as a story
  profile   what workloads do, with evidence: build, merge, diff, show
  rules     what was learned and found into Falco rules and seccomp profiles
  redact    a trace, to give it away
  demo      all of it, on a small real recording that ships with mayfly
  config    where flags take their values from: a file, the environment

Start with: mayfly demo

` + exitStatuses

// newRootCommand puts the commands together. Wrong flags and arguments end with
// statusUsage whichever command they were given to.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "mayfly",
		Short:         "Learn what containers do, find what departs from it, write rules",
		Long:          rootLong,
		SilenceUsage:  true,
		SilenceErrors: true,

		SuggestionsMinimumDistance: 2,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageErrorf("%w%s (see %s -h)", err, suggestFlag(cmd, err), cmd.CommandPath())
	})
	root.AddCommand(commands()...)
	addCompletions(root)
	for _, cmd := range root.Commands() {
		if check := cmd.Args; check != nil {
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				if err := check(cmd, args); err != nil {
					return usageErrorf("%s: %w (see %s -h)", cmd.Name(), err, cmd.CommandPath())
				}
				return nil
			}
		}
	}
	root.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageErrorf("unknown command %q%s", args[0], suggest(cmd, args[0]))
		}
		return nil
	}
	root.PersistentFlags().String("config", "", "configuration `file` (see mayfly config -h)")
	root.PersistentPreRunE = configure
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return root
}

// configure gives flags that were not given what file and environment say of them.
func configure(cmd *cobra.Command, args []string) error {
	if cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == cobra.ShellCompNoDescRequestCmd {
		return nil // a shell asks with an empty word what could stand there
	}
	if err := refuseEmpty(cmd, args); err != nil {
		return err
	}
	named, err := cmd.Flags().GetString("config")
	if err != nil {
		return err
	}
	c, err := readConfiguration(cmd.Root(), named, os.Environ())
	if err != nil {
		return err
	}
	return c.apply(cmd)
}

// refuseEmpty refuses "" where a name is wanted: it is what a script with an unset
// variable gives, and --labels "" must not mean that there are no labels.
func refuseEmpty(cmd *cobra.Command, args []string) (err error) {
	if slices.Contains(args, "") {
		return usageErrorf("%s: an argument is empty (see %s -h)", cmd.Name(), cmd.CommandPath())
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if kind := f.Value.Type(); err == nil && (kind == "string" && f.Value.String() == "" || kind == "stringArray" && slices.Contains(f.Value.(pflag.SliceValue).GetSlice(), "")) {
			err = usageErrorf("%s: --%s: empty (see %s -h)", cmd.Name(), f.Name, cmd.CommandPath())
		}
	})
	return err
}

// suggestFlag names the flag that an unknown one was probably meant to be.
func suggestFlag(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return ""
	}
	words := &cobra.Command{SuggestionsMinimumDistance: 2} // which knows how far words are apart
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		words.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	if names := words.SuggestionsFor(unknown.GetSpecifiedName()); len(names) > 0 {
		return fmt.Sprintf("; did you mean --%s?", names[0])
	}
	return ""
}

func suggest(cmd *cobra.Command, word string) string {
	if names := cmd.SuggestionsFor(word); len(names) > 0 {
		return fmt.Sprintf("; did you mean %q?", names[0])
	}
	return " (see mayfly -h)"
}

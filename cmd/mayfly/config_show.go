package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const configLong = `A flag that is not given on the command line takes its value from the environment,
and where that says nothing from a configuration file: the flag wins over the
variable, the variable over the file, the file over the default.

The file is that of --config or $MAYFLY_CONFIG, or else /etc/mayfly/config.yaml when
it is there. It maps commands to their flags:

  replay:
    state: /var/lib/mayfly/web.state
    every: 10s

The variable of a flag is MAYFLY, the command and the flag: MAYFLY_REPLAY_STATE.

  mayfly config show
  mayfly config show replay --config site.yaml

` + exitStatuses

// shown is a flag with its value and where that comes from.
type shown struct {
	Command string `json:"command"`
	Flag    string `json:"flag"`
	Value   string `json:"value"`
	Source  string `json:"source"` // "default", "FILE:LINE" or "$VARIABLE"
}

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Say where flags take their values from", Long: configLong,
		Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var all bool
	format := "table"
	show := &cobra.Command{
		Use: "show [COMMAND]", Short: "Show what is set, and where", Long: configLong,
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "table" && format != "json" {
				return usageErrorf("config: --format %q: want table or json", format)
			}
			return runConfigShow(cmd, args, all, format)
		},
	}
	show.Flags().BoolVar(&all, "all", false, "flags that have their default too")
	show.Flags().StringVarP(&format, "format", "o", format, "form of the output: table or json")
	cmd.AddCommand(show)
	return cmd
}

func runConfigShow(cmd *cobra.Command, args []string, all bool, format string) error {
	root := newRootCommand()
	named, err := cmd.Flags().GetString("config")
	if err != nil {
		return err
	}
	c, err := readConfiguration(root, named, os.Environ())
	if err != nil {
		return err
	}
	about, rest, err := root.Find(args)
	if err != nil || len(rest) > 0 {
		return usageErrorf("config: unknown command %q", strings.Join(args, " "))
	}
	rows := []shown{}
	visitCommands(about, func(cmd *cobra.Command) {
		if bad := c.apply(cmd); bad != nil && err == nil {
			err = bad
		}
		_, path, _ := strings.Cut(cmd.CommandPath(), " ")
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			source := "default"
			if s, ok := c.settings[settingKey(cmd, f)]; ok {
				source = s.source
			}
			if configurable(f) && (all || source != "default") {
				rows = append(rows, shown{path, f.Name, f.Value.String(), source})
			}
		})
	})
	if err != nil {
		return err
	}
	tellUnused(cmd.ErrOrStderr(), root, os.Environ())
	if format == "json" {
		out := json.NewEncoder(cmd.OutOrStdout())
		out.SetIndent("", "  ")
		return out.Encode(rows)
	}
	return printShown(cmd.OutOrStdout(), c, rows)
}

func printShown(w io.Writer, c *configuration, rows []shown) error {
	file := c.file
	if file == "" {
		file = "none (" + defaultConfig + " is not there)"
	}
	fmt.Fprintf(w, "file: %s\n\n", file)
	if len(rows) == 0 {
		fmt.Fprintln(w, "Nothing is set: each flag has its default (--all shows them).")
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "COMMAND\tFLAG\tVALUE\tFROM")
	for _, r := range rows {
		fmt.Fprintf(tw, "%s\t--%s\t%s\t%s\n", r.Command, r.Flag, r.Value, r.Source)
	}
	return tw.Flush()
}

// tellUnused names variables that look like settings and are none.
func tellUnused(w io.Writer, root *cobra.Command, environ []string) {
	used := []string{configEnv}
	visitCommands(root, func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { used = append(used, envName(cmd, f)) })
	})
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "MAYFLY_") && !strings.HasPrefix(name, "MAYFLY_TEST_") && !slices.Contains(used, name) {
			fmt.Fprintf(w, "mayfly: warning: $%s is no setting\n", name)
		}
	}
}

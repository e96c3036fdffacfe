package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mayfly/pseudonym"
	"mayfly/trace"
)

const redactLong = `Write a trace that can be given away: names of hosts, containers, images and pods,
addresses, paths and arguments are replaced, the same by the same each time, as a
secret key says. Times, calls, numbers and ids of containers stay, and so do words that every system
has (etc, passwd, nginx): a detector learned from it gives the same scores.

The key is any file of at least 16 bytes. Keep it, and traces that are replaced later
have the same names; throw it away, and nobody gets back to the first ones.

What can still tell whose recording it is: ids of containers, times and rates, how long names are, which
well-known programs run, numbers of processes and users, ports, the kernel's release,
the shape of a folder tree, dates in names, and which addresses share a network.

  head -c 32 /dev/urandom > key
  mayfly redact trace/ -o shared/ --key key
  mayfly redact monday/ -o monday-shared/ --key key --keep acme,billing

` + exitStatuses

type redactOptions struct {
	output, key string
	keep        []string
}

func newRedactCommand() *cobra.Command {
	var opts redactOptions
	cmd := &cobra.Command{
		Use:   "redact TRACE... -o DIR --key FILE",
		Short: "Write a trace with all names replaced, to give away",
		Long:  redactLong,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRedact(cmd.Context(), opts, args, cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&opts.output, "output", "o", "", "`folder` to make")
	flags.StringVar(&opts.key, "key", "", "secret `file` that says how names are replaced")
	flags.StringSliceVar(&opts.keep, "keep", nil, "`words` that stay, besides those that every system has")
	return cmd
}

func runRedact(ctx context.Context, opts redactOptions, args []string, stderr io.Writer) error {
	switch {
	case opts.output == "":
		return usageErrorf("redact: no output: name a folder with -o (see mayfly redact -h)")
	case opts.key == "":
		return usageErrorf("redact: no key: name a file with --key (head -c 32 /dev/urandom > key makes one)")
	}
	key, err := os.ReadFile(opts.key)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	m, err := pseudonym.NewMapper(key, opts.keep)
	if err != nil {
		return usageErrorf("redact: %s: %w", opts.key, err)
	}
	var traces []*trace.Trace
	for _, path := range args {
		t, err := trace.Open(path)
		if err != nil {
			return err
		}
		traces = append(traces, t)
	}
	if err := checkTraces(traces); err != nil {
		return err
	}
	ctx, done := withProgress(ctx, stderr, "redact", 0, 1)
	report, err := pseudonym.Write(ctx, traces, m, opts.output)
	done()
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "mayfly: %s: %d rows of %d files, %d different names\n", opts.output, report.Rows, report.Files, report.Names)
	fmt.Fprintf(stderr, "mayfly: before you give it away: %s\n", strings.Join(stillTells, ", ")+" can still tell whose it is")
	return nil
}

var stillTells = []string{"ids of containers", "times", "lengths of names", "well-known programs", "numbers of users", "ports", "the kernel's release"}

// Command mayfly-query answers SQL over traces, features and findings with DuckDB.
// It is a program and a module of its own because DuckDB wants a C compiler and
// 70 MB; mayfly query starts it.
//
//	mayfly-query [-o table|json|csv] SQL PATH...
//
// The SQL may be anybody's: it reads the files that were named, and no other; it
// writes nothing, fetches nothing and changes no setting.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const usage = `usage: mayfly-query [-o table|json|csv] [--memory 2GB] [--threads N] SQL PATH...

A PATH is a trace (a directory), one Parquet file of a trace, a FEATURES file, or
findings (JSON lines). Views: events, sequences, processes, containers, losses,
features, findings; a trace's have the columns host and date beside their own.
In CSV, text that a spreadsheet would take for a formula gets an apostrophe before it.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit status: 0 fine, 1 failure, 2
// wrong use.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts := options{}
	flags := flag.NewFlagSet("mayfly-query", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&opts.output, "o", "table", "")
	flags.StringVar(&opts.memory, "memory", "2GB", "")
	flags.IntVar(&opts.threads, "threads", 0, "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return 0
	case err == nil && flags.NArg() < 2:
		err = errors.New("want SQL and at least one PATH")
	case err == nil && opts.output != "table" && opts.output != "json" && opts.output != "csv":
		err = fmt.Errorf("-o: got %q, want table, json or csv", opts.output)
	case err == nil && opts.threads < 0:
		err = fmt.Errorf("--threads: want 0 or more, got %d", opts.threads)
	}
	if err != nil {
		fmt.Fprintf(stderr, "mayfly: query: %v (see mayfly query -h)\n", err)
		return 2
	}
	if err := query(ctx, flags.Arg(0), flags.Args()[1:], opts, stdout); err != nil {
		fmt.Fprintf(stderr, "mayfly: query: %s\n", printable(strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")))
		return 1
	}
	return 0
}

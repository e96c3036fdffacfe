package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"
)

const queryLong = `Answer SQL over traces, features and findings, with DuckDB.

A PATH is a trace (a directory), one Parquet file of a trace, a FEATURES file, or
findings (JSON lines). Each becomes a view: events, sequences, processes,
containers, losses, features, findings; a trace's views have the columns host and
date beside their own (trace/FORMAT.md, feature/FORMAT.md). The SQL may be
anybody's: it is one SELECT, which reads the files that were named and no other.

DuckDB wants a C compiler and 70 MB, so it is a program of its own, mayfly-query:
beside mayfly, or on PATH. In a clone of mayfly:

  cd query && go build -o "$(dirname "$(command -v mayfly)")/mayfly-query" .

  mayfly query "SELECT kind, count(*) AS n FROM events GROUP BY ALL ORDER BY n DESC" trace/
  mayfly query -o csv "SELECT path, count(*) FROM events WHERE kind = 'exec' GROUP BY 1" trace/

`

// queryProgram is the program that mayfly query starts.
const queryProgram = "mayfly-query"

type queryOptions struct {
	output  string
	memory  string
	threads int
}

func newQueryCommand() *cobra.Command {
	opts := queryOptions{output: "table", memory: "2GB"}
	cmd := &cobra.Command{
		Use:   "query SQL PATH...",
		Short: "Answer SQL over traces, features and findings",
		Long:  queryLong + exitStatuses,
		Args:  cobra.MinimumNArgs(2),
		RunE:  func(cmd *cobra.Command, args []string) error { return runQuery(cmd, opts, args) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&opts.output, "output", "o", opts.output, "table, json or csv (text that a spreadsheet would take for a formula gets an apostrophe before it)")
	flags.StringVar(&opts.memory, "memory", opts.memory, "memory that the query may take")
	flags.IntVar(&opts.threads, "threads", 0, "threads; 0 is one per processor")
	return cmd
}

func runQuery(cmd *cobra.Command, opts queryOptions, args []string) error {
	switch opts.output {
	case "table", "json", "csv":
	default:
		return usageErrorf("query: -o: got %q, want table, json or csv", opts.output)
	}
	if err := checkThreadCount("query", opts.threads); err != nil {
		return err
	}
	program, err := findProgram(queryProgram)
	if err != nil {
		return fmt.Errorf("query: %w; in a clone of mayfly: cd query && go build -o DIR/%s . (see mayfly query -h)", err, queryProgram)
	}
	line := []string{"-o", opts.output, "--memory", opts.memory, "--threads", strconv.Itoa(opts.threads), "--"}
	child := exec.CommandContext(cmd.Context(), program, append(line, args...)...)
	done := waiting(cmd.Context(), cmd.ErrOrStderr(), "query")
	defer done()
	child.Stdout, child.Stderr = afterwards{done, cmd.OutOrStdout()}, afterwards{done, cmd.ErrOrStderr()}
	return childStatus(child.Run(), program)
}

// afterwards writes after something has ended.
type afterwards struct {
	done func()
	io.Writer
}

func (w afterwards) Write(b []byte) (int, error) {
	w.done()
	return w.Writer.Write(b)
}

// childStatus makes the status of a program this one's: it has said why.
func childStatus(err error, program string) error {
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return statusError{exit.ExitCode(), nil}
	case err != nil:
		return fmt.Errorf("%s: %w", program, err)
	}
	return nil
}

// findProgram looks for a program of mayfly's beside this one first, so that the two
// are of one version.
func findProgram(name string) (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), name)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return beside, nil
		}
	}
	if found, err := exec.LookPath(name); err == nil {
		return found, nil
	}
	return "", fmt.Errorf("no program %s beside mayfly or on PATH", name)
}

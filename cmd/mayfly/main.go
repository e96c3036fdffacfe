// golearn draws from math/rand's own source, which can be seeded only so (package
// reference).
//go:debug randseednop=0

// Command mayfly learns what containers normally do from recordings, tells when
// a new recording departs from it, and writes what it learned as rules.
//
// Each command stands in a file of its own; this one starts them and turns
// errors into exit statuses.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"unicode"
)

// Exit statuses, the same for every command and part of every long help.
const (
	statusFailure = 1 // it did not work; the reason is on stderr
	statusUsage   = 2 // the command line is wrong
	statusPartial = 3 // it worked, but some inputs were rejected
)

// exitStatuses closes the long help of each command.
const exitStatuses = `Exit status: 0 fine, 1 failure, 2 wrong use, 3 partial (some inputs were rejected).`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := execute(ctx, args, stdin, stdout, stderr)
	if err == nil {
		return 0
	}
	var status statusError
	if !errors.As(err, &status) {
		status = statusError{statusFailure, err}
	}
	if status.err != nil {
		fmt.Fprintf(stderr, "mayfly: %s\n", oneLine(status.err))
	}
	return status.status
}

// oneLine is an error without what would break its line or move the cursor: names
// of files, and what stands in them, come from anywhere. A line break becomes a
// semicolon, for most join one error to the next.
func oneLine(err error) string {
	var out strings.Builder
	for _, r := range strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\n", "; "), "\ufffd") {
		if r == ' ' || unicode.IsPrint(r) {
			out.WriteRune(r)
		} else {
			quoted := strconv.QuoteRune(r)
			out.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return out.String()
}

// execute runs one command line.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	out := &printed{to: stdout}
	root.SetOut(out)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && strings.HasPrefix(err.Error(), "required flag(s)") { // cobra has no type for it
		return usageErrorf("%s: %w (see %s -h)", cmd.Name(), err, cmd.CommandPath())
	}
	if err == nil { // a help, a table: what prints them drops the error
		err = out.err
	}
	return err
}

// printed is standard output, which remembers what went wrong first.
type printed struct {
	to  io.Writer
	err error
}

func (p *printed) Write(b []byte) (int, error) {
	n, err := p.to.Write(b)
	if p.err == nil {
		p.err = err
	}
	return n, err
}

// statusError is an error with an exit status other than failure. With a nil
// err nothing is printed: the command has said it already.
type statusError struct {
	status int
	err    error
}

func (e statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e statusError) Unwrap() error { return e.err }

// usageErrorf is an error of the command line.
func usageErrorf(format string, args ...any) error {
	return statusError{statusUsage, fmt.Errorf(format, args...)}
}

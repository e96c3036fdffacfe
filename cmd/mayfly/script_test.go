package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	// Commands that tests run in this process start their program again to read
	// untrusted Parquet, and this binary is that program.
	if len(os.Args) == 2 && os.Args[1] == newReadParquetCommand().Name() {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){
		"mayfly": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
		"mktrace":      mktrace,
		"mkfleet":      mkfleet,
		"explainfirst": explainFirst,
	})
}

// TestScripts runs every command as a user would: testdata/*.txtar, each the
// happy way, wrong use and bad input.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"waitfor": waitFor},
		Condition: func(condition string) (bool, error) {
			if condition == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
	})
}

// waitFor waits until a file is there and not empty: what a command in the background
// comes to.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor FILE")
	}
	for range 600 {
		if info, err := os.Stat(ts.MkAbs(args[0])); err == nil && info.Size() > 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%s: not there after a minute", args[0])
}

// explainFirst runs mayfly explain with the id of a file's first finding, which a
// script cannot know.
func explainFirst() {
	content, err := os.ReadFile(os.Args[1])
	var first struct{ Mayfly struct{ ID string } }
	if err == nil {
		line, _, _ := bytes.Cut(content, []byte("\n"))
		err = json.Unmarshal(line, &first)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	args := append([]string{"explain", first.Mayfly.ID[:6], "--findings"}, os.Args[1:]...)
	os.Exit(run(context.Background(), args, os.Stdin, os.Stdout, os.Stderr))
}

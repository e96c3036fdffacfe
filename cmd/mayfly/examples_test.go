package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mayfly/datasets/demo"
)

// notHere are examples that want root, somebody else's data, or an hour: their flags
// are parsed only. Each has a test of its own elsewhere.
var notHere = regexp.MustCompile(`^mayfly (record|doctor|demo|bench|query|datasets|man|rules test)\b|--protocol|--follow|--salvage|--config|^mayfly explain [0-9a-f]+ |/var/|/mnt/|://|--profile|^mayfly profile|adfa|cluster| -h$`)

// TestHelpExamples runs the examples of each command's help where the files that they
// name are, and parses those that cannot run here.
func TestHelpExamples(t *testing.T) {
	dir := t.TempDir()
	prepareExamples(t, dir)
	t.Chdir(dir)
	examples := map[string]string{} // of which command
	visitCommands(newRootCommand(), func(cmd *cobra.Command) {
		for line := range strings.Lines(strings.ReplaceAll(cmd.Long, "\\\n", " ")) {
			if line, ok := strings.CutPrefix(line, "  mayfly "); ok {
				line, _, _ = strings.Cut(line, " | ")
				line, _, _ = strings.Cut(line, "   #")
				examples["mayfly "+strings.TrimSpace(line)] = cmd.CommandPath()
			}
		}
	})
	if len(examples) < 20 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, line := range slices.Sorted(maps.Keys(examples)) {
		args := words(line)[1:]
		root := newRootCommand()
		cmd, rest, err := root.Find(args)
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil && cmd.Args != nil {
			err = cmd.Args(cmd, cmd.Flags().Args())
		}
		if err != nil && !errors.Is(err, pflag.ErrHelp) {
			t.Errorf("help of %s: %s: %v", examples[line], line, err)
			continue
		}
		if notHere.MatchString(line) {
			continue
		}
		var stderr bytes.Buffer
		if status := run(t.Context(), args, strings.NewReader(""), io.Discard, &stderr); status != 0 && status != statusPartial && status != 10 {
			t.Errorf("help of %s: %s: exit status %d\n%s", examples[line], line, status, stderr.String())
		}
	}
}

// words splits a line as a shell does that knows single quotes only.
func words(line string) (all []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all[len(all)-1] += part
			continue
		}
		fields := strings.Fields(part)
		if i < strings.Count(line, "'") && !strings.HasSuffix(part, " ") && len(fields) > 0 {
			all = append(all, fields...) // the quoted part goes on with the last word
			continue
		}
		all = append(all, fields...)
		if i < strings.Count(line, "'") {
			all = append(all, "")
		}
	}
	return all
}

// prepareExamples makes the files that examples speak of, from the demo's recording.
func prepareExamples(t *testing.T, dir string) {
	t.Helper()
	if err := demo.Write(dir); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"monday", "attack"} {
		if err := os.CopyFS(in(name), os.DirFS(in("trace"))); err != nil {
			t.Fatal(err)
		}
	}
	if err := runMktrace([]string{in("tuesday"), "20"}); err != nil { // other containers, so that the two can be merged
		t.Fatal(err)
	}
	if err := runMkfleet([]string{in("fleet"), "3", "20"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("key"), []byte("sixteen bytes or more"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"ingest", in("trace"), "-o", in("features.parquet")},
		{"train", in("features.parquet"), "-o", in("web.mayfly"), "--labels", in("labels.csv")},
		{"replay", in("web.mayfly"), in("trace"), "-o", in("findings.jsonl")},
		{"replay", in("web.mayfly"), in("trace"), "-o", in("scored"), "--shard", "0/1"},
	} {
		var stderr bytes.Buffer
		if status := run(t.Context(), args, strings.NewReader(""), io.Discard, &stderr); status != 0 {
			t.Fatalf("%v: exit status %d\n%s", args, status, stderr.String())
		}
	}
}

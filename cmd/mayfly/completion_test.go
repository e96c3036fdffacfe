package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestCompletions asks for the words of each flag as a shell does, and wants them of
// each flag whose help names some.
func TestCompletions(t *testing.T) {
	words := flagWords()
	visitCommands(newRootCommand(), func(cmd *cobra.Command) {
		_, path, _ := strings.Cut(cmd.CommandPath(), " ")
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			key := path + " " + f.Name
			want, ok := words[key]
			if help := f.Usage; !ok && (strings.Contains(help, "table or json") || strings.Contains(help, "text or json") || strings.Contains(help, ": onnx")) {
				t.Errorf("mayfly %s --%s: no words to complete, its help says %q", path, f.Name, help)
			}
			delete(words, key)
			if !ok {
				return
			}
			var stdout, stderr bytes.Buffer
			status := run(t.Context(), append(append([]string{"__complete"}, strings.Fields(path)...), "--"+f.Name, ""), nil, &stdout, &stderr)
			if got, _, _ := strings.Cut(stdout.String(), "\n:"); status != 0 || got != strings.Join(want, "\n") {
				t.Errorf("mayfly %s --%s: got exit status %d and %q, want %q", path, f.Name, status, got, want)
			}
		})
	})
	for key := range words {
		t.Errorf("%q: there is no such flag", key)
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mayfly/detector"
)

// TestReadme runs the session that the README shows: every line of its output
// must be there.
func TestReadme(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the README shows the figures of amd64")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"demo"}, strings.NewReader(""), &stdout, &stderr); status != 0 {
		t.Fatalf("mayfly demo: exit status %d\n%s", status, stderr.String())
	}
	shown := consoleBlocks(string(readme))
	for _, block := range []struct{ command, output string }{
		{"$ mayfly demo", stdout.String()},
		{"$ grep write-exec demo-out/findings.jsonl | head -1 | jq -r '.output, .mayfly.evidence[].text'", firstDropped(t)},
	} {
		lines, ok := shown[block.command]
		if !ok {
			t.Errorf("README: no console block begins with %q", block.command)
		}
		for _, line := range lines {
			if line != "" && line != "…" && !strings.Contains("\n"+block.output, "\n"+line+"\n") {
				t.Errorf("README: %s: line %q is not in its output\n%s", block.command, line, block.output)
			}
		}
	}
}

// consoleBlocks are the README's console blocks: their lines by their command.
func consoleBlocks(readme string) map[string][]string {
	blocks := map[string][]string{}
	for i, part := range strings.Split(readme, "```") {
		if text, ok := strings.CutPrefix(part, "console\n"); ok && i%2 == 1 {
			lines := strings.Split(strings.TrimSpace(text), "\n")
			blocks[lines[0]] = lines[1:]
		}
	}
	return blocks
}

// firstDropped is what the grep of the README prints.
func firstDropped(t *testing.T) string {
	t.Helper()
	findings, err := os.ReadFile(filepath.Join("demo-out", "findings.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(findings) {
		if !bytes.Contains(line, []byte("write-exec")) {
			continue
		}
		var f detector.Finding
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		out := f.Output + "\n"
		for _, e := range f.Mayfly.Evidence {
			out += e.Text + "\n"
		}
		return out
	}
	t.Fatal("no finding with write-exec")
	return ""
}

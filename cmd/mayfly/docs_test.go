package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocs runs the blocks of docs/ that begin with $, page by page, where the demo's
// recording and a detector of it are, and looks for the lines that they show. Links
// must lead somewhere.
func TestDocs(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) < 10 {
		t.Fatalf("pages %q, %v", pages, err)
	}
	ready := t.TempDir()
	prepareExamples(t, ready)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(string(text), -1) {
				if _, err := os.Stat(filepath.Join("../../docs", link[1])); err != nil {
					t.Errorf("link: %v", err)
				}
			}
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(ready)); err != nil {
				t.Fatal(err)
			}
			for i, part := range strings.Split(string(text), "```") {
				if block, ok := strings.CutPrefix(part, "console\n"); ok && i%2 == 1 {
					runBlock(t, dir, block)
				}
			}
		})
	}
}

// runBlock runs the commands of a block in one shell, and wants its other lines among
// what they print.
func runBlock(t *testing.T, dir, block string) {
	t.Helper()
	var script, want []string
	for line := range strings.Lines(strings.TrimSpace(block)) {
		line = strings.TrimRight(line, "\n")
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			script = append(script, command)
		} else if line != "" && line != "…" {
			want = append(want, line)
		}
	}
	cmd := exec.Command("sh", "-ec", strings.Join(script, "\n"))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(script, "; "), err, out)
	}
	for _, line := range want {
		if !strings.Contains("\n"+string(out), "\n"+line+"\n") {
			t.Errorf("%s: line %q is not in its output\n%s", strings.Join(script, "; "), line, out)
		}
	}
}

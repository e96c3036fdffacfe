package feature

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// FORMAT.md lists every counter and every feature, as the code has them.
func TestFormatIsTrue(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("### Counters\n\n| column | counts | what counts |\n|---|---|---|\n")
	for _, c := range Counters {
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", c.Name, c.Unit, c.Doc)
	}
	features := formatFeatures()
	if *update {
		head, _, _ := strings.Cut(string(text), "### Counters\n")
		_, rest, _ := strings.Cut(string(text), "\n## Metadata\n")
		body, _, _ := strings.Cut(rest, "\n## Features\n")
		all := head + want.String() + "\n## Metadata\n" + body + "\n" + features
		if err := os.WriteFile("FORMAT.md", []byte(all), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, part := range []string{want.String(), features} {
		for line := range strings.Lines(part) {
			if !strings.Contains(string(text), line) {
				t.Errorf("FORMAT.md lacks the line (go test -update writes it):\n%s", line)
			}
		}
	}
}

func formatFeatures() string {
	var out strings.Builder
	out.WriteString("## Features\n\nWhat an encoder makes of a window, given a space that was learned (not in this file; the columns that a forest reads). " +
		"A name with `_long` behind it is the same over the last ten widths of the container.\n\n| feature | family | unit | why an attack moves it |\n|---|---|---|---|\n")
	long := map[string]bool{}
	for _, f := range Features() {
		if base, ok := strings.CutSuffix(f.Name, "_long"); ok {
			long[base] = true
		}
	}
	for _, f := range Features() {
		if strings.HasSuffix(f.Name, "_long") {
			continue
		}
		name := "`" + f.Name + "`"
		if long[f.Name] {
			name += ", `_long`"
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", name, f.Family, f.Unit, f.Reason)
	}
	return out.String()
}

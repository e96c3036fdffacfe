package rule

import (
	"slices"
	"strings"
	"testing"
)

// TestSmallDiffs: a profile that grew by one thing changes the lines that say it, and
// the evidence; the same profile in another order changes nothing.
func TestSmallDiffs(t *testing.T) {
	for _, grown := range []string{"exec /usr/bin/zz-tool", "write /var/lib/zz/state", "connect inet:10.0.0.7:5432", "listen inet:0.0.0.0:8443", "call getcpu"} {
		said := false
		before := k8sSet(t, "nginx", webItems)
		reversed := slices.Clone(webItems)
		slices.Reverse(reversed)
		again, after := k8sSet(t, "nginx", reversed), k8sSet(t, "nginx", append(slices.Clone(webItems), grown))
		for _, target := range targets {
			texts := make([]string, 3)
			for i, s := range []*Set{before, again, after} {
				text, err := target.render(s)
				if err != nil {
					t.Fatal(err)
				}
				texts[i] = string(text)
			}
			if texts[0] != texts[1] {
				t.Errorf("%s: the order of the profile shows", target.name)
			}
			// A namespace's policy has a peer or port in two lines, and there are two.
			gone, added := changed(texts[0], texts[2]), changed(texts[2], texts[0])
			if len(gone) > 1 || len(added) > 4 {
				t.Errorf("%s: %s: %d lines are gone, %d are new:\n%s\n%s", grown, target.name, len(gone), len(added), strings.Join(gone, "\n"), strings.Join(added, "\n"))
			}
			said = said || len(added) > 0
		}
		if !said {
			t.Errorf("%s: no target says it", grown)
		}
	}
}

// changed lists the lines of a that b has not, those with the evidence left out.
func changed(a, b string) (lines []string) {
	left := map[string]int{}
	for line := range strings.Lines(b) {
		left[strings.TrimSpace(line)]++
	}
	for line := range strings.Lines(a) {
		line = strings.TrimSpace(line)
		if left[line]--; left[line] < 0 && !strings.Contains(line, " items") {
			lines = append(lines, line)
		}
	}
	return lines
}

package rule

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"mayfly/detector"
	"mayfly/profile"
)

// maxFindingLine bounds one line of a file of findings, in bytes.
const maxFindingLine = 16 << 20

// maxFoundItems bounds how many different items are taken of findings.
const maxFoundItems = 1 << 20

// ReadFindings reads findings as replay writes them, one JSON object a line, and
// returns the items that they name as new, by workload. name stands for the input
// in errors, which carry the line.
func ReadFindings(r io.Reader, name string) (map[string][]profile.Item, error) {
	found := map[string][]profile.Item{}
	seen := map[string]map[profile.Item]bool{}
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxFindingLine)
	items := 0
	for line := 1; in.Scan(); line++ {
		if len(bytes.TrimSpace(in.Bytes())) == 0 {
			continue
		}
		var f detector.Finding
		if err := json.Unmarshal(in.Bytes(), &f); err != nil {
			return nil, fmt.Errorf("%s:%d: finding: %w", name, line, err)
		}
		if f.Mayfly.ID == "" && f.Mayfly.Workload == "" {
			return nil, fmt.Errorf("%s:%d: not a finding of mayfly: no \"mayfly\" block", name, line)
		}
		w := f.Mayfly.Workload
		for _, text := range f.Mayfly.New {
			item, err := profile.ParseItem(text)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, line, err)
			}
			if seen[w] == nil {
				seen[w] = map[profile.Item]bool{}
			}
			if seen[w][item] {
				continue
			}
			if items++; items > maxFoundItems {
				return nil, fmt.Errorf("%s:%d: more than %d items", name, line, maxFoundItems)
			}
			seen[w][item] = true
			found[w] = append(found[w], item)
		}
	}
	if err := in.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("a line is longer than %d bytes", maxFindingLine)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return found, nil
}

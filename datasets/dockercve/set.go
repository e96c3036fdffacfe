package dockercve

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
)

// Set is the dataset in a folder. It is read-only and safe for concurrent use.
type Set struct {
	dir  string
	runs []Run
}

// Open reads timing.csv of the folder; windows are read as they are asked for.
func Open(dir string) (*Set, error) {
	runs, err := readFile(filepath.Join(dir, "timing.csv"), ReadTiming)
	if err != nil {
		return nil, fmt.Errorf("docker-cve: %w", err)
	}
	return &Set{dir, runs}, nil
}

// CVEs lists the CVEs, in the order of timing.csv.
func (s *Set) CVEs() []string {
	var cves []string
	for _, r := range s.runs {
		if !slices.Contains(cves, r.CVE) {
			cves = append(cves, r.CVE)
		}
	}
	return cves
}

// Runs lists the runs of a CVE.
func (s *Set) Runs(cve string) []Run {
	var runs []Run
	for _, r := range s.runs {
		if r.CVE == cve {
			runs = append(runs, r)
		}
	}
	return runs
}

// Windows reads every window of a CVE, and checks that the test segment of each
// of its runs has the rows that timing.csv says.
func (s *Set) Windows(cve string) (*Windows, error) {
	path := filepath.Join(s.dir, "windows", cve+".csv.gz")
	w, err := readFile(path, func(r io.Reader, name string) (*Windows, error) { return ReadWindows(r, name, cve) })
	if err != nil {
		return nil, fmt.Errorf("docker-cve: %w", err)
	}
	rows := map[int]int{}
	for _, r := range w.Rows {
		if r.Segment == Test {
			rows[r.Run]++
		}
	}
	for _, run := range s.Runs(cve) {
		if rows[run.Run] != run.TestRows {
			return nil, fmt.Errorf("docker-cve: %s: run %d: got %d test rows, want %d (timing.csv)", path, run.Run, rows[run.Run], run.TestRows)
		}
	}
	return w, nil
}

// Published reads what the published methods did, run by run.
func (s *Set) Published() ([]PublishedRun, error) {
	runs, err := readFile(filepath.Join(s.dir, "published_per_run.csv"), ReadPublished)
	if err != nil {
		return nil, fmt.Errorf("docker-cve: %w", err)
	}
	return runs, nil
}

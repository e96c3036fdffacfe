package dockercve

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// maxTableBytes bounds timing.csv and published_per_run.csv.
const maxTableBytes = 4 << 20

// Run is one container run: four segments, of which the last, "test", holds the
// exploit. Rows count from the start of the test segment.
type Run struct {
	CVE        string
	Run        int // from 1
	Threads    int // of the client that made the normal load
	TriggerRow int // the exploit starts
	SuccessRow int // the exploit has succeeded, ≥ TriggerRow
	TestRows   int // rows of the test segment, > SuccessRow
}

// PublishedRun is what one published method did on one run.
type PublishedRun struct {
	Method   string
	CVE      string
	Run      int
	FPR      float64 // [0,1]
	Detected bool
	LeadS    float64 // seconds, 0 where not detected
}

// cveName keeps the name of a CVE from naming any other file.
var cveName = regexp.MustCompile(`^CVE-[0-9]{4}-[0-9]{1,7}$`)

// ReadTiming reads timing.csv. name stands for the input in errors, which also
// name the line.
func ReadTiming(r io.Reader, name string) ([]Run, error) {
	header := []string{"cve", "run", "threads", "trigger_row", "success_row", "attack_end_row", "test_rows", "in_published_41"}
	var runs []Run
	seen := map[string]bool{}
	err := readTable(r, name, header, func(f []string) error {
		run := Run{CVE: f[0]}
		if !cveName.MatchString(run.CVE) {
			return fmt.Errorf("cve: got %.40q, want CVE-year-number", run.CVE)
		}
		for i, to := range map[int]*int{1: &run.Run, 2: &run.Threads, 3: &run.TriggerRow, 4: &run.SuccessRow, 6: &run.TestRows} {
			n, err := strconv.ParseUint(f[i], 10, 31)
			if err != nil {
				return fmt.Errorf("%s: got %.40q, want a whole number", header[i], f[i])
			}
			*to = int(n)
		}
		if key := fmt.Sprintf("%s run %d", run.CVE, run.Run); seen[key] {
			return fmt.Errorf("%s stands twice", key)
		} else {
			seen[key] = true
		}
		if run.TriggerRow < 1 || run.SuccessRow < run.TriggerRow || run.TestRows <= run.SuccessRow {
			return fmt.Errorf("want 0 < trigger_row ≤ success_row < test_rows, got %d, %d, %d", run.TriggerRow, run.SuccessRow, run.TestRows)
		}
		runs = append(runs, run)
		return nil
	})
	return runs, err
}

// ReadPublished reads published_per_run.csv, likewise.
func ReadPublished(r io.Reader, name string) ([]PublishedRun, error) {
	header := []string{"method", "cve", "run", "fpr", "detected", "lead_s"}
	var runs []PublishedRun
	err := readTable(r, name, header, func(f []string) error {
		run := PublishedRun{Method: f[0], CVE: f[1], Detected: f[4] == "1"}
		var err error
		if run.Run, err = strconv.Atoi(f[2]); err != nil {
			return fmt.Errorf("run: got %.40q, want a whole number", f[2])
		}
		if run.FPR, err = strconv.ParseFloat(f[3], 64); err != nil || !(run.FPR >= 0 && run.FPR <= 1) {
			return fmt.Errorf("fpr: got %.40q, want a number in [0,1]", f[3])
		}
		if run.LeadS, err = strconv.ParseFloat(f[5], 64); err != nil || !(run.LeadS >= 0 && run.LeadS < math.MaxInt32) {
			return fmt.Errorf("lead_s: got %.40q, want seconds", f[5])
		}
		if f[4] != "0" && f[4] != "1" {
			return fmt.Errorf("detected: got %.40q, want 0 or 1", f[4])
		}
		runs = append(runs, run)
		return nil
	})
	return runs, err
}

// readTable calls row for each line below the header.
func readTable(r io.Reader, name string, header []string, row func(fields []string) error) error {
	in := csv.NewReader(&bounded{r, maxTableBytes})
	in.FieldsPerRecord = len(header)
	for seen := false; ; seen = true {
		f, err := in.Read()
		var bad *csv.ParseError
		switch {
		case errors.Is(err, io.EOF) && seen:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%s: empty, want a first line %q", name, strings.Join(header, ","))
		case errors.As(err, &bad):
			return fmt.Errorf("%s:%d: %w", name, bad.Line, bad.Err)
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		}
		line, _ := in.FieldPos(0)
		if !seen {
			if got, want := strings.Join(f, ","), strings.Join(header, ","); got != want {
				return fmt.Errorf("%s:%d: header: got %.80q, want %q", name, line, got, want)
			}
			continue
		}
		if err := row(f); err != nil {
			return fmt.Errorf("%s:%d: %w", name, line, err)
		}
	}
}

// readFile opens a table and reads it.
func readFile[T any](path string, read func(io.Reader, string) (T, error)) (T, error) {
	f, err := os.Open(path)
	if err != nil {
		var none T
		return none, err
	}
	defer f.Close()
	return read(f, path)
}

// bounded is a reader that refuses, rather than ends, after left bytes: what was
// cut off must not pass for a whole file.
type bounded struct {
	r    io.Reader
	left int64
}

var errTooLong = errors.New("more bytes than any file of this dataset has")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}

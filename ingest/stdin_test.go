package ingest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Every format that its content alone tells comes through standard input as from a
// file, found or forced; the others, forced.
func TestStandardInput(t *testing.T) {
	here := func(name string) func(*testing.T) []byte {
		return func(t *testing.T) []byte {
			content, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			return content
		}
	}
	shared := func(name string) func(*testing.T) []byte {
		return func(t *testing.T) []byte { return sampleFile(t, name) }
	}
	text := func(s string) func(*testing.T) []byte { return func(*testing.T) []byte { return []byte(s) } }
	samples := map[string]struct {
		name    string // of the file
		content func(*testing.T) []byte
		named   bool // the format is told by the file's name, too
	}{
		"tetragon": {"tetragon.log", here("tetragon/documented.jsonl"), false},
		"falco":    {"falco.log", here("falco/alerts.jsonl"), false},
		"tracee":   {"tracee.log", here("tracee/events.jsonl"), false},
		"scap":     {"x.scap", shared("fixtures/scap/curl_google.scap"), false},
		"auditd":   {"audit.log", here("auditd/raw.log"), false},
		"strace":   {"x", here("strace/calls.strace"), false},
		"beth":     {"x.csv", shared("fixtures/beth/labelled_testing_data.csv"), false},
		"lid-ds":   {"a.sc", here("lidds/2021.sc"), false},
		"adfa-ld":  {"UTD-0001.txt", text(adfaSample), true},
		"unm":      {"sendmail.int", text(unmSample), true},
	}
	for _, src := range Sources() {
		format := src.Format()
		t.Run(format, func(t *testing.T) {
			sample, ok := samples[format]
			if !ok {
				t.Fatal("no sample of the format")
			}
			dir, content := t.TempDir(), sample.content(t)
			opts := ConvertOptions{Host: "h", Sources: Sources()}
			want := convert(t, filepath.Join(dir, "file"), opts, write(t, filepath.Join(dir, sample.name), content)).Rows
			if want == 0 {
				t.Fatal("no rows from the file")
			}
			for _, opts.Format = range []string{"", format} {
				if opts.Format == "" && sample.named {
					continue
				}
				opts.Stdin = bytes.NewReader(content)
				if got := convert(t, filepath.Join(dir, "stdin"+opts.Format), opts, "-").Rows; got != want {
					t.Errorf("--format %q: %d rows, want %d as from the file", opts.Format, got, want)
				}
			}
		})
	}
}

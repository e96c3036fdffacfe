package main

import (
	"archive/zip"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/feature"
	"mayfly/ingest"
	"mayfly/trace"
)

// TestImportLIDDS imports a recording in the dataset's layout: its label must cover
// the container that the recording became, from the exploit on.
func TestImportLIDDS(t *testing.T) {
	dir := t.TempDir()
	from, out := filepath.Join(dir, "from", "test"), filepath.Join(dir, "out")
	if err := os.MkdirAll(from, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(from, "brave_1234.zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, text := range map[string]string{
		"brave_1234.sc": "1631209047000000000 33 7 apache2 7 openat < fd=3(<f>/x) name=/x flags=1(O_RDONLY) mode=0\n" +
			"1631209060000000000 33 7 apache2 7 close < res=0\n",
		"brave_1234.json": `{"exploit":true,"recording_time":40,"time":{"container_ready":{"absolute":1631209040.5},"exploit":[{"absolute":1631209055.25,"name":"sqli","relative":14.75}],"warmup_end":{"absolute":1631209045}}}`,
		"brave_1234.res":  "cpu\n",
	} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if status := run(context.Background(), []string{"datasets", "import", "lid-ds-2021", "--from", filepath.Join(dir, "from"), "-o", out}, nil, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, stderr.String())
	}
	labels, err := feature.OpenLabels(filepath.Join(out, "labels.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if len(labels) != 1 || labels[0].Attack != "sqli" || labels[0].FromNS != 1631209055250000000 || labels[0].ToNS != 1631209085000000000 {
		t.Errorf("labels: %+v", labels)
	}
	tr, err := trace.Open(filepath.Join(out, "trace"))
	if err != nil {
		t.Fatal(err)
	}
	id, name := ingest.StandIn("lid-ds", "brave_1234.sc")
	if !labels[0].Names(id, name) || len(tr.Files(trace.Events)) != 1 {
		t.Errorf("the label is of %s, the recording became %s", labels[0].Container, id)
	}
}

func TestBETHLabels(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.csv")
	text := "timestamp,hostName,evil\n1.0,a.b,1\n1.5,a.b,1\n1.6,c,0\n1.7,c,1\n9.0,a.b,1\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	labels, err := bethLabels(file)
	if err != nil || len(labels) != 3 || labels[0].from != 1e9 || labels[0].to != 1.5e9 || labels[2].from != 9e9 {
		t.Errorf("got %+v, %v", labels, err)
	}
}

// TestImportRealDatasets imports what is at hand beside the repository.
func TestImportRealDatasets(t *testing.T) {
	shared := filepath.Join("..", "..", "..", "shared", "datasets")
	if _, err := os.Stat(shared); err != nil {
		t.Skip("the datasets are not beside the repository: " + err.Error())
	}
	for name, tc := range map[string]struct{ from, want string }{ // ADFA-LD, 5,618 files, takes too long here
		"hids-docker": {"hids-docker-strace", "from 51 files, 26 labels; 0 bad records"},
	} {
		out := filepath.Join(t.TempDir(), "out")
		var stdout, stderr bytes.Buffer
		status := run(context.Background(), []string{"datasets", "import", name, "--from", filepath.Join(shared, tc.from), "-o", out}, nil, &stdout, &stderr)
		if status != 0 || !strings.Contains(stderr.String(), tc.want) {
			t.Errorf("%s: status %d, %s, want %s", name, status, stderr.String(), tc.want)
		}
		if _, err := feature.OpenLabels(filepath.Join(out, "labels.csv")); err != nil {
			t.Error(err)
		}
		if _, err := trace.Open(filepath.Join(out, "trace")); err != nil {
			t.Error(err)
		}
	}
}

package datasets_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/datasets"
)

func TestEveryDatasetIsDescribed(t *testing.T) {
	for _, d := range datasets.All() {
		if d.Name == "" || d.Source == "" || d.Licence == "" || d.Labels == "" || d.Protocol == "" || len(d.Published) == 0 {
			t.Errorf("dataset %q lacks a description: %+v", d.Name, d)
		}
		for _, f := range d.Files {
			if len(f.SHA256) != 64 || filepath.IsAbs(f.Path) {
				t.Errorf("dataset %q: file %+v", d.Name, f)
			}
		}
		if got, ok := datasets.Lookup(d.Name); !ok || got.Title != d.Title {
			t.Errorf("lookup %q: got %q, %v", d.Name, got.Title, ok)
		}
	}
	if _, ok := datasets.Lookup("no-such"); ok {
		t.Error("lookup of a name that is none: got a dataset")
	}
}

func TestDockerCVEFiles(t *testing.T) {
	d, _ := datasets.Lookup("docker-cve")
	if len(d.Files) != 30 {
		t.Errorf("files: got %d, want 28 of windows and 2 tables", len(d.Files))
	}
	dir := filepath.Join("..", "..", "shared", "datasets", "docker-cve")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("docker-cve is not beside the project: " + err.Error())
	}
	if err := d.Verify(dir, nil); err != nil {
		t.Error(err)
	}
}

func TestADFALDFile(t *testing.T) {
	d, _ := datasets.Lookup("adfa-ld")
	dir := filepath.Join("..", "..", "shared", "datasets", "adfa-ld")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("adfa-ld is not beside the project: " + err.Error())
	}
	if err := d.Verify(dir, nil); err != nil {
		t.Error(err)
	}
}

func TestVerifyNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	d := datasets.Dataset{Name: "x", Files: []datasets.File{{Path: "a.csv", SHA256: strings.Repeat("0", 64)}}}
	if err := d.Verify(dir, nil); err == nil || !strings.Contains(err.Error(), "a.csv") {
		t.Errorf("missing file: got %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.csv"), []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	read := int64(0)
	if err := d.Verify(dir, func(n int64) { read += n }); err == nil || !strings.Contains(err.Error(), "a.csv: sha256: got 6b86b273") || read != 1 {
		t.Errorf("changed file: got %v after %d bytes, want its sum after 1", err, read)
	}
}

package notebooks

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNotebooks executes each notebook from its first cell to its last, as a person
// would: with GoNB and goimports for Go, and Python's own kernel for the others.
func TestNotebooks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	for _, program := range []string{"jupyter", "gonb", "goimports"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("MAYFLY_TEST_MUST_RUN") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	repository, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "JUPYTER_DATA_DIR="+dir, "MAYFLY_REPO="+repository, "MAYFLY_DEMO="+filepath.Join(dir, "demo-out"), "TMPDIR="+dir, "GOFLAGS=-mod=mod")
	if data, err := filepath.Abs("../../shared/datasets/adfa-ld"); err == nil {
		if _, err := os.Stat(data); err == nil {
			env = append(env, "MAYFLY_DATA="+data)
		}
	}
	run := func(name string, args ...string) {
		t.Helper()
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
		defer stop()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Env, cmd.WaitDelay = env, time.Second
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out.String())
		}
	}
	kernel := filepath.Join(dir, "kernels", "gonb") // what gonb --install writes, which wants gopls besides
	if err := os.MkdirAll(kernel, 0o755); err != nil {
		t.Fatal(err)
	}
	spec := `{"argv": ["gonb", "--kernel", "{connection_file}", "--logtostderr"], "display_name": "Go (gonb)", "language": "go"}`
	if err := os.WriteFile(filepath.Join(kernel, "kernel.json"), []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	run("go", "run", "../cmd/mayfly", "demo", "-o", filepath.Join(dir, "demo-out"))
	notebooks, err := filepath.Glob("*.ipynb")
	if err != nil || len(notebooks) < 5 {
		t.Fatalf("notebooks %q, %v", notebooks, err)
	}
	for _, notebook := range notebooks {
		t.Run(notebook, func(t *testing.T) {
			run("jupyter", "nbconvert", "--to", "notebook", "--execute", "--ExecutePreprocessor.timeout=480", "--output-dir", filepath.Join(dir, "executed"), notebook)
			content, err := os.ReadFile(filepath.Join(dir, "executed", notebook))
			if err != nil {
				t.Fatal(err)
			}
			for _, bad := range []string{`"output_type": "error"`, "panic:", "undefined:"} {
				if bytes.Contains(content, []byte(bad)) {
					t.Errorf("%s: %s in what its cells print", notebook, bad)
				}
			}
		})
	}
}

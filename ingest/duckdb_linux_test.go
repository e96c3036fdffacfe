package ingest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// duckDB returns what asks DuckDB a question about files, on one thread, and says how
// much processor time that took, that of its start left out: mayfly-query, which has
// DuckDB in it. Where that cannot be built the benchmark is skipped.
func duckDB(b *testing.B) func(question string, paths ...string) time.Duration {
	b.Helper()
	program := filepath.Join(b.TempDir(), "mayfly-query")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "query")
	if out, err := build.CombinedOutput(); err != nil {
		b.Skipf("mayfly-query cannot be built here: %v: %s", err, out)
	}
	ask := func(question string, paths ...string) time.Duration {
		cmd := exec.Command(program, append([]string{"--threads", "1", "-o", "csv", question}, paths...)...)
		var errs strings.Builder
		cmd.Stderr = &errs
		if err := cmd.Run(); err != nil {
			b.Fatalf("%s: %v: %s", question, err, errs.String())
		}
		used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		return time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	return func(question string, paths ...string) time.Duration {
		return ask(question, paths...) - ask("SELECT 1", paths[:1]...)
	}
}

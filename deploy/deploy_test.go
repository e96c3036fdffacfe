package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"mayfly/record/dockertest"
)

// mostExposed is what systemd-analyze may find at most, from 0 (nothing) to 10.
const mostExposed = 2.5

// TestUnit has systemd read the unit, and weigh how much it could do.
func TestUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		dockertest.Cannot(t, "systemd-analyze: not installed (systemd)")
	}
	text, err := os.ReadFile("systemd/mayfly.service")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable() // a program that is there, unlike mayfly
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "mayfly.service")
	text = bytes.ReplaceAll(text, []byte("/usr/local/bin/mayfly"), []byte(self))
	if err := os.WriteFile(unit, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", unit).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, out)
	}
	found := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
	if found == nil {
		t.Fatalf("no level in:\n%s", out)
	}
	if level, err := strconv.ParseFloat(string(found[1]), 64); err != nil || level > mostExposed {
		t.Errorf("exposure level: got %s, want at most %v\n%s", found[1], mostExposed, out)
	}
}

package record

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestExamine wants an answer to each question, with or without privileges.
func TestExamine(t *testing.T) {
	found := Examine(t.Context(), DoctorOptions{Dir: filepath.Join(t.TempDir(), "a", "b")})
	got := map[string]Finding{}
	for _, f := range found {
		if f.Check == "" || f.Says == "" || f.Level == "" {
			t.Errorf("%+v says nothing", f)
		}
		if (f.Level == LevelFail || f.Level == LevelPartial) && f.Fix == "" {
			t.Errorf("%+v: no word of what to do", f)
		}
		got[f.Check] = f
	}
	for _, check := range []string{"kernel", "capabilities", "ring buffer", "LSM", "cgroups", "container runtimes", "clock", "limits", "other recorders"} {
		if _, ok := got[check]; !ok {
			t.Errorf("nothing of %s", check)
		}
	}
	if f := got["trace directory"]; f.Level != LevelOK && f.Level != LevelPartial {
		t.Errorf("a directory to be made: got %+v", f)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if found := Examine(ended, DoctorOptions{}); len(found) != 0 {
		t.Errorf("after its context ended: got %d findings", len(found))
	}
}

func TestExamineDirectory(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := errorsOf(os.Mkdir(open, 0o700), os.Chmod(open, 0o755)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]Level{file: LevelFail, filepath.Join(file, "below"): LevelFail, open: LevelNote, "": LevelNote} {
		if got := lookAtDirectory(t.Context(), DoctorOptions{Dir: path})[0]; got.Level != want {
			t.Errorf("%s: got %+v, want %s", path, got, want)
		}
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestRecords(t *testing.T) {
	for argv, want := range map[string]bool{"mayfly\x00record\x00-o\x00trace\x00": true, "/bin/mayfly\x00ingest\x00record\x00": false, "mayfly\x00": false, "": false} {
		if got := records("mayfly", argv); got != want {
			t.Errorf("%q: got %v, want %v", argv, got, want)
		}
	}
	if !records("falco", "falco\x00") {
		t.Error("falco: got false, want true")
	}
}

func TestWorst(t *testing.T) {
	if got := Worst([]Finding{{Level: LevelOK}, {Level: LevelPartial}, {Level: LevelNote}}); got != LevelPartial {
		t.Errorf("got %s, want %s", got, LevelPartial)
	}
}

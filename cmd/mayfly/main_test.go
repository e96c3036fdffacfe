package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"a\nb\x1b[2J\u202e.parquet: no such file": `a; b\x1b[2J\u202e.parquet: no such file`,
		"größer als 3 µs":                         "größer als 3 µs",
		"\xff\x00":                                "�" + `\x00`,
	} {
		if got := oneLine(errors.New(text)); got != want {
			t.Errorf("oneLine(%q): got %q, want %q", text, got, want)
		}
	}
}

// TestErrorsAreOneLine gives each command a name that would forge a line.
func TestErrorsAreOneLine(t *testing.T) {
	const name = "none\nmayfly: all is well\x1b[2J"
	for _, args := range [][]string{
		{name},
		{"ingest", name, "-o", "x"},
		{"train", name, "-o", "x"},
		{"train", name, "-o", "x", "--labels", name},
		{"evaluate", name, name},
		{"replay", name, name},
		{"rules", name, "-o", "x"},
		{"rules", "--profile", name, "-o", "x"},
		{"version", "--" + name},
	} {
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
		got := stderr.String()
		if status == 0 || strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "mayfly: ") || strings.Contains(got, "\x1b") {
			t.Errorf("%q: got exit status %d and %q, want one line", args, status, got)
		}
	}
}

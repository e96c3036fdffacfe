package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"mayfly/detector"
	"mayfly/trace"
)

// attacked is the first finding of a recorded attack, with what it was found in.
func attacked(t *testing.T) (*detector.Finding, *detector.Detector, []*trace.Trace) {
	t.Helper()
	d := trained(t)
	dir := filepath.Join(t.TempDir(), "attack")
	recorded(t, dir, 7, 2, 60, 40, 10)
	traces := []*trace.Trace{open(t, dir)}
	var out bytes.Buffer
	if _, err := Run(context.Background(), d, traces, Options{Output: &out}); err != nil {
		t.Fatal(err)
	}
	for _, f := range findings(t, out.Bytes()) {
		if len(f.Mayfly.New) > 0 && len(f.Mayfly.Ancestry) > 0 {
			return &f, d, traces
		}
	}
	t.Fatal("no finding of the attack")
	return nil, nil, nil
}

func TestStoryTellsWhatHappened(t *testing.T) {
	f, d, traces := attacked(t)
	s, err := Explain(context.Background(), f, d, traces)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(s.Steps, func(a, b Step) int { return int(a.TimeNS - b.TimeNS) }) {
		t.Error("steps are not in the order of time")
	}
	if !slices.ContainsFunc(s.Steps, func(step Step) bool { return step.New }) {
		t.Errorf("no step is new in %+v, though the finding names %q", s.Steps, f.Mayfly.New)
	}
	for i, p := range s.Processes {
		if p.Depth > 0 && !slices.ContainsFunc(s.Processes[:i], func(b Branch) bool { return b.PID == p.PPID && b.Depth == p.Depth-1 }) {
			t.Errorf("process %d stands below nobody in %+v", p.PID, s.Processes)
		}
	}
	if len(s.Processes) == 0 || len(s.Usual) == 0 || len(s.Rules) == 0 || len(s.Advice) == 0 || len(s.Notes) > 1 {
		t.Errorf("%d processes, %d usual, rules %q, advice %q, notes %q", len(s.Processes), len(s.Usual), s.Rules, s.Advice, s.Notes)
	}
}

func TestStoryWithoutTraceRestsOnTheFinding(t *testing.T) {
	f, _, _ := attacked(t)
	s, err := Explain(context.Background(), f, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Steps) != len(f.Mayfly.Evidence) || len(s.Processes) != len(f.Mayfly.Ancestry) || len(s.Notes) < 2 {
		t.Errorf("%d steps of %d rows, %d processes of %d, notes %q", len(s.Steps), len(f.Mayfly.Evidence), len(s.Processes), len(f.Mayfly.Ancestry), s.Notes)
	}
}

// What an attacker named moves no cursor of whoever reads the story.
func TestStoryObeysNobody(t *testing.T) {
	f, d, _ := attacked(t)
	const evil = "\x1b[2J\u202e\u0007x"
	f.Hostname, f.Priority, f.Output = evil, evil, evil
	f.OutputFields = map[string]any{"container.name": evil, "container.image": evil, "k8s.pod.name": evil}
	f.Mayfly.New = []string{"exec " + evil, "write " + evil, "connect " + evil, "priv " + evil}
	f.Mayfly.Ancestry = []detector.Process{{PID: 1, Exe: evil, Argv: []string{evil}}}
	f.Mayfly.Calls = []detector.Reason{{Name: evil}}
	s, err := Explain(context.Background(), f, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.WriteText(&out, true); err != nil {
		t.Fatal(err)
	}
	for _, r := range out.String() {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%q reaches the terminal:\n%q", r, out.String())
		}
	}
	if _, err := json.Marshal(s); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), `\x1b[2J`) {
		t.Error("the name is not told at all")
	}
}

func TestUsualStepsGiveWayToNewOnes(t *testing.T) {
	s := &Story{}
	for i := range maxSteps + 10 {
		s.step(Step{TimeNS: int64(i), Text: strings.Repeat("a", i%7+1), Usual: true, Times: 1})
	}
	s.step(Step{TimeNS: 1 << 30, Text: "attack", New: true, Times: 1})
	if len(s.Steps) != maxSteps || s.Steps[maxSteps-1].Text != "attack" || s.More != 11 {
		t.Errorf("%d steps, last %+v, %d more", len(s.Steps), s.Steps[len(s.Steps)-1], s.More)
	}
}

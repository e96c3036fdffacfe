package record

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mayfly/record/redact"
	"mayfly/trace"
)

func testRedactor(t testing.TB) *redact.Redactor {
	t.Helper()
	r, err := redact.New(redact.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHideSecrets(t *testing.T) {
	argv := []string{"mysql", "-phunter2"}
	labels := []string{"a=b", "db.password=hunter2"}
	b := &batch{
		events:     []trace.Event{{Argv: argv}, {Kind: string(trace.Exit)}},
		processes:  []trace.Process{{Argv: argv}},
		containers: []trace.Container{{Entrypoint: []string{"env", "API_TOKEN=hunter2"}, Cmd: argv, Labels: labels}},
	}
	if n := b.hideSecrets(nil); n != 0 || b.events[0].Argv[1] != "-phunter2" {
		t.Errorf("without a redactor: %d words, %q", n, b.events[0].Argv)
	}
	if n := b.hideSecrets(testRedactor(t)); n != 5 {
		t.Errorf("got %d words, want 5", n)
	}
	c := b.containers[0]
	for _, words := range [][]string{b.events[0].Argv, b.processes[0].Argv, c.Entrypoint, c.Cmd, c.Labels} {
		if len(words) != 2 || strings.Contains(strings.Join(words, " "), "hunter2") {
			t.Errorf("got %q", words)
		}
	}
	if !slices.Equal(argv, []string{"mysql", "-phunter2"}) || labels[1] != "db.password=hunter2" {
		t.Errorf("rows that others hold were changed: %q %q", argv, labels)
	}
}

// TestSecretsOnDisk records a program with a secret in its arguments, one that
// runs already, and looks for the secret in the rows.
func TestSecretsOnDisk(t *testing.T) {
	const secret = "xyzzy-hunter2-plugh"
	mustRecord(t)
	_, cgroup := fakeContainer(t)
	before := inCgroup(t, cgroup, "wait")
	before.Args = append(before.Args, "--password="+secret)
	stdin, err := before.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := before.Start(); err != nil {
		t.Fatal(err)
	}
	rec := startRecording(t, func(o *Options) { o.Redact = testRedactor(t) })
	during := inCgroup(t, cgroup, "exit:0")
	during.Args = append(during.Args, "--token", secret)
	if err := during.Run(); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	_ = before.Wait()
	tr := rec.end()
	marked := 0
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		if slices.Contains(e.Argv, redact.Mark) {
			marked++
		}
	}
	if marked == 0 || rec.summary.Redacted == 0 {
		t.Errorf("%d events are marked, %d words redacted; want some", marked, rec.summary.Redacted)
	}
	rows := fmt.Sprint(rowsOf[trace.Event](t, tr, trace.Events), rowsOf[trace.Process](t, tr, trace.Processes))
	if strings.Contains(rows, secret) {
		t.Errorf("the secret is in the trace:\n%s", rows)
	}
	for _, p := range rowsOf[trace.Process](t, tr, trace.Processes) {
		if p.PID == int32(before.Process.Pid) && !slices.Contains(p.Argv, "--password="+redact.Mark) {
			t.Errorf("the program that ran before: got argv %q", p.Argv)
		}
	}
}

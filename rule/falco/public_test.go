package falco

import (
	"context"
	"slices"
	"strings"
	"testing"

	"mayfly/trace"
)

// publicRules are rules of our own with the constructs that Falco's published rule set
// has and constructs.yaml has not: how values are quoted there, lists and macros that
// come again, and types and fields that a trace lacks.
const publicRules = `
- required_engine_version: 26
- macro: never
  condition: (evt.num=0)
- macro: spawned
  condition: (evt.type in (execve, execveat) and evt.dir=<)
- list: command_lines
  items: [
    '"sh -c uname -p 2> /dev/null"',
    '"sh -c node -e \"require(''nan'')\""',
    '"sh -c node -e \"require(''nan'')\")"',
    '"sh -c date +%%s"'
    ]
- list: starters
  items: [docker, "runc:[1:CHILD]", '"(systemd)"', '"75-update"', in.proftpd]
- list: none
  items: []
- list: nets
  items: ['"10.0.0.0/8"']
- list: nets
  items: ['"192.168.0.0/16"']
- macro: entry
  condition: (not proc.pname exists or proc.pname in (runc:[0:PARENT], runc:[1:CHILD], starters))
- macro: far
  condition: (never and (proc.pname=node and proc.aname[3]=x))
- rule: Known command lines
  desc: >
    folded
  condition: >
    spawned and proc.cmdline in (command_lines) and not proc.exepath in (none)
    and not far
  enabled: true
  output: o
  priority:
    WARNING
- rule: Unknown ones
  desc: d
  condition: spawned and not proc.cmdline in (command_lines) and not proc.name in (shells_of_somebody, starters,
     google_
     )
  output: o
  priority: NOTICE
- rule: Written with a blank
  desc: d
  condition: spawned and (proc.cmdline= "sh -c uname -p 2> /dev/null" or proc.cmdline startswith "sh -c node -e \"require" )
  output: o
  priority: NOTICE
- rule: Grown old
  desc: d
  condition: spawned and proc.duration <= 5000000000 and proc.aname[5] in (a,b)
  output: o
  priority: INFO
- rule: At the entry
  desc: d
  condition: spawned and entry
  output: o
  priority: INFO
- rule: Out
  desc: d
  condition: >
    (((evt.type = connect and evt.dir=<) or
      (evt.type in (sendto,sendmsg) and evt.dir=< and
       fd.l4proto != tcp and fd.connected=false and fd.name_changed=true)) and
     (fd.typechar = 4 or fd.typechar = 6) and
     (fd.ip != "0.0.0.0" and fd.net != "127.0.0.0/8" and not fd.snet in (nets)) and
     (evt.rawres >= 0 or evt.res = EINPROGRESS))
  output: o
  priority: NOTICE
- rule: Raw paths
  desc: d
  condition: evt.type=openat and fd.nameraw contains '../' and fd.nameraw glob '*../*../*'
  output: o
  priority: NOTICE
- rule: A redirected descriptor
  desc: d
  condition: evt.type in (dup, dup2, dup3) and evt.rawres in (0, 1, 2) and fd.type in ("ipv4", "ipv6") and fd.types[0] in (ipv4)
  output: o
  priority: NOTICE
- rule: A packet socket
  desc: d
  condition: evt.type=socket and evt.arg[0] contains AF_PACKET
  output: o
  priority: NOTICE
- rule: A capability
  desc: d
  condition: evt.type in (init_module, finit_module) and thread.cap_effective icontains sys_module
  output: o
  priority: NOTICE
- rule: A call that begins
  desc: d
  condition: evt.type=ptrace and evt.dir=> and evt.arg.request contains PTRACE_ATTACH
  output: o
  priority: NOTICE
`

func TestPublicConstructs(t *testing.T) {
	program := compile(t, publicRules)
	var w writer
	spawn := func(name string, argv ...string) {
		w.event(trace.Exec, 10, 1, func(e *trace.Event) { e.Path, e.Exe, e.Comm, e.Argv = "/bin/x", "/bin/x", name, argv })
	}
	spawn("sh", "sh", "-c", "uname -p 2> /dev/null")
	spawn("sh", "sh", "-c", `node -e "require('nan')"`)
	spawn("sh", "sh", "-c", "date +%%s")
	spawn("75-update", "sh", "-c", "other")
	spawn("ls", "ls")
	connect := func(addr string, ret int64) {
		w.event(trace.Connect, 10, 1, func(e *trace.Event) {
			e.Family, e.Addr, e.Port, e.LocalAddr, e.LocalPort, e.Ret = "inet", addr, new(int64(443)), "172.17.0.2", new(int64(40000)), new(ret)
		})
	}
	connect("10.0.0.1", 0) // of the list's first form, which the second replaced
	connect("192.168.0.1", 0)
	connect("203.0.113.1", -115)
	connect("203.0.113.1", -111)
	watch, tr := NewWatch(program), w.trace(t)
	if err := watch.Running(context.Background(), tr); err != nil {
		t.Fatal(err)
	}
	got := make([][]byte, len(program.Rules))
	for row, err := range trace.Merge(context.Background(), tr) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i] = append(got[i], 'n')
		}
		for _, hit := range watch.Row(&row, watch.Scope(web)) {
			got[hit.Rule][len(got[hit.Rule])-1] = "y?"[map[bool]int{true: 1}[hit.Unsure]]
		}
	}
	want := map[string]string{ // verdict, and for each event whether it fires
		"Known command lines":     "evaluated yyynn nnnn",
		"Unknown ones":            "evaluated nnnny nnnn",
		"Written with a blank":    "evaluated yynnn nnnn",
		"Grown old":               "evaluated nnnnn nnnn",
		"At the entry":            "evaluated ????? nnnn",
		"Out":                     "partly nnnnn ynyn",
		"Raw paths":               "not evaluated nnnnn nnnn",
		"A redirected descriptor": "not evaluated nnnnn nnnn",
		"A packet socket":         "not evaluated nnnnn nnnn",
		"A capability":            "not evaluated nnnnn nnnn",
		"A call that begins":      "not evaluated nnnnn nnnn",
	}
	for i, r := range program.Rules {
		line := string(r.Verdict) + " " + string(got[i][:5]) + " " + string(got[i][5:])
		if line != want[r.Name] {
			t.Errorf("%s: got %q, want %q; missing: %s", r.Name, line, want[r.Name], strings.Join(r.Missing, "; "))
		}
		if untried := r.Verdict == Untried; untried && (len(r.Missing) == 0 || slices.Contains(r.Missing, "")) {
			t.Errorf("%s: not evaluated, and not said why", r.Name)
		}
	}
}

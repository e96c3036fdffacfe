package ingest

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"mayfly/trace"
)

// base makes what every event has: who did it, and when.
func (t *tetragonReader) base(ns int64) *trace.Event {
	t.numbers.reset()
	p := &t.self
	e := &t.programs.event
	*e = trace.Event{TimeNS: ns, ContainerID: t.containerID(p), PID: p.pid, TID: p.tid, Exe: p.binary}
	if e.TID == 0 {
		e.TID = p.pid // older versions say the process only
	}
	began, _ := parseTime(p.start)
	if ktime, ok := execTime(p.execID); ok {
		e.StartNS = ktime
		if began != 0 {
			e.BootNS = ns - began + ktime
		}
	}
	switch {
	case p.hasEUID:
		e.UID = t.numbers.keep(p.euid)
	case p.hasUID:
		e.UID = t.numbers.keep(p.uid)
	}
	if p.hasEGID {
		e.GID = t.numbers.keep(p.egid)
	}
	e.PPID = t.parent.pid
	if t.parent.pid == p.pid { // the same process before its exec
		before := t.programs.of(t.parent.execID)
		e.PPID = before.PPID
		e.StartNS = cmp.Or(before.StartNS, e.StartNS)
	} else if before := t.programs.of(p.execID); before.StartNS != 0 {
		e.PPID, e.StartNS = cmp.Or(before.PPID, e.PPID), before.StartNS
	}
	return e
}

// containerID is the whole id where the pod's container says it, else what
// "docker" has of it: 31 digits at most.
func (t *tetragonReader) containerID(p *tetragonProcess) string {
	if p.pod.id != "" {
		id := p.pod.id
		if _, after, ok := strings.Cut(id, "://"); ok {
			id = after
		}
		if p.docker != "" && len(t.full) < 1<<16 {
			if _, ok := t.full[p.docker]; !ok {
				t.full[strings.Clone(p.docker)] = strings.Clone(id)
			}
		}
		return id
	}
	if id, ok := t.full[p.docker]; ok {
		return id
	}
	return p.docker
}

// container gives a row of a container that was not seen before.
func (t *tetragonReader) container(host string, ns int64, id string) error {
	pod := &t.self.pod
	if id == "" || pod.id == "" || t.known[id] {
		return nil
	}
	if len(t.known) >= 1<<16 {
		clear(t.known)
	}
	t.known[strings.Clone(id)] = true
	runtime, _, found := strings.Cut(pod.id, "://")
	if !found {
		runtime = ""
	}
	c := &trace.Container{TimeNS: ns, ContainerID: id, Runtime: runtime, Name: pod.container, Image: pod.image, Pod: pod.name,
		PodNamespace: pod.namespace, PodUID: pod.uid, Facts: trace.FactsPartial, Labels: slices.Sorted(slices.Values(pod.labels))}
	if _, after, ok := strings.Cut(pod.imageID, "@"); ok {
		c.ImageDigest = after
	} else if strings.HasPrefix(pod.imageID, "sha256:") {
		c.ImageID = pod.imageID
	}
	if pod.workload != "" && pod.workloadKind != "" {
		c.Owner = pod.workloadKind + "/" + pod.workload
	}
	if pod.hasPrivileged {
		c.Privileged = &pod.privileged
	}
	if began, ok := parseTime(pod.start); ok {
		c.StartedNS = &began
	}
	return t.out.Container(host, c)
}

func (t *tetragonReader) exec(host string, e *trace.Event) error {
	p := &t.self
	e.Kind, e.Path, e.Ret = string(trace.Exec), p.binary, t.numbers.keep(0)
	t.argv = splitCommand(append(t.argv[:0], p.binary), p.arguments)
	e.Argv, e.ArgvCut = t.argv, hasWord(p.flags, "truncArgs")
	if !hasWord(p.flags, "nocwd") && !hasWord(p.flags, "errorCWD") {
		e.Cwd = p.cwd
	}
	if t.parent.pid == p.pid {
		if err := t.programs.replaced(t.parent.execID, e.TimeNS); err != nil {
			return err
		}
	}
	if err := t.programs.began(host, p.execID, e); err != nil {
		return err
	}
	if hasWord(p.flags, "procFS") { // it ran already when Tetragon came
		return nil
	}
	return t.out.Event(host, e)
}

func (t *tetragonReader) exit(host string, e *trace.Event) error {
	p := &t.self
	status := t.status<<8&0xff00 | signals[t.signal]
	e.Kind, e.Arg = string(trace.Exit), t.numbers.keep(status)
	if err := t.out.Event(host, e); err != nil {
		return err
	}
	end := *e
	t.argv = splitCommand(append(t.argv[:0], p.binary), p.arguments)
	end.Argv, end.Cwd = t.argv, p.cwd
	if began, ok := parseTime(p.start); ok {
		end.TimeNS, end.BootNS = began, 0
		end.BootNS, _ = execTime(p.execID)
	}
	return t.programs.ended(host, p.execID, &end, e.TimeNS, status)
}

// throttled tells that events of a cgroup are left out from now on, or no more.
func (t *tetragonReader) throttled(host string, ns int64) error {
	t.numbers.reset()
	e := &trace.Event{TimeNS: ns, Kind: string(trace.Throttle), Path: trace.LossSecurity, ContainerID: cgroupContainer(t.cgroup)}
	switch t.throttle {
	case "THROTTLE_START":
		e.Arg = t.numbers.keep(1)
	case "THROTTLE_STOP":
		e.Arg = t.numbers.keep(0)
	}
	return t.out.Event(host, e)
}

// cgroupContainer finds the id of a container in the name of its cgroup.
func cgroupContainer(cgroup string) string {
	run := 0
	for i := range len(cgroup) {
		if c := cgroup[i]; c >= '0' && c <= '9' || c >= 'a' && c <= 'f' {
			if run++; run == 64 && (i+1 == len(cgroup) || !isHex(cgroup[i+1])) {
				return cgroup[i-63 : i+1]
			}
		} else {
			run = 0
		}
	}
	return ""
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' }

// execTime returns the ns since boot that an exec_id has: it is the node's name,
// that time and the pid, with colons, in base64.
func execTime(id string) (ns int64, ok bool) {
	var buf [256]byte
	if len(id) == 0 || base64.StdEncoding.DecodedLen(len(id)) > len(buf) {
		return 0, false
	}
	n, err := base64.StdEncoding.Decode(buf[:], []byte(id))
	if err != nil {
		return 0, false
	}
	text := view(buf[:n])
	last := strings.LastIndexByte(text, ':')
	if last < 0 {
		return 0, false
	}
	before := strings.LastIndexByte(text[:last], ':')
	if before < 0 {
		return 0, false
	}
	u, err := strconv.ParseUint(text[before+1:last], 10, 63)
	return int64(u), err == nil && u > 0
}

// splitCommand takes a command line apart as Tetragon puts it together: by
// spaces, and what has a space inside, or is empty, in double quotes. An argument
// that holds quotes itself cannot be told from that.
func splitCommand(argv []string, line string) []string {
	for line != "" {
		if line[0] == '"' {
			if end := strings.Index(line[1:], `" `); end >= 0 {
				argv, line = append(argv, line[1:1+end]), line[end+3:]
				continue
			}
			if len(line) > 1 && line[len(line)-1] == '"' {
				return append(argv, line[1:len(line)-1])
			}
		}
		word, rest, _ := strings.Cut(line, " ")
		argv, line = append(argv, word), rest
	}
	return argv
}

// hasWord reports whether a list with spaces has a word.
func hasWord(list, word string) bool {
	for rest := list; rest != ""; {
		var w string
		if w, rest, _ = strings.Cut(rest, " "); w == word {
			return true
		}
	}
	return false
}

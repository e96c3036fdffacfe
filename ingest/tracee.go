package ingest

import (
	"bytes"
	"context"
	"strings"

	"mayfly/trace"
)

// Tracee reads the JSON output of Tracee (--output json), one event each: as of
// versions 0.8 to 0.23 (types/trace/trace.go of aquasecurity/tracee; the examples
// of its documentation), and the structure that came after (v1beta1.Event:
// workload, data).
type Tracee struct{}

// Format is "tracee".
func (Tracee) Format() string { return "tracee" }

// Sniff finds the fields that every event has.
func (Tracee) Sniff(_ string, head []byte) bool {
	return contains(head, `"eventName"`) && contains(head, `"argsNum"`) && contains(head, `"hostProcessId"`) || beginsLikeWorkload(head)
}

func contains(head []byte, text string) bool { return bytes.Contains(head, []byte(text)) }

// Read decodes events.
func (Tracee) Read(ctx context.Context, in *Input, out *Sink) error {
	t := &traceeReader{in: in, out: out, known: map[string]bool{}, programs: newPrograms(out)}
	err := readJSON(ctx, in, out, t.parse, t.rows)
	if endErr := t.programs.end(); err == nil {
		err = endErr
	}
	return err
}

// traceeReader is one file being read; texts are views of the scanner's buffer.
type traceeReader struct {
	in  *Input
	out *Sink

	time                    int64
	hasTime                 bool
	name, comm, exe         string
	began, cgroup           int64
	pid, tid, ppid          int32
	inside                  int32 // pid as the process's own namespace has it
	uid, cpu, ret           int64
	hasUID, hasCPU, hasRet  bool
	compat                  bool
	container, cname, image string
	digest                  string
	pod, namespace, podUID  string
	args                    []traceeArg
	known                   map[string]bool // containers that a row was given of
	programs                *programs
	numbers
	argv []string
	key  []byte
}

// traceeArg is one of args.
type traceeArg struct {
	name   string
	text   string // a text, or flags by name
	number int64
	has    bool // number is there
	list   []string
	addr   traceeAddr
}

// traceeAddr is a sockaddr.
type traceeAddr struct{ family, ip, port, path string }

func (t *traceeReader) parse(j *jsonScan) {
	*t = traceeReader{in: t.in, out: t.out, args: t.args[:0], known: t.known, programs: t.programs, argv: t.argv, key: t.key}
	var seen uint64
	for key := range j.fields {
		switch key {
		case "timestamp":
			j.once(&seen, 0, "timestamp")
			t.time, t.hasTime = parseWhen(j, key)
		case "eventName", "name":
			j.once(&seen, 1, "name")
			t.name = j.str(key)
		case "processName":
			t.comm = j.str("processName")
		case "executable":
			t.exe = parseNamed(j, "path")
		case "threadStartTime":
			t.began, _ = j.integer(key)
		case "cgroupId":
			t.cgroup, _ = j.integer("cgroupId")
		case "hostProcessId":
			j.once(&seen, 2, "hostProcessId")
			t.pid = j.int32("hostProcessId")
		case "hostThreadId":
			t.tid = j.int32("hostThreadId")
		case "hostParentProcessId":
			t.ppid = j.int32("hostParentProcessId")
		case "userId":
			t.uid, t.hasUID = j.integer("userId")
		case "processorId":
			t.cpu, t.hasCPU = j.integer("processorId")
		case "returnValue":
			t.ret, t.hasRet = j.integer("returnValue")
		case "containerId":
			if id := j.str("containerId"); id != "" {
				t.container = id
			}
		case "containerName":
			t.cname = j.str("containerName")
		case "containerImage":
			t.image = j.str("containerImage")
		case "podName":
			t.pod = j.str("podName")
		case "podNamespace":
			t.namespace = j.str("podNamespace")
		case "podUID":
			t.podUID = j.str("podUID")
		case "container":
			t.parseContainer(j)
		case "kubernetes":
			t.parseKubernetes(j)
		case "contextFlags":
			t.parseContext(j)
		case "args", "data":
			j.once(&seen, 3, key)
			t.parseArgs(j)
			t.returned()
		case "workload":
			j.once(&seen, 4, key)
			t.parseWorkload(j)
		default:
			j.skip()
		}
	}
}

// parseNamed returns one text of an object.
func parseNamed(j *jsonScan, name string) (text string) {
	for key := range j.fields {
		if key == name {
			text = j.str(name)
		} else {
			j.skip()
		}
	}
	return text
}

func (t *traceeReader) parseContainer(j *jsonScan) {
	for key := range j.fields {
		switch key {
		case "id":
			if id := j.str("id"); id != "" {
				t.container = id
			}
		case "name":
			t.cname = j.str("name")
		case "image":
			t.parseImage(j)
		case "imageDigest":
			t.digest = j.str("imageDigest")
		default:
			j.skip()
		}
	}
}

func (t *traceeReader) parseKubernetes(j *jsonScan) {
	for key := range j.fields {
		switch key {
		case "podName":
			t.pod = j.str("podName")
		case "podNamespace":
			t.namespace = j.str("podNamespace")
		case "podUID":
			t.podUID = j.str("podUID")
		default:
			j.skip()
		}
	}
}

func (t *traceeReader) parseContext(j *jsonScan) {
	for key := range j.fields {
		if key == "isCompat" {
			t.compat, _ = j.boolean("isCompat")
		} else {
			j.skip()
		}
	}
}

func (t *traceeReader) parseArgs(j *jsonScan) {
	if j.peek() == 'n' {
		j.skip()
		return
	}
	for range j.elements {
		t.args = append(t.args, traceeArg{})
		t.args[len(t.args)-1].parse(j)
	}
}

func (a *traceeArg) parse(j *jsonScan) {
	for key := range j.fields {
		switch key {
		case "name":
			a.name = j.str("name")
		case "value", "str", "int32", "int64", "u_int32", "uInt32", "u_int64", "uInt64", "bool", "sockaddr":
			a.parseValue(j)
		case "str_array", "strArray":
			for key := range j.fields {
				if key == "value" {
					a.parseValue(j)
				} else {
					j.skip()
				}
			}
		default:
			j.skip()
		}
	}
}

func (a *traceeArg) parseValue(j *jsonScan) {
	switch c := j.peek(); {
	case c == '"':
		a.text = j.str("value")
	case c == '-' || c >= '0' && c <= '9':
		bad := j.bad
		if a.number, a.has = j.integer("value"); !a.has {
			j.bad = bad // a fraction: of no argument that a row has
		}
	case c == 't' || c == 'f':
		if b, ok := j.boolean("value"); ok {
			a.has = true
			if b {
				a.number = 1
			}
		}
	case c == '[':
		for range j.elements {
			if j.peek() == '"' {
				a.list = append(a.list, j.str("value"))
			} else {
				j.skip()
			}
		}
	case c == '{':
		a.parseAddr(j)
	default:
		j.skip()
	}
}

func (a *traceeArg) parseAddr(j *jsonScan) {
	for key := range j.fields {
		switch key {
		case "sa_family":
			a.addr.family = j.scalar()
		case "sin_addr", "sin6_addr":
			a.addr.ip = j.scalar()
		case "sin_port", "sin6_port":
			a.addr.port = j.scalar()
		case "sun_path":
			a.addr.path = j.scalar()
		default:
			j.skip()
		}
	}
}

// arg finds an argument by one of its names; nil where there is none.
func (t *traceeReader) arg(names ...string) *traceeArg {
	for _, name := range names {
		for i := range t.args {
			if t.args[i].name == name {
				return &t.args[i]
			}
		}
	}
	return nil
}

func (t *traceeReader) text(names ...string) string {
	if a := t.arg(names...); a != nil {
		return a.text
	}
	return ""
}

// number is an argument as a pointer: a number, or flags by name as
// parse-arguments has them; nil where it is neither.
func (t *traceeReader) number(names ...string) *int64 {
	a := t.arg(names...)
	switch {
	case a == nil:
		return nil
	case a.has:
		return t.keep(a.number)
	}
	if n, ok := flags(a.text); ok && a.text != "" {
		return t.keep(n)
	}
	return nil
}

// container gives a row of a container that was not seen before.
func (t *traceeReader) containerRow(ns int64) error {
	id := t.container
	if id == "" || t.known[id] || t.cname == "" && t.image == "" && t.pod == "" {
		return nil
	}
	if len(t.known) >= 1<<16 {
		clear(t.known)
	}
	t.known[strings.Clone(id)] = true
	return t.out.Container(t.in.Host, &trace.Container{TimeNS: ns, ContainerID: id, CgroupID: uint64(t.cgroup), Name: t.cname, Image: t.image,
		ImageDigest: t.digest, Pod: t.pod, PodNamespace: t.namespace, PodUID: t.podUID, Facts: trace.FactsPartial})
}

package ingest

import (
	"bytes"
	"context"
	"errors"

	"mayfly/trace"
)

// Tetragon reads the JSON export of Tetragon: one GetEventsResponse of its
// gRPC API each, as protobuf's JSON has it (api/v1/tetragon/tetragon.proto,
// events.proto).
type Tetragon struct{}

// Format is "tetragon".
func (Tetragon) Format() string { return "tetragon" }

// Sniff finds the fields that every event of a process has.
func (Tetragon) Sniff(_ string, head []byte) bool {
	return bytes.Contains(head, []byte(`"process_`)) && bytes.Contains(head, []byte(`"exec_id"`)) ||
		bytes.HasPrefix(bytes.TrimSpace(head), []byte(`{"rate_limit_info"`))
}

// Read decodes events.
func (Tetragon) Read(ctx context.Context, in *Input, out *Sink) error {
	t := newTetragonReader(in, out)
	err := readJSON(ctx, in, out, t.parse, t.rows)
	if endErr := t.programs.end(); err == nil {
		err = endErr
	}
	return err
}

// tetragonReader is one file being read. The fields of the record at hand are
// views of the scanner's buffer.
type tetragonReader struct {
	in  *Input
	out *Sink

	kind     string // process_exec …
	node     string
	time     string
	self     tetragonProcess
	parent   tetragonProcess
	function string // of a kprobe or LSM hook; "" for others
	subsys   string
	event    string
	args     []probeArg
	ret      []probeArg
	signal   string
	status   int64
	dropped  int64
	throttle string
	cgroup   string
	peer     struct { // of process_connect and its like
		source, destination, ip           string
		sourcePort, destinationPort, port int64
	}

	programs *programs
	full     map[string]string // container ids by what "docker" cuts of them
	known    map[string]bool   // containers that a row was given of
	lossFrom map[string]int64  // by host: the last time that lost events were counted, or the first record
	numbers  numbers
	argv     []string
}

// tetragonProcess is a Process.
type tetragonProcess struct {
	execID, parentID, cwd, binary, arguments, flags, start, docker string
	pid, tid                                                       int32
	uid, euid, egid                                                int64
	hasUID, hasEUID, hasEGID                                       bool
	pod                                                            tetragonPod
}

// tetragonPod is a Pod and its one Container.
type tetragonPod struct {
	namespace, name, uid, workload, workloadKind string
	id, container, image, imageID, start         string
	labels                                       []string
	privileged, hasPrivileged                    bool
}

func newTetragonReader(in *Input, out *Sink) *tetragonReader {
	return &tetragonReader{in: in, out: out, programs: newPrograms(out), full: map[string]string{}, known: map[string]bool{},
		lossFrom: map[string]int64{}}
}

func (t *tetragonReader) parse(j *jsonScan) {
	t.kind, t.node, t.time = "", "", ""
	var seen uint64
	for key := range j.fields {
		switch key {
		case "node_name":
			j.once(&seen, 0, "node_name")
			t.node = j.str("node_name")
		case "time":
			j.once(&seen, 1, "time")
			t.time = j.str("time")
		case "process_exec", "process_exit", "process_kprobe", "process_tracepoint", "process_lsm", "process_connect",
			"process_listen", "process_accept", "process_close", "process_loader", "process_uprobe", "process_usdt", "process_dns",
			"process_throttle", "rate_limit_info", "test":
			j.once(&seen, 2, "event")
			t.kind = key
			t.parseEvent(j)
		default:
			j.skip()
		}
	}
}

func (t *tetragonReader) parseEvent(j *jsonScan) {
	t.self.reset()
	t.parent.reset()
	t.function, t.subsys, t.event, t.signal, t.throttle, t.cgroup, t.status, t.dropped = "", "", "", "", "", "", 0, 0
	t.args, t.ret = t.args[:0], t.ret[:0]
	p := &t.peer
	p.source, p.destination, p.ip, p.sourcePort, p.destinationPort, p.port = "", "", "", 0, 0, 0
	var seen uint64
	for key := range j.fields {
		switch key {
		case "process":
			j.once(&seen, 0, "process")
			t.self.parse(j, true)
		case "parent":
			j.once(&seen, 1, "parent")
			t.parent.parse(j, false)
		case "function_name":
			j.once(&seen, 2, "function_name")
			t.function = j.str("function_name")
		case "subsys":
			t.subsys = j.str("subsys")
		case "event":
			t.event = j.str("event")
		case "args":
			j.once(&seen, 3, "args")
			t.args = parseProbeArgs(j, t.args)
		case "return":
			t.ret = append(t.ret, probeArg{})
			t.ret[len(t.ret)-1].parse(j)
		case "signal":
			t.signal = j.str("signal")
		case "status":
			t.status, _ = j.integer("status")
		case "number_of_dropped_process_events":
			t.dropped, _ = j.integer("number_of_dropped_process_events")
		case "type":
			t.throttle = j.str("type")
		case "cgroup":
			t.cgroup = j.str("cgroup")
		case "source_ip":
			p.source = j.str("source_ip")
		case "destination_ip":
			p.destination = j.str("destination_ip")
		case "ip":
			p.ip = j.str("ip")
		case "source_port":
			p.sourcePort, _ = j.integer("source_port")
		case "destination_port":
			p.destinationPort, _ = j.integer("destination_port")
		case "port":
			p.port, _ = j.integer("port")
		default:
			j.skip()
		}
	}
}

func (p *tetragonProcess) reset() {
	labels := p.pod.labels[:0]
	*p = tetragonProcess{}
	p.pod.labels = labels
}

// parse reads a Process; of a parent only who it is.
func (p *tetragonProcess) parse(j *jsonScan, all bool) {
	var seen uint64
	for key := range j.fields {
		switch key {
		case "exec_id":
			j.once(&seen, 0, "exec_id")
			p.execID = j.str("exec_id")
			continue
		case "pid":
			j.once(&seen, 1, "pid")
			p.pid = j.int32("pid")
			continue
		}
		if !all {
			j.skip()
			continue
		}
		switch key {
		case "parent_exec_id":
			p.parentID = j.str("parent_exec_id")
		case "tid":
			p.tid = j.int32("tid")
		case "uid":
			p.uid, p.hasUID = j.integer("uid")
		case "cwd":
			p.cwd = j.str("cwd")
		case "binary":
			j.once(&seen, 2, "binary")
			p.binary = j.str("binary")
		case "arguments":
			j.once(&seen, 3, "arguments")
			p.arguments = j.str("arguments")
		case "flags":
			p.flags = j.str("flags")
		case "start_time":
			p.start = j.str("start_time")
		case "docker":
			j.once(&seen, 4, "docker")
			p.docker = j.str("docker")
		case "pod":
			j.once(&seen, 5, "pod")
			p.pod.parse(j)
		case "process_credentials":
			p.credentials(j)
		default:
			j.skip()
		}
	}
}

func (p *tetragonProcess) credentials(j *jsonScan) {
	for key := range j.fields {
		switch key {
		case "euid":
			p.euid, p.hasEUID = j.integer("euid")
		case "egid":
			p.egid, p.hasEGID = j.integer("egid")
		default:
			j.skip()
		}
	}
}

var errNoTime = errors.New("no time")

// host is the node's name, as far as it is known.
func (t *tetragonReader) host() string {
	if t.node != "" {
		return t.node
	}
	return t.in.Host
}

// rows makes rows of the record at hand.
func (t *tetragonReader) rows() error {
	if t.kind == "" {
		t.out.Unmapped("of no known kind")
		return nil
	}
	text := t.time
	if text == "" && t.kind == "process_exec" {
		text = t.self.start
	}
	ns, ok := parseTime(text)
	if !ok {
		if text == "" {
			return badRecord{errNoTime}
		}
		return badRecord{badTime(text)}
	}
	host := t.host()
	if _, ok := t.lossFrom[host]; !ok && len(t.lossFrom) < t.in.Limits.Hosts {
		t.lossFrom[string([]byte(host))] = ns
	}
	switch t.kind {
	case "rate_limit_info":
		from := t.lossFrom[host]
		t.lossFrom[host] = ns
		return t.out.Loss(host, &trace.Loss{FromNS: min(from, ns), ToNS: ns, Class: trace.LossSecurity, Produced: t.dropped, Lost: t.dropped})
	case "process_throttle":
		return t.throttled(host, ns)
	}
	e := t.base(ns)
	if err := t.container(host, ns, e.ContainerID); err != nil {
		return err
	}
	switch t.kind {
	case "process_exec":
		return t.exec(host, e)
	case "process_exit":
		return t.exit(host, e)
	case "process_kprobe", "process_tracepoint", "process_lsm":
		return t.probe(host, e)
	case "process_connect":
		p := &t.peer
		e.Kind, e.Family, e.Addr, e.LocalAddr = string(trace.Connect), ipFamily(p.destination), p.destination, p.source
		e.Port, e.LocalPort = t.numbers.keep(p.destinationPort), t.numbers.keep(p.sourcePort)
		return t.out.Event(host, e)
	case "process_listen":
		e.Kind, e.Family, e.LocalAddr = string(trace.Listen), ipFamily(t.peer.ip), t.peer.ip
		e.LocalPort = t.numbers.keep(t.peer.port)
		return t.out.Event(host, e)
	}
	t.out.Unmapped(t.kind)
	return nil
}

package ingest

import (
	"bytes"
	"context"
	"strconv"

	"mayfly/trace"
)

// Falco reads the JSON alerts of Falco (json_output: true): one object each, with
// rule, time, hostname, source and output_fields, the fields of the event that the
// rule's output names (falco.org/docs/reference/rules/supported-fields). A row has
// what those say and no more; an alert without evt.type is of no known kind.
type Falco struct{}

// Format is "falco".
func (Falco) Format() string { return "falco" }

// Sniff finds the fields that every alert has.
func (Falco) Sniff(_ string, head []byte) bool {
	return bytes.Contains(head, []byte(`"output_fields"`)) && bytes.Contains(head, []byte(`"rule"`)) &&
		bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n[\xef\xbb\xbf"), []byte("{"))
}

// Read decodes alerts.
func (Falco) Read(ctx context.Context, in *Input, out *Sink) error {
	f := &falcoReader{in: in, out: out, known: map[string]bool{}}
	return readJSON(ctx, in, out, f.parse, f.rows)
}

// Fields of output_fields that rows are made of.
const (
	falcoType = iota
	falcoTime
	falcoTimeISO
	falcoRawTime
	falcoRes
	falcoRawRes
	falcoCPU
	falcoContainer
	falcoFullID
	falcoContainerName
	falcoRepository
	falcoTag
	falcoDigest
	falcoImageID
	falcoPrivileged
	falcoPod
	falcoNamespace
	falcoPodUID
	falcoPID
	falcoPPID
	falcoTID
	falcoComm
	falcoExe
	falcoExePath
	falcoCmdline
	falcoCwd
	falcoUID
	falcoGID
	falcoFD
	falcoPath
	falcoSource
	falcoTarget
	falcoRIP
	falcoRPort
	falcoSIP
	falcoSPort
	falcoCIP
	falcoCPort
	falcoLIP
	falcoLPort
	falcoArgFlags
	falcoArgMode
	falcoArgUID
	falcoArgGID
	falcoArgRequest
	falcoArgPID
	falcoArgCmd
	falcoArgName
	falcoArgPath
	falcoArgOld
	falcoArgNew
	falcoArgDev
	falcoArgDir
	falcoArgType
	falcoArgStatus
	falcoDrops
	falcoEvents
	falcoFields // how many
)

var falcoFieldNames = map[string]int{
	"evt.type": falcoType, "evt.time": falcoTime, "evt.time.iso8601": falcoTimeISO, "evt.rawtime": falcoRawTime,
	"evt.res": falcoRes, "evt.rawres": falcoRawRes, "evt.cpu": falcoCPU,
	"container.id": falcoContainer, "container.full_id": falcoFullID, "container.name": falcoContainerName,
	"container.image.repository": falcoRepository, "container.image.tag": falcoTag, "container.image.digest": falcoDigest,
	"container.image.id": falcoImageID, "container.privileged": falcoPrivileged, "k8s.pod.name": falcoPod,
	"k8s.ns.name": falcoNamespace, "k8s.pod.uid": falcoPodUID,
	"proc.pid": falcoPID, "proc.ppid": falcoPPID, "thread.tid": falcoTID, "proc.name": falcoComm, "proc.exe": falcoExe,
	"proc.exepath": falcoExePath, "proc.cmdline": falcoCmdline, "proc.cwd": falcoCwd, "user.uid": falcoUID, "group.gid": falcoGID,
	"fd.name": falcoFD, "fs.path.name": falcoPath, "fs.path.source": falcoSource, "fs.path.target": falcoTarget,
	"fd.rip": falcoRIP, "fd.rport": falcoRPort, "fd.sip": falcoSIP, "fd.sport": falcoSPort, "fd.cip": falcoCIP, "fd.cport": falcoCPort,
	"fd.lip": falcoLIP, "fd.lport": falcoLPort, "evt.arg.flags": falcoArgFlags, "evt.arg.mode": falcoArgMode, "evt.arg.uid": falcoArgUID,
	"evt.arg.gid": falcoArgGID, "evt.arg.request": falcoArgRequest, "evt.arg.pid": falcoArgPID, "evt.arg.cmd": falcoArgCmd,
	"evt.arg.name": falcoArgName, "evt.arg.path": falcoArgPath, "evt.arg.filename": falcoArgPath, "evt.arg.oldpath": falcoArgOld,
	"evt.arg.newpath": falcoArgNew, "evt.arg.target": falcoArgOld, "evt.arg.linkpath": falcoArgNew, "evt.arg.dev": falcoArgDev,
	"evt.arg.dir": falcoArgDir, "evt.arg.type": falcoArgType, "evt.arg.status": falcoArgStatus, "n_drops": falcoDrops, "n_evts": falcoEvents,
}

// falcoReader is one file being read; texts are views of the scanner's buffer.
type falcoReader struct {
	row   trace.Event // the one at hand
	in    *Input
	out   *Sink
	time  string
	host  string
	rule  string
	src   string
	field [falcoFields]string // "" is null
	from  [falcoFields]string // the key that said it
	known map[string]bool     // containers that a row was given of
	numbers
	argv []string
}

func (f *falcoReader) parse(j *jsonScan) {
	f.time, f.host, f.rule, f.src = "", "", "", ""
	f.field, f.from = [falcoFields]string{}, [falcoFields]string{}
	var seen uint64
	for key := range j.fields {
		switch key {
		case "time":
			j.once(&seen, 0, "time")
			f.time = j.str("time")
		case "hostname":
			j.once(&seen, 1, "hostname")
			f.host = j.str("hostname")
		case "rule":
			j.once(&seen, 2, "rule")
			f.rule = j.str("rule")
		case "source":
			f.src = j.str("source")
		case "output_fields":
			j.once(&seen, 3, "output_fields")
			f.parseFields(j)
		default:
			j.skip()
		}
	}
}

func (f *falcoReader) parseFields(j *jsonScan) {
	for key := range j.fields {
		at, ok := falcoFieldNames[key]
		if !ok {
			j.skip()
			continue
		}
		if text := j.scalar(); text != "" && text != "<NA>" {
			switch {
			case f.from[at] == key:
				j.wrong(key, "stands twice")
			case f.field[at] == "": // of names for one thing the first that says something
				f.field[at], f.from[at] = text, key
			}
		}
	}
}

func falcoName(at int) string {
	best := ""
	for name, i := range falcoFieldNames {
		if i == at && (best == "" || name < best) {
			best = name
		}
	}
	return best
}

func (f *falcoReader) rows() error {
	ns, ok := f.when()
	if !ok {
		if f.time == "" {
			return badRecord{errNoTime}
		}
		return badRecord{badTime(f.time)}
	}
	host := f.host
	if host == "" {
		host = f.in.Host
	}
	if f.field[falcoDrops] != "" { // "Falco internal: syscall event drop", counted each second
		lost, produced := f.count(falcoDrops), f.count(falcoEvents)
		return f.out.Loss(host, &trace.Loss{FromNS: ns - 1e9, ToNS: ns, Class: trace.LossEvents, Produced: max(lost, produced), Lost: lost})
	}
	switch {
	case f.src != "" && f.src != "syscall":
		f.out.Unmapped("source " + f.src)
		return nil
	case f.field[falcoType] == "":
		f.out.Unmapped("rule " + f.rule + ", whose output does not name evt.type")
		return nil
	}
	e, err := f.base(ns)
	if err != nil {
		return badRecord{err}
	}
	if err := f.container(host, ns, e.ContainerID); err != nil {
		return err
	}
	if !f.event(e) {
		f.out.Unmapped("evt.type " + f.field[falcoType])
		return nil
	}
	return f.out.Event(host, e)
}

// when is the time of the event, which the alert's own repeats.
func (f *falcoReader) when() (int64, bool) {
	for _, at := range []int{falcoRawTime, falcoTime, falcoTimeISO} {
		if ns := f.count(at); ns > 0 {
			return ns, true
		}
	}
	return parseTime(f.time)
}

func (f *falcoReader) count(at int) int64 {
	if f.field[at] == "" {
		return 0
	}
	n, err := strconv.ParseInt(f.field[at], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// number is a field as a pointer; nil where it is null or no number.
func (f *falcoReader) number(at int) *int64 {
	if f.field[at] == "" {
		return nil
	}
	if n, ok := number(f.field[at]); ok {
		return f.keep(n)
	}
	return nil
}

func (f *falcoReader) pid(at int) (int32, error) {
	if f.field[at] == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(f.field[at], 10, 32)
	if err != nil {
		return 0, badField(falcoName(at), f.field[at])
	}
	return int32(n), nil
}

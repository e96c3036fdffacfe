package falco

import (
	"net/netip"
	"strconv"
	"strings"

	"mayfly/trace"
)

// field is how a field of Falco is read. Exactly one of the functions is set.
type field struct {
	cost      int
	fixed     string                                   // it is always this
	container func(c *trace.Container) (string, state) // the same for all events of a container
	text      func(e *event) (string, state)
	number    func(e *event) (int64, state)
	parse     func(string) (int64, bool) // of number; nil: parseNumber
	addrs     func(e *event) (a, b netip.Addr, s state)
	above     func(p *process) (string, state) // of each process above: any may match
}

// lookUp finds a field. Why there is none is the reason: what the trace lacks, or
// that mayfly knows no such field.
func lookUp(ref *fieldRef) (f field, reason string) {
	if ref.name == "evt.arg" || strings.HasPrefix(ref.name, "evt.arg.") {
		return argument(ref)
	}
	if at, ok := ancestorFields[ref.name]; ok {
		return ancestor(ref, at)
	}
	if ref.hasArg {
		if ref.name == "container.label" {
			return labelField(ref.arg), ""
		}
		return f, "field " + ref.String() + " is not known to mayfly"
	}
	if f, ok := fields[ref.name]; ok {
		return f, ""
	}
	if why := notRecorded(ref.name); why != "" {
		return f, "field " + ref.name + ": " + why
	}
	return f, "field " + ref.name + " is not known to mayfly: a misspelling?"
}

var fields = map[string]field{
	// Of the event. Its type is decided before anything is read, see compile.
	"evt.num":           {cost: 1, number: func(e *event) (int64, state) { return e.number(), has }},
	"evt.rawtime":       {cost: 1, number: func(e *event) (int64, state) { return e.timeNS(), has }},
	"evt.hostname":      {cost: 2, text: func(e *event) (string, state) { return recorded(e.hostName()) }},
	"evt.dir":           {fixed: "<"},
	"evt.source":        {fixed: "syscall"},
	"evt.rawres":        {cost: 1, number: func(e *event) (int64, state) { return known(e.ret()) }},
	"evt.failed":        {cost: 1, number: evtFailed, parse: parseBool},
	"evt.count":         {cost: 1, number: func(*event) (int64, state) { return 1, has }},
	"evt.res":           {cost: 2, text: evtRes},
	"evt.is_open_read":  {cost: 1, number: func(e *event) (int64, state) { return openFor(e, false) }, parse: parseBool},
	"evt.is_open_write": {cost: 1, number: func(e *event) (int64, state) { return openFor(e, true) }, parse: parseBool},

	// Of the process that made the call.
	"proc.name":       {cost: 2, text: func(e *event) (string, state) { return recorded(e.process().comm) }},
	"proc.exepath":    {cost: 2, text: func(e *event) (string, state) { return recorded(e.process().exe) }},
	"proc.exe":        {cost: 2, text: func(e *event) (string, state) { return argv0(e.process()) }},
	"proc.cmdline":    {cost: 6, text: func(e *event) (string, state) { return commandLine(e.process()) }},
	"proc.exeline":    {cost: 6, text: exeLine},
	"proc.args":       {cost: 6, text: func(e *event) (string, state) { return arguments(e.process()) }},
	"proc.cwd":        {cost: 3, text: cwd},
	"proc.cmdnargs":   {cost: 2, number: argumentCount},
	"proc.cmdlenargs": {cost: 3, number: argumentBytes},
	"proc.pid":        {cost: 1, number: func(e *event) (int64, state) { return int64(e.pid()), has }},
	"proc.ppid":       {cost: 1, number: func(e *event) (int64, state) { return int64(e.ppid()), has }},
	"proc.duration":   {cost: 1, number: duration},
	"proc.is_exe_upper_layer": {cost: 2, parse: parseBool,
		number: func(e *event) (int64, state) { return origin(e, trace.OriginWritten) }},
	"proc.is_exe_from_memfd": {cost: 2, parse: parseBool,
		number: func(e *event) (int64, state) { return origin(e, trace.OriginMemfd) }},
	"thread.tid":    {cost: 1, number: func(e *event) (int64, state) { return int64(e.tid()), has }},
	"thread.ismain": {cost: 1, number: func(e *event) (int64, state) { return truthNumber(e.tid() == e.pid()) }, parse: parseBool},
	"user.uid":      {cost: 1, number: func(e *event) (int64, state) { return known(userID(e)) }},
	"user.name":     {cost: 2, text: func(e *event) (string, state) { return rootName(userID(e)) }},
	"group.gid":     {cost: 1, number: func(e *event) (int64, state) { return known(e.gid()) }},
	"group.name":    {cost: 2, text: func(e *event) (string, state) { return rootName(e.gid()) }},

	// Of the file or socket.
	"fd.num":       {cost: 1, number: fdNum},
	"fd.type":      {cost: 2, text: func(e *event) (string, state) { return fdType(e, fdTypes) }},
	"fd.typechar":  {cost: 2, text: func(e *event) (string, state) { return fdType(e, fdTypeChars) }},
	"fd.name":      {cost: 2, text: fdName},
	"fd.directory": {cost: 3, text: func(e *event) (string, state) { return ofPath(e, true) }},
	"fd.filename":  {cost: 3, text: func(e *event) (string, state) { return ofPath(e, false) }},
	"fd.l4proto":   {cost: 2, text: l4proto},
	"fd.is_server": {cost: 1, number: isServer, parse: parseBool},
	"fd.connected": {cost: 1, number: connected, parse: parseBool},
	"fd.sport":     {cost: 2, number: func(e *event) (int64, state) { return port(e, server) }, parse: parsePort},
	"fd.cport":     {cost: 2, number: func(e *event) (int64, state) { return port(e, client) }, parse: parsePort},
	"fd.lport":     {cost: 2, number: func(e *event) (int64, state) { return port(e, local) }, parse: parsePort},
	"fd.rport":     {cost: 2, number: func(e *event) (int64, state) { return port(e, remote) }, parse: parsePort},
	"fd.sip":       {cost: 5, addrs: func(e *event) (a, b netip.Addr, s state) { return address(e, server) }},
	"fd.cip":       {cost: 5, addrs: func(e *event) (a, b netip.Addr, s state) { return address(e, client) }},
	"fd.lip":       {cost: 5, addrs: func(e *event) (a, b netip.Addr, s state) { return address(e, local) }},
	"fd.rip":       {cost: 5, addrs: func(e *event) (a, b netip.Addr, s state) { return address(e, remote) }},
	"fd.snet":      {cost: 5, addrs: func(e *event) (a, b netip.Addr, s state) { return address(e, server) }},
	"fd.cnet":      {cost: 5, addrs: func(e *event) (a, b netip.Addr, s state) { return address(e, client) }},
	"fd.lnet":      {cost: 5, addrs: func(e *event) (a, b netip.Addr, s state) { return address(e, local) }},
	"fd.rnet":      {cost: 5, addrs: func(e *event) (a, b netip.Addr, s state) { return address(e, remote) }},
	"fd.ip":        {cost: 6, addrs: bothAddresses},
	"fd.net":       {cost: 6, addrs: bothAddresses},
	"fs.path.name": {cost: 2, text: func(e *event) (string, state) { return changedPath(e, pathName) }},
	"fs.path.source": {cost: 2,
		text: func(e *event) (string, state) { return changedPath(e, pathSource) }},
	"fs.path.target": {cost: 2,
		text: func(e *event) (string, state) { return changedPath(e, pathTarget) }},

	// Of the container: container.go.
	"container.id":               {container: containerID},
	"container.full_id":          {container: fact(func(c *trace.Container) string { return c.ContainerID })},
	"container.name":             {container: fact(func(c *trace.Container) string { return c.Name })},
	"container.image":            {container: fact(func(c *trace.Container) string { return c.Image })},
	"container.image.repository": {container: imagePart(func(i image) string { return i.repository })},
	"container.image.tag":        {container: imageTag},
	"container.image.digest":     {container: imageDigest},
	"container.image.id":         {container: imageID},
	"container.type":             {container: fact(func(c *trace.Container) string { return c.Runtime })},
	"container.privileged":       {container: containerPrivileged},
	"k8s.ns.name":                {container: podFact(func(c *trace.Container) string { return c.PodNamespace })},
	"k8s.pod.name":               {container: podFact(func(c *trace.Container) string { return c.Pod })},
	"k8s.pod.uid":                {container: podFact(func(c *trace.Container) string { return c.PodUID })},
	"k8s.pod.id":                 {container: podFact(func(c *trace.Container) string { return c.PodUID })},
}

func parsePort(s string) (int64, bool) {
	if n, ok := parseNumber(s); ok {
		return n, 0 <= n && n <= 65535
	}
	n, ok := services[s]
	return n, ok
}

// services are names of ports that rules use.
var services = map[string]int64{"ssh": 22, "domain": 53, "http": 80, "https": 443, "smtp": 25, "mysql": 3306, "postgresql": 5432, "redis": 6379}

// userID is the effective user after the call.
func userID(e *event) (int64, bool) {
	if e.kind == trace.SetUID && e.failed() == no {
		return e.arg()
	}
	return e.uid()
}

func rootName(id int64, ok bool) (string, state) {
	if ok && id == 0 {
		return "root", has
	}
	return "", missing // the trace has no names
}

// maxAncestor bounds the number of an ancestor.
const maxAncestor = 64

func ancestorNumber(arg string) (int, bool) {
	n, err := strconv.Atoi(arg)
	return n, err == nil && 0 <= n && n <= maxAncestor
}

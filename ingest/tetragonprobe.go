package ingest

import (
	"strings"

	"mayfly/trace"
)

// probeArg is a KprobeArgument: what a policy takes of a function's arguments. It
// is exported in the policy's order, which need not be the function's.
type probeArg struct {
	kind   string // string_arg …; "" for what no event needs
	text   string // a string, a path, a name
	number int64
	has    bool // number is there
	sock   probeSock
}

// probeSock is a KprobeSock or KprobeSockaddr.
type probeSock struct {
	family, source, destination string
	sourcePort, destinationPort int64
}

func parseProbeArgs(j *jsonScan, args []probeArg) []probeArg {
	if !j.array() {
		return args
	}
	for first := true; j.element(first); first = false {
		args = append(args, probeArg{})
		args[len(args)-1].parse(j)
	}
	return args
}

func (a *probeArg) parse(j *jsonScan) {
	for key := range j.fields {
		switch key {
		case "string_arg", "net_dev_arg", "bpf_cmd_arg", "bpf_prog_arg":
			a.kind, a.text = "string_arg", j.str("string_arg")
		case "int_arg", "uint_arg", "long_arg", "size_arg":
			a.kind = "int_arg"
			a.number, a.has = j.integer("int_arg")
		case "path_arg", "file_arg", "linux_binprm_arg":
			a.kind = "path_arg"
			a.parsePath(j)
		case "sock_arg", "sockaddr_arg", "skb_arg":
			a.kind = "sock_arg"
			a.sock.parse(j)
		case "module_arg", "bpf_attr_arg", "capability_arg", "syscall_id":
			a.kind = "other"
			j.skip()
		default:
			j.skip()
		}
	}
}

func (a *probeArg) parsePath(j *jsonScan) {
	for key := range j.fields {
		if key == "path" {
			a.text = j.str("path")
		} else {
			j.skip()
		}
	}
}

func (s *probeSock) parse(j *jsonScan) {
	for key := range j.fields {
		switch key {
		case "family":
			s.family = j.str("family")
		case "saddr":
			s.source = j.str("saddr")
		case "daddr", "addr":
			s.destination = j.str("addr")
		case "sport":
			s.sourcePort, _ = j.integer("sport")
		case "dport", "port":
			s.destinationPort, _ = j.integer("port")
		default:
			j.skip()
		}
	}
}

// Places of a probe's arguments in a row.
const (
	toPath = iota
	toPath2
	toFlags
	toMode
	toArg
	toTarget
	toFamily // file system type, in addr
	toRet
	toSock    // the peer
	toSockOwn // the own end only
	toNothing // it says nothing that a row has
)

// probe is what a function means, and where its arguments go, in the function's
// order.
type probe struct {
	kind trace.Kind
	args []int
}

// probes are system calls by name (Linux' syscalls.h), and functions and LSM
// hooks that mean the same (of the policies in Tetragon's documentation). What
// only may lead to an event, and is told again where it does, is not among them:
// bprm_check_security comes before an exec, file_permission with each read.
var probes = map[string]probe{
	"open":       {trace.FileOpen, []int{toPath, toFlags, toMode}},
	"openat":     {trace.FileOpen, []int{toNothing, toPath, toFlags, toMode}},
	"openat2":    {trace.FileOpen, []int{toNothing, toPath, toNothing, toNothing}},
	"creat":      {trace.FileOpen, []int{toPath, toMode}},
	"fd_install": {trace.FileOpen, []int{toRet, toPath}},
	"file_open":  {trace.FileOpen, []int{toPath}},
	"unlink":     {trace.Unlink, []int{toPath}},
	"unlinkat":   {trace.Unlink, []int{toNothing, toPath, toFlags}},
	"rmdir":      {trace.Unlink, []int{toPath}},
	"rename":     {trace.Rename, []int{toPath, toPath2}},
	"renameat":   {trace.Rename, []int{toNothing, toPath, toNothing, toPath2}},
	"renameat2":  {trace.Rename, []int{toNothing, toPath, toNothing, toPath2, toFlags}},
	"link":       {trace.Link, []int{toPath, toPath2}},
	"linkat":     {trace.Link, []int{toNothing, toPath, toNothing, toPath2, toFlags}},
	"symlink":    {trace.Link, []int{toPath, toPath2}},
	"symlinkat":  {trace.Link, []int{toPath, toNothing, toPath2}},
	"chmod":      {trace.Chmod, []int{toPath, toMode}},
	"fchmodat":   {trace.Chmod, []int{toNothing, toPath, toMode}},
	"path_chmod": {trace.Chmod, []int{toPath, toMode}},
	"chown":      {trace.Chown, []int{toPath, toArg, toMode}},
	"lchown":     {trace.Chown, []int{toPath, toArg, toMode}},
	"fchownat":   {trace.Chown, []int{toNothing, toPath, toArg, toMode, toNothing}},
	"path_chown": {trace.Chown, []int{toPath, toArg, toMode}},

	"connect":               {trace.Connect, []int{toNothing, toSock, toNothing}},
	"socket_connect":        {trace.Connect, []int{toNothing, toSock, toNothing}},
	"tcp_connect":           {trace.Connect, []int{toSock}},
	"bind":                  {trace.Bind, []int{toNothing, toSockOwn, toNothing}},
	"socket_bind":           {trace.Bind, []int{toNothing, toSockOwn, toNothing}},
	"inet_csk_listen_start": {trace.Listen, []int{toSockOwn}},
	"inet_csk_accept":       {trace.Accept, []int{toNothing}},

	"setuid":    {trace.SetUID, []int{toArg}},
	"setreuid":  {trace.SetUID, []int{toNothing, toArg}},
	"setresuid": {trace.SetUID, []int{toNothing, toArg, toNothing}},
	"setfsuid":  {trace.SetUID, []int{toArg}},
	"setgid":    {trace.SetGID, []int{toArg}},
	"setregid":  {trace.SetGID, []int{toNothing, toArg}},
	"setresgid": {trace.SetGID, []int{toNothing, toArg, toNothing}},
	"setfsgid":  {trace.SetGID, []int{toArg}},
	"capset":    {trace.CapSet, []int{toNothing, toNothing}},

	"mount":          {trace.Mount, []int{toPath, toPath2, toFamily, toFlags, toNothing}},
	"sb_mount":       {trace.Mount, []int{toPath, toPath2, toFamily, toFlags, toNothing}},
	"umount":         {trace.Umount, []int{toPath, toFlags}},
	"umount2":        {trace.Umount, []int{toPath, toFlags}},
	"ptrace":         {trace.Ptrace, []int{toArg, toTarget, toNothing, toNothing}},
	"init_module":    {trace.ModuleLoad, []int{toNothing, toNothing, toNothing}},
	"finit_module":   {trace.ModuleLoad, []int{toNothing, toNothing, toNothing}},
	"do_init_module": {trace.ModuleLoad, []int{toNothing}},
	"bpf":            {trace.BPF, []int{toArg, toNothing, toNothing}},
	"memfd_create":   {trace.MemfdCreate, []int{toPath, toFlags}},
	"unshare":        {trace.Unshare, []int{toFlags}},
	"setns":          {trace.Setns, []int{toNothing, toFlags}},
}

// probeName strips what kernels put before the name of a call or hook.
func probeName(function string) string {
	for _, prefix := range []string{"__x64_sys_", "__arm64_sys_", "__ia32_sys_", "__ia32_compat_sys_", "__do_sys_", "__se_sys_", "sys_enter_", "sys_",
		"security_", "bpf_lsm_"} {
		if name, ok := strings.CutPrefix(function, prefix); ok {
			return name
		}
	}
	return function
}

// probe makes an event of a kprobe, a tracepoint or an LSM hook.
func (t *tetragonReader) probe(host string, e *trace.Event) error {
	function := t.function
	if t.kind == "process_tracepoint" {
		function = t.event
		if t.subsys != "syscalls" || strings.HasPrefix(function, "sys_exit_") {
			t.out.Unmapped(t.kind + " " + t.subsys + "/" + function)
			return nil
		}
	}
	p, ok := probes[probeName(function)]
	if !ok {
		t.out.Unmapped(t.kind + " " + function)
		return nil
	}
	e.Kind = string(p.kind)
	if strings.HasPrefix(function, "__ia32") {
		e.Via = trace.ViaCompat
	}
	if len(t.args) == len(p.args) {
		for i := range t.args {
			t.place(e, &t.args[i], p.args[i])
		}
	} else {
		t.placeByType(e, p.args)
	}
	if len(t.ret) == 1 {
		if ret := &t.ret[0]; ret.has {
			e.Ret = t.numbers.keep(ret.number)
		} else if p.kind == trace.Accept && ret.kind == "sock_arg" {
			t.place(e, ret, toSock)
		}
	}
	if function == "fd_install" && e.Path == "" { // of a pipe, a socket
		t.out.Unmapped(t.kind + " fd_install without a path")
		return nil
	}
	if p.kind == trace.BPF && e.Arg == nil && len(t.args) > 0 {
		if n, ok := bpfCommands[t.args[0].text]; ok {
			e.Arg = t.numbers.keep(n)
		}
	}
	return t.out.Event(host, e)
}

// place puts an argument where it belongs.
func (t *tetragonReader) place(e *trace.Event, a *probeArg, to int) {
	number := func(p **int64) {
		if a.has {
			*p = t.numbers.keep(a.number)
		}
	}
	switch to {
	case toPath:
		e.Path = a.text
	case toPath2:
		e.Path2 = a.text
	case toFamily:
		e.Addr = a.text
	case toFlags:
		number(&e.Flags)
	case toMode:
		number(&e.Mode)
	case toArg:
		number(&e.Arg)
	case toTarget:
		number(&e.TargetPID)
	case toRet:
		number(&e.Ret)
	case toSock, toSockOwn:
		if a.kind != "sock_arg" {
			return
		}
		s := &a.sock
		e.Family = addressFamilies[s.family]
		if to == toSock {
			e.Addr, e.LocalAddr = s.destination, s.source
			if e.Family != "unix" {
				e.Port = t.numbers.keep(s.destinationPort)
			}
			if s.source != "" {
				e.LocalPort = t.numbers.keep(s.sourcePort)
			}
			return
		}
		e.LocalAddr = s.source
		port := s.sourcePort
		if s.source == "" { // a sockaddr
			e.LocalAddr, port = s.destination, s.destinationPort
		}
		if e.Family != "unix" {
			e.LocalPort = t.numbers.keep(port)
		}
	}
}

// placeByType places what a policy took some arguments of: only what has one
// place that it can have. The numbers are not told apart.
func (t *tetragonReader) placeByType(e *trace.Event, places []int) {
	var paths, socks []int
	for _, to := range places {
		switch to {
		case toPath, toPath2, toFamily:
			paths = append(paths, to)
		case toSock, toSockOwn:
			socks = append(socks, to)
		}
	}
	var texts, ends []*probeArg
	for i := range t.args {
		switch a := &t.args[i]; a.kind {
		case "string_arg", "path_arg":
			texts = append(texts, a)
		case "sock_arg":
			ends = append(ends, a)
		}
	}
	if len(texts) == len(paths) {
		for i, a := range texts {
			t.place(e, a, paths[i])
		}
	}
	if len(ends) > 0 && len(socks) == 1 {
		t.place(e, ends[0], socks[0])
	}
}

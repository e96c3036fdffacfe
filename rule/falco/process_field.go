package falco

import (
	"path"
	"strings"

	"mayfly/trace"
)

// argv0 is Falco's proc.exe: the first argument.
func argv0(p *process) (string, state) {
	if !p.ran || len(p.argv) == 0 {
		return "", missing
	}
	return p.argv[0], has
}

func commandLine(p *process) (string, state) {
	if !p.ran || p.comm == "" {
		return "", missing
	}
	return p.commandLine(), has
}

func arguments(p *process) (string, state) {
	if !p.ran {
		return "", missing
	}
	return p.arguments(), has
}

func exeLine(e *event) (string, state) {
	first, s := argv0(e.process())
	if args := e.process().arguments(); s == has && args != "" {
		first += " " + args
	}
	return first, s
}

// cwd ends in a slash, as Falco has it.
func cwd(e *event) (string, state) {
	p := e.process()
	if !p.ran || p.cwd == "" {
		return "", missing
	}
	if strings.HasSuffix(p.cwd, "/") {
		return p.cwd, has
	}
	return p.cwd + "/", has
}

func argumentCount(e *event) (int64, state) {
	if !e.process().ran {
		return 0, missing
	}
	return int64(max(0, len(e.process().argv)-1)), has
}

func argumentBytes(e *event) (int64, state) {
	if !e.process().ran {
		return 0, missing
	}
	total := 0
	for _, arg := range e.process().argv[min(1, len(e.process().argv)):] {
		total += len(arg)
	}
	return int64(total), has
}

// duration is how long the process has run, in ns.
func duration(e *event) (int64, state) {
	start := e.startNS()
	if start == 0 {
		return 0, missing
	}
	return e.bootNS() - start, has
}

func origin(e *event, want string) (int64, state) {
	if e.process().origin == "" {
		return 0, missing
	}
	return truthNumber(e.process().origin == want)
}

// ancestorField is a field of a process above.
type ancestorField struct {
	cost  int
	value func(p *process) (string, state)
	above int // how far up where no number says it
	all   bool
}

// ancestorFields are those of the parent, and those with a number: 0 is the
// process, 1 its parent. Without a number any process above may match.
var ancestorFields = map[string]ancestorField{
	"proc.pname":    {8, processName, 1, false},
	"proc.pexepath": {8, processPath, 1, false},
	"proc.pexe":     {8, argv0, 1, false},
	"proc.pcmdline": {12, commandLine, 1, false},
	"proc.aname":    {10, processName, 0, true},
	"proc.aexepath": {10, processPath, 0, true},
	"proc.aexe":     {10, argv0, 0, true},
	"proc.acmdline": {16, commandLine, 0, true},
}

func processName(p *process) (string, state) { return recorded(p.comm) }
func processPath(p *process) (string, state) { return recorded(p.exe) }

// ancestor makes a field of processes above.
func ancestor(ref *fieldRef, at ancestorField) (field, string) {
	if !ref.hasArg && at.all {
		return field{cost: at.cost, above: at.value}, ""
	}
	above := at.above
	if ref.hasArg {
		n, ok := ancestorNumber(ref.arg)
		if !ok || !at.all {
			return field{}, "field " + ref.String() + ": want a number from 0 to 64 between the brackets"
		}
		above = n
	}
	return field{cost: at.cost, text: func(e *event) (string, state) {
		p := e.process()
		for n := range above {
			if p.pid == 1 {
				return "", null // nobody began it
			}
			if p = e.parent(p, n); p == nil {
				return "", missing // beyond the container, or before the recording
			}
		}
		return at.value(p)
	}}, ""
}

// pathOf is which of the paths of fs.path a field is.
type pathOf uint8

const (
	pathName pathOf = iota
	pathSource
	pathTarget
)

// changedPath is fs.path.name, source or target. Of a link the target is the name
// that was there before, of a rename the one that is there afterwards.
func changedPath(e *event, which pathOf) (string, state) {
	source, target := pathSource, pathTarget
	switch e.kind {
	case trace.FileOpen, trace.Unlink, trace.Chmod, trace.Chown, trace.Umount:
		source, target = pathName, pathName
	case trace.Rename, trace.Mount:
	case trace.Link:
		source, target = target, source
	default:
		return "", null
	}
	switch which {
	case source:
		return recorded(e.path())
	case target:
		return recorded(e.path2())
	}
	return "", null
}

// ofPath is the directory or the last name of the file that is open.
func ofPath(e *event, directory bool) (string, state) {
	if !e.isOpen() {
		return "", null
	}
	p := e.path()
	if !strings.HasPrefix(p, "/") {
		return "", missing
	}
	if directory {
		return path.Dir(p), has
	}
	return p[strings.LastIndexByte(p, '/')+1:], has
}

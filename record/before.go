package record

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"mayfly/trace"
)

// earlier is what /proc told, when a recording began, of processes that ran
// already: by pid, until a process is met. It is read once, while the recorder may
// still look at other users' processes.
type earlier map[int32]procFacts

// procFacts is what /proc knows of a process.
type procFacts struct {
	ticks     int64  // start since boot, in units of USER_HZ
	container string // id; "" on the host
	exe, cwd  string
	argv      []string
}

// lookAround reads /proc: of all processes, or of those in a container's cgroup.
func lookAround(all bool) earlier {
	found := earlier{}
	dirs, _ := filepath.Glob("/proc/[0-9]*") // a pattern that is none is the only error
	for _, dir := range dirs {
		pid, err := strconv.ParseInt(filepath.Base(dir), 10, 32)
		if err != nil || len(found) >= maxProcesses {
			continue
		}
		groups, err := os.ReadFile(dir + "/cgroup")
		id := string(containerID.Find(groups))
		if err != nil || !all && id == "" {
			continue
		}
		if f, ok := readProc(int32(pid)); ok {
			f.container = id
			found[int32(pid)] = f
		}
	}
	return found
}

// of fills in what is known of a process, if its pid still means it: of what was
// there before, else of /proc now.
func (b earlier) of(p *trace.Process) {
	f, ok := b[p.PID]
	delete(b, p.PID)
	if !ok || f.ticks != p.StartNS/nsPerTick {
		f, ok = readProc(p.PID)
	}
	if ok && f.ticks == p.StartNS/nsPerTick {
		p.Exe, p.Cwd, p.Argv = f.exe, f.cwd, f.argv
	}
}

// nsPerTick is what /proc counts time in: USER_HZ is 100 on every machine that Linux still runs on.
const nsPerTick = 1e9 / 100

// readProc asks /proc; what may not be read is empty.
func readProc(pid int32) (f procFacts, ok bool) {
	dir := "/proc/" + strconv.Itoa(int(pid)) + "/"
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return f, false
	}
	_, after, ok := strings.Cut(string(stat[max(0, bytes.LastIndexByte(stat, ')')):]), " ")
	fields := strings.Fields(after)
	if !ok || len(fields) < 20 {
		return f, false
	}
	if f.ticks, err = strconv.ParseInt(fields[19], 10, 64); err != nil {
		return f, false
	}
	f.exe, _ = os.Readlink(dir + "exe")
	f.cwd, _ = os.Readlink(dir + "cwd")
	if argv, err := os.ReadFile(dir + "cmdline"); err == nil && len(argv) > 0 {
		f.argv = strings.Split(strings.TrimSuffix(string(argv), "\x00"), "\x00")
	}
	return f, true
}

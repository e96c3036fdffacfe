package record

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mayfly/record/runtimes"
)

func lookAtCgroups(context.Context, DoctorOptions) []Finding {
	const check = "cgroups"
	var root unix.Statfs_t
	layout := "version 1"
	switch err := unix.Statfs("/sys/fs/cgroup", &root); {
	case err != nil:
		return []Finding{{check, LevelNote, "/sys/fs/cgroup: " + err.Error(), "mount it to see which containers there are"}}
	case root.Type == unix.SYSFS_MAGIC:
		return []Finding{{check, LevelNote, "/sys/fs/cgroup: nothing is mounted there", "mount it to see which containers there are"}}
	case root.Type == unix.CGROUP2_SUPER_MAGIC:
		layout = "version 2"
	case unix.Statfs("/sys/fs/cgroup/unified", &root) == nil && root.Type == unix.CGROUP2_SUPER_MAGIC:
		layout = "hybrid"
	}
	ids := map[string]bool{}
	for _, f := range lookAround(false) {
		ids[f.container] = true
	}
	return []Finding{{check, LevelOK, fmt.Sprintf("%s; programs run in %d containers", layout, len(ids)), ""}}
}

// lookAtRuntimes tries the sockets that a recorder would ask.
func lookAtRuntimes(ctx context.Context, opts DoctorOptions) (found []Finding) {
	const check = "container runtimes"
	dialer := net.Dialer{Timeout: 2 * time.Second}
	tried := map[string]bool{}
	sources := opts.Runtimes
	if sources == nil {
		sources = runtimes.DefaultSources()
	}
	for _, s := range runtimes.Present(sources) {
		network, path, _ := strings.Cut(s.Address, "://")
		if tried[path] {
			continue
		}
		tried[path] = true
		c, err := dialer.DialContext(ctx, network, path)
		switch {
		case err == nil:
			_ = c.Close()
			found = append(found, Finding{check, LevelOK, fmt.Sprintf("%s answers at %s", s.Kind, path), ""})
		case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
			found = append(found, Finding{check, LevelPartial, fmt.Sprintf("%s may not be asked: %v", path, err), "run as root, or in the group that owns the socket"})
		default:
			found = append(found, Finding{check, LevelNote, fmt.Sprintf("%s: nobody answers: %v", path, err), "start the runtime"})
		}
	}
	if found == nil {
		found = append(found, Finding{check, LevelNote, "no socket at any usual place: containers will have no names, images or labels",
			"start one, or tell where it is with --runtime"})
	}
	return found
}

// Less room than this is told.
const (
	littleDisk   = 1 << 30
	littleInodes = 10_000
)

func lookAtDirectory(_ context.Context, opts DoctorOptions) []Finding {
	const check = "trace directory"
	if opts.Dir == "" {
		return []Finding{{check, LevelNote, "none given", "name one with --dir to have it looked at"}}
	}
	dir := opts.Dir // or the nearest of its parents that is there
	info, err := os.Lstat(dir)
	for errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		info, err = os.Stat(dir)
	}
	switch {
	case err != nil:
		return []Finding{{check, LevelFail, err.Error(), "make it, or run as a user who may enter it"}}
	case !info.IsDir():
		return []Finding{{check, LevelFail, dir + ": is no directory", "name another"}}
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return []Finding{{check, LevelFail, fmt.Sprintf("%s: may not be written into: %v", dir, err), "run as its owner, or as root"}}
	}
	var found []Finding
	if dir == opts.Dir && info.Mode().Perm()&0o077 != 0 {
		found = append(found, Finding{check, LevelNote, fmt.Sprintf("%s: others may enter it (%v); what is made in it is the owner's alone", dir, info.Mode().Perm()), "chmod 700 " + dir})
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return append(found, Finding{check, LevelNote, fmt.Sprintf("%s: free space: %v", dir, err), ""})
	}
	free := disk.Bavail * uint64(disk.Bsize)
	f := Finding{check, LevelOK, fmt.Sprintf("%s: %.1f GB free", dir, float64(free)/1e9), ""}
	if free < littleDisk || disk.Files > 0 && disk.Ffree < littleInodes {
		f.Level, f.Fix = LevelPartial, "free some, or let --retain delete the oldest files"
		f.Says += fmt.Sprintf(", %d inodes", disk.Ffree)
	}
	return append(found, f)
}

func lookAtClock(context.Context, DoctorOptions) []Finding {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case err != nil:
		return []Finding{{"clock", LevelNote, "its state cannot be read: " + err.Error(), ""}}
	case state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0:
		return []Finding{{"clock", LevelNote, "nothing keeps it in step: times of several hosts may not compare", "run chrony or systemd-timesyncd"}}
	}
	return []Finding{{"clock", LevelOK, fmt.Sprintf("kept in step, to %d ms", t.Esterror/1000), ""}}
}

func lookAtLimits(context.Context, DoctorOptions) []Finding {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return []Finding{{"limits", LevelNote, err.Error(), ""}}
	}
	if files.Max < 256 {
		return []Finding{{"limits", LevelFail, fmt.Sprintf("%d open files at most", files.Max), "ulimit -n 1024"}}
	}
	return []Finding{{"limits", LevelOK, fmt.Sprintf("%d open files", files.Max), ""}}
}

// others are programs that trace too, by the name that the kernel keeps of them.
var others = []string{"mayfly", "falco", "tetragon", "tracee", "sysdig", "kubearmor", "node-agent", "bpftrace", "auditd", "osqueryd"}

// records says of one of others, by its command line with its NULs, whether it records:
// mayfly does most things without.
func records(name, argv string) bool {
	words := strings.Split(argv, "\x00")
	return name != "mayfly" || len(words) > 1 && words[1] == "record"
}

// lookAtOthers finds who else records. Two recorders do not disturb each other,
// but both cost; into one directory only one may write.
func lookAtOthers(context.Context, DoctorOptions) []Finding {
	var names []string
	dirs, _ := filepath.Glob("/proc/[0-9]*") // a pattern that is none is the only error
	for _, dir := range dirs {
		comm, err := os.ReadFile(dir + "/comm")
		name := strings.TrimSpace(string(comm))
		if err != nil || !slices.Contains(others, name) || filepath.Base(dir) == fmt.Sprint(os.Getpid()) {
			continue
		}
		if argv, err := os.ReadFile(dir + "/cmdline"); err == nil && !records(name, string(argv)) {
			continue
		}
		names = append(names, fmt.Sprintf("%s (pid %s)", name, filepath.Base(dir)))
	}
	if len(names) > 0 {
		return []Finding{{"other recorders", LevelNote, strings.Join(names, ", "), "each adds its cost to each call; two of mayfly need a directory each"}}
	}
	return []Finding{{"other recorders", LevelOK, "none is known to run", ""}}
}

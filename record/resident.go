package record

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// releaseStart gives back what only the start needed: memory that the kernel's
// types and the programs took, and pages of mayfly's own file, of which the start
// touches some 23 MB. What is needed of the file comes back by itself.
func releaseStart() {
	debug.FreeOSMemory()
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer smaps.Close()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for _, m := range cleanMappings(smaps, program) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED) // advice
	}
}

// mapping is where in memory a part of a file is.
type mapping struct{ from, to uintptr }

// cleanMappings returns the mappings of a file, by its path, that cannot be
// written and hold nothing but the file's own bytes, of a text as /proc/PID/smaps
// (proc_pid_smaps(5)): dropping their pages changes nothing.
func cleanMappings(smaps io.Reader, file string) (clean []mapping) {
	var m mapping
	named := false
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		line := lines.Text()
		var head mapping
		var mode, offset, device, inode string
		if n, _ := fmt.Sscanf(line, "%x-%x %s %s %s %s", &head.from, &head.to, &mode, &offset, &device, &inode); n == 6 {
			m = head
			named = strings.HasPrefix(mode, "r-") && strings.HasSuffix(line, " "+file)
		} else if f := strings.Fields(line); named && len(f) == 3 && f[0] == "Anonymous:" && f[1] == "0" {
			clean = append(clean, m)
		}
	}
	return clean
}

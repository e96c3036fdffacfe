package falco

import "golang.org/x/sys/unix"

// result is evt.res: SUCCESS, or the name of the error.
func result(ret int64) string {
	if ret >= 0 {
		return "SUCCESS"
	}
	if name := unix.ErrnoName(unix.Errno(-ret)); name != "" {
		return name
	}
	return "UNKNOWN"
}

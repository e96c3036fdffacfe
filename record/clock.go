package record

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// clock turns time since boot into wall-clock time.
type clock struct{ offset int64 }

// bootNow is nanoseconds since boot, suspend included. It never blocks, so the
// scheduler need not know of the call.
func bootNow() int64 {
	var ts unix.Timespec
	if _, _, e := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(&ts)), 0); e != 0 {
		return 0
	}
	return ts.Nano()
}

// measureClock reads both clocks until a pair was read within a microsecond, or
// takes the best of some tries.
func measureClock() (clock, error) {
	best, c := int64(1<<62), clock{}
	for range 16 {
		var before, wall, after unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &before); err != nil {
			return c, fmt.Errorf("clock of time since boot: %w", err)
		}
		if err := unix.ClockGettime(unix.CLOCK_REALTIME, &wall); err != nil {
			return c, fmt.Errorf("wall clock: %w", err)
		}
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &after); err != nil {
			return c, fmt.Errorf("clock of time since boot: %w", err)
		}
		if d := after.Nano() - before.Nano(); d < best {
			best = d
			c.offset = wall.Nano() - (before.Nano() + d/2)
		}
		if best < 1000 {
			break
		}
	}
	return c, nil
}

func (c clock) wall(bootNS int64) int64 { return bootNS + c.offset }

package trace

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A real disk that fills up: what was acknowledged stays, the recording goes on,
// and once there is room again rows are acknowledged anew. Every row is there or
// counted as lost.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=0700"); err != nil {
		if os.Getenv("MAYFLY_TEST_MUST_RUN") != "" {
			t.Fatal(err)
		}
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	r, _ := openTest(t, filepath.Join(dir, "trace"), RecordingOptions{Writer: WriterOptions{GroupRows: 500}})
	must(t, r.Begin())
	ballast := filepath.Join(dir, "ballast")
	var written, acked int64
	var full error
	write := func(n int) error {
		errs := []error{}
		for range n {
			e := event(written)
			e[0].Path += strings.Repeat("x", int(written*7919%200)) // does not compress to nothing
			written++
			errs = append(errs, r.Events(e))
		}
		return errors.Join(append(errs, r.Sync())...)
	}
	must(t, write(200))
	acked = written
	must(t, os.WriteFile(ballast, make([]byte, 900<<10), 0o600))
	for i := range 60 {
		if err := write(200); err != nil {
			full = err
		} else if full == nil {
			acked = written
		}
		if i%10 == 9 {
			if err := r.Seal(false); err != nil {
				full = err
			}
		}
	}
	if !errors.Is(full, unix.ENOSPC) {
		t.Fatalf("the disk did not fill up: %v", full)
	}
	must(t, os.Remove(ballast))
	_ = write(200) // mends
	must(t, write(200), r.Close())
	tr := mustOpen(t, filepath.Join(dir, "trace"))
	seen := map[int64]int{}
	for _, e := range scanRows[Event](t, tr, Events, 0) {
		seen[e.BootNS]++
	}
	for id := range acked {
		if seen[id] != 1 {
			t.Fatalf("row %d of %d acknowledged is there %d times", id, acked, seen[id])
		}
	}
	lost := int64(0)
	for _, l := range scanRows[Loss](t, tr, Losses, 0) {
		lost += l.Lost
	}
	if int64(len(seen))+lost != written || seen[written-1] != 1 {
		t.Errorf("%d rows written, %d there, %d counted as lost", written, len(seen), lost)
	}
	t.Logf("%d rows written, %d acknowledged before the disk was full, %d there, %d lost", written, acked, len(seen), lost)
}

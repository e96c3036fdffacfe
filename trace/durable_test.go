package trace

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func openTest(t *testing.T, dir string, opts RecordingOptions) (*Recording, Salvaged) {
	t.Helper()
	r, left, err := OpenRecording(dir, testMeta("h"), opts)
	if err != nil {
		t.Fatal(err)
	}
	return r, left
}

func event(id int64) []Event {
	return []Event{{TimeNS: startNS + id, BootNS: id, Kind: string(Exec), CgroupID: 1, Path: fmt.Sprint("/", id), UID: ptr(int64(0))}}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// A second recorder of the host is refused, whoever it is; one of another host is not.
func TestSecondRecorderIsRefused(t *testing.T) {
	dir := t.TempDir()
	r, _ := openTest(t, dir, RecordingOptions{})
	_, _, err := OpenRecording(dir, testMeta("h"), RecordingOptions{})
	if !errors.Is(err, ErrLocked) || err.Error() != fmt.Sprintf("%s: another recorder writes into it (process %d, host h)", dir, os.Getpid()) {
		t.Errorf("got %v", err)
	}
	must(t, r.Events(event(0)), r.Sync())
	if _, err := Salvage(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("salvage: got %v", err)
	}
	other, _, err := OpenRecording(dir, testMeta("i"), RecordingOptions{})
	must(t, err, other.Close(), r.Close())
	r, left := openTest(t, dir, RecordingOptions{})
	if left.FromNS != 0 || left.Journals != 0 {
		t.Errorf("after an end in good order: got %+v", left)
	}
	must(t, r.Close())
}

// Nothing below the trace directory is written through a symbolic link.
func TestLinksAreNotFollowed(t *testing.T) {
	for _, link := range []string{"journal", "journal/host=h", "events", "events/host=h", ".mayfly-h.lock"} {
		dir, elsewhere := t.TempDir(), t.TempDir()
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, link)), 0o700))
		target := elsewhere
		if strings.HasPrefix(link, ".") {
			target = filepath.Join(elsewhere, "file")
		}
		must(t, os.Symlink(target, filepath.Join(dir, link)))
		r, _, err := OpenRecording(dir, testMeta("h"), RecordingOptions{})
		if err == nil {
			err = errors.Join(r.Events(event(0)), r.Sync(), r.Close())
		}
		if err == nil || !strings.Contains(err.Error(), "symbolic link") && !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("%s: got %v", link, err)
		}
		if files, _ := os.ReadDir(elsewhere); len(files) != 0 {
			t.Errorf("%s: %v were written elsewhere", link, files)
		}
	}
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "trace")
	r, _ := openTest(t, dir, RecordingOptions{})
	must(t, r.Events(event(0)), r.Sync(), r.Seal(false), r.Events(event(1)), r.Sync())
	defer func() { _ = r.Close() }()
	must(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		want := os.FileMode(0o600)
		if err == nil && info.IsDir() {
			want = 0o700
		}
		if err == nil && info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v", path, info.Mode().Perm(), want)
		}
		return err
	}))
}

// The trace directory is removed, or moved away, while rows are open: those are
// there at the end, and recording goes on.
func TestDirectoryIsRemoved(t *testing.T) {
	for name, remove := range map[string]func(dir string) error{
		"removed": os.RemoveAll,
		"moved":   func(dir string) error { return os.Rename(dir, dir+"-old") },
	} {
		for _, early := range []bool{true, false} {
			dir := filepath.Join(t.TempDir(), "trace")
			r, _ := openTest(t, dir, RecordingOptions{Writer: WriterOptions{GroupRows: 1}}) // each row is in the file at once
			must(t, r.Begin(), r.Events(event(0)), r.Sync(), r.Events(event(1)), remove(dir))
			if early {
				must(t, r.Sync())
			}
			must(t, r.Events(event(2)), r.Seal(false), r.Events(event(3)), r.Sync())
			if _, _, err := OpenRecording(dir, testMeta("h"), RecordingOptions{}); !errors.Is(err, ErrLocked) {
				t.Errorf("%s: the new directory is not locked: %v", name, err)
			}
			must(t, r.Close())
			if rows := scanRows[Event](t, mustOpen(t, dir), Events, 0); len(rows) != 4 {
				t.Errorf("%s: got %d rows, want 4", name, len(rows))
			}
		}
	}
}

// The quota deletes the oldest files of all tables, never those of the current
// minute, and says so.
func TestRetention(t *testing.T) {
	for name, c := range map[string]struct {
		opts RecordingOptions
		left int
	}{
		"bytes": {RecordingOptions{RetainBytes: 1}, 1}, "age": {RecordingOptions{RetainAge: 150 * time.Second}, 3},
		"enough": {RecordingOptions{RetainBytes: 1 << 30, RetainAge: time.Hour}, 5}, "none": {RecordingOptions{}, 5},
	} {
		dir := t.TempDir()
		r, _ := openTest(t, dir, c.opts)
		now := time.Unix(0, startNS)
		r.now = func() time.Time { return now }
		for i := range 5 {
			now = time.Unix(0, startNS).Add(time.Duration(i)*time.Minute + time.Second)
			e := event(int64(i))
			e[0].TimeNS = now.UnixNano()
			s := []Sequence{{TimeNS: now.UnixNano(), Calls: []uint16{1}}}
			must(t, r.Events(e), r.Sequences(s), r.Seal(false))
		}
		must(t, r.Close())
		tr := mustOpen(t, dir)
		if got := len(tr.Files(Events)); got != c.left || len(tr.Files(Sequences)) != c.left {
			t.Errorf("%s: %d files of events are left, want %d", name, got, c.left)
		}
		gone, from, to := int64(0), int64(math.MaxInt64), int64(0)
		for _, l := range scanRows[Loss](t, tr, Losses, 0) {
			if l.Class == LossRetention {
				gone, from, to = gone+l.Lost, min(from, l.FromNS), max(to, l.ToNS)
			}
		}
		if c.left == 5 && gone != 0 || c.left == 3 && gone != 4 || c.left == 1 && gone != 8 {
			t.Errorf("%s: %d rows are told as deleted", name, gone)
		}
		// The oldest went, and the rows say of which time.
		left := tr.Files(Events)[0].Meta.FromNS
		if gone > 0 && (from != startNS+1e9 || to >= left || to < left-61e9) {
			t.Errorf("%s: told as deleted: from %d to %d; want from %d until just before %d", name, from, to, startNS+int64(1e9), left)
		}
	}
}

// What a recorder leaves that was killed becomes sealed files, torn bytes go to
// quarantine, by the next recorder and by Salvage.
func TestSalvage(t *testing.T) {
	for _, by := range []string{"next", "salvage"} {
		dir := t.TempDir()
		r, _ := openTest(t, dir, RecordingOptions{})
		must(t, r.Begin(), r.Events(event(0)), r.Sync(), r.Seal(false), r.Events(event(1)), r.Sync())
		ack := r.AcknowledgedNS()
		must(t, r.lock.release()) // as the end of a process does
		journal := filepath.Join(dir, r.journal.files[0])
		f, err := os.OpenFile(journal, os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		_, err = f.WriteString("half a frame")
		must(t, err, f.Close())
		var left Salvaged
		if by == "next" {
			var next *Recording
			next, left = openTest(t, dir, RecordingOptions{})
			must(t, next.Begin(), next.Close())
		} else {
			all, err := Salvage(dir)
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			left = all[0]
		}
		if left.Journals != 1 || left.Rows[Events] != 1 || left.FromNS != ack || len(left.Quarantined) != 1 || left.Host != "h" {
			t.Errorf("%s: got %+v", by, left)
		}
		kept, err := os.ReadFile(filepath.Join(dir, left.Quarantined[0]))
		reason, reasonErr := os.ReadFile(filepath.Join(dir, left.Quarantined[0]) + ".reason")
		if err != nil || reasonErr != nil || string(kept) != "half a frame" || !strings.Contains(string(reason), "torn: 12 bytes") {
			t.Errorf("%s: quarantine: got %q, %q, %v, %v", by, kept, reason, err, reasonErr)
		}
		tr := mustOpen(t, dir)
		gaps := 0
		for _, l := range scanRows[Loss](t, tr, Losses, 0) {
			if l.Class == LossGap && l.FromNS == ack && l.ToNS > ack {
				gaps++
			}
		}
		if rows := scanRows[Event](t, tr, Events, 0); len(rows) != 2 || gaps != 1 {
			t.Errorf("%s: got %d rows, %d gaps", by, len(rows), gaps)
		}
		if _, err := os.Stat(journal); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the journal is still there: %v", by, err)
		}
	}
}

var killTimes = flag.Int("kills", 40, "how often TestKill kills a writer")

// childEnv makes the test binary a writer that TestKill kills.
const childEnv = "MAYFLY_TEST_TRACE_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := killMe(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// killMe writes rows from MAYFLY_TEST_TRACE_FROM on until it is killed, and
// prints up to which one they are acknowledged.
func killMe(dir string) error {
	id, err := strconv.ParseInt(os.Getenv(childEnv+"_FROM"), 10, 64)
	if err != nil {
		return err
	}
	r, _, err := OpenRecording(dir, testMeta("h"), RecordingOptions{})
	if err != nil {
		return err
	}
	if err := r.Begin(); err != nil {
		return err
	}
	for round := 1; ; round++ {
		for range 20 {
			if err := r.Events(event(id)); err != nil {
				return err
			}
			id++
		}
		if round%7 == 0 {
			err = r.Seal(false)
		} else {
			err = r.Sync()
		}
		if err != nil {
			return err
		}
		fmt.Println(id)
	}
}

// Real processes are killed at random times, one after the other in one
// directory: no acknowledged row is missing, none is there twice, and every
// directory can be read.
func TestKill(t *testing.T) {
	kills := *killTimes
	self, err := os.Executable()
	must(t, err)
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, uint64(kills)))
	acked := []int64{}
	for n := range kills {
		from := int64(n) * 1_000_000
		end := killOne(t, self, dir, from, time.Duration(r.Int64N(int64(60*time.Millisecond))))
		for id := from; id < end; id++ {
			acked = append(acked, id)
		}
		if n%10 == 9 { // readers do not wait for the next recorder
			if _, err := Open(dir); err != nil && !strings.Contains(err.Error(), "not a trace") {
				t.Fatalf("kill %d: %v", n, err)
			}
		}
	}
	if len(acked) < kills*10 {
		t.Fatalf("%d rows were acknowledged in %d runs: too few to be looking", len(acked), kills)
	}
	last, _ := openTest(t, dir, RecordingOptions{})
	must(t, last.Begin(), last.Close())
	seen := map[int64]int{}
	tr := mustOpen(t, dir)
	for _, e := range scanRows[Event](t, tr, Events, 0) {
		seen[e.BootNS]++
		if seen[e.BootNS] > 1 {
			t.Fatalf("row %d is there twice", e.BootNS)
		}
	}
	missing := 0
	for _, id := range acked {
		if seen[id] != 1 {
			missing++
		}
	}
	gaps := 0
	for _, l := range scanRows[Loss](t, tr, Losses, 0) {
		if l.Class == LossGap {
			gaps++
		}
	}
	if missing > 0 || gaps < kills/2 {
		t.Errorf("%d of %d acknowledged rows are missing after %d kills; %d gaps", missing, len(acked), kills, gaps)
	}
	t.Logf("%d kills: %d rows acknowledged, %d there, %d gaps", kills, len(acked), len(seen), gaps)
}

// killOne starts a writer, kills it some time after its first acknowledgement,
// and returns up to which row it acknowledged.
func killOne(t *testing.T, self, dir string, from int64, after time.Duration) int64 {
	t.Helper()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+dir, fmt.Sprintf("%s_FROM=%d", childEnv, from))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err, cmd.Start())
	lines := bufio.NewScanner(out)
	end := from
	var kill *time.Timer
	for lines.Scan() {
		if kill == nil {
			kill = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
		if end, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err == nil || kill == nil {
		t.Fatalf("the writer ended by itself: %v", err)
	}
	return end
}

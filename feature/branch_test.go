package feature

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParent(t *testing.T) {
	for node, want := range map[string]string{
		"write /etc/ld.so.preload":      "write /etc/",
		"write /etc/":                   "write /",
		"write /":                       "",
		"write ":                        "",
		"connect inet:10.0.0.1:443":     "connect inet:10.0.0.1:",
		"connect inet:10.0.0.1:":        "connect inet:",
		"connect inet:":                 "connect ",
		"connect unix:/run/x.sock":      "connect unix:/run/",
		"connect unix:/run/":            "connect unix:/",
		"priv unshare:NEWNS":            "priv unshare:",
		"cap CAP_SYS_ADMIN":             "cap ",
		"exec relative":                 "exec ",
		"write /with a space/below":     "write /with a space/",
		"event n_connects":              "event ",
		"write-exec memfd:kworker":      "write-exec memfd:",
		"call connect":                  "call ",
		"read /proc/<n>/environ":        "read /proc/<n>/",
		"listen inet6:[::]:4444":        "listen inet6:[::]:",
		`parent ["/bin/a,b","/bin/sh"]`: `parent ["/bin/a,b",`,
		`parent ["/bin/a",`:             "parent ",
		`called ["/bin/busybox","a:b"]`: `called ["/bin/busybox",`,
		"refused write /proc/sys/x":     "refused write /proc/sys/",
		"refused write /":               "refused ",
		"refused mount":                 "refused ",
		"write /data//double//slash":    "write /data//double//",
	} {
		if got, ok := parent(node); got != want || !ok {
			t.Errorf("parent of %q: got %q, %v, want %q", node, got, ok, want)
		}
		for n, ok, steps := node, true, 0; ok; n, ok = parent(n) {
			if steps++; steps > 20 {
				t.Fatalf("%q has no end", node)
			}
		}
	}
	if got, ok := parent(""); ok {
		t.Errorf("parent of the root: got %q", got)
	}
}

// letters writes a number without digits, so that names with it are no series.
func letters(n int64) string {
	return strings.Map(func(c rune) rune { return c - '0' + 'a' }, fmt.Sprint(n))
}

// spoolers are replicas that each write a file of their own into a spool now and
// then, and otherwise the same.
func spoolers(replicas, windows int) (all []Window) {
	for i, w := range sampleWindows(replicas, windows) {
		w.Items, w.ItemCounts = []string{"exec /bin/web", "read /etc/passwd", "write /var/spool/log"}, []uint32{1, 1, 1}
		if w.StartNS/w.WidthNS%20 == 7 {
			w.Items = append(w.Items, "write /var/spool/own-"+letters(int64(i)))
			w.ItemCounts = append(w.ItemCounts, 1)
		}
		all = append(all, w)
	}
	return all
}

// TestRarity: one more file where files come every day is no news; the first below a
// folder that was never written to is, and more so than any of them.
func TestRarity(t *testing.T) {
	s := learn(t, spoolers(6, 200))
	bits := func(items ...string) float64 {
		w := spoolers(1, 1)[0]
		w.Items, w.ItemCounts = append([]string{"exec /bin/web"}, items...), make([]uint32, 1+len(items))
		slices.Sort(w.Items)
		for i := range w.ItemCounts {
			w.ItemCounts[i] = 1
		}
		return float64(encode(t, s.NewEncoder(), []Window{w})[0]["rarity"])
	}
	if got := bits("read /etc/passwd"); got != 0 {
		t.Errorf("nothing new: got %g bits", got)
	}
	usual, first := bits("write /var/spool/own-x"), bits("write /etc/cron.d/x")
	if !(usual > 0 && first > usual+3) {
		t.Errorf("got %g bits for one more file in the spool and %g for the first in cron.d, want 3 more", usual, first)
	}
	if both := bits("connect inet:10.0.0.9:1", "write /etc/cron.d/x"); !(both > first && both < 2*first) {
		t.Errorf("got %g bits for a peer and a file, and %g for the file alone", both, first)
	}
}

// TestRarityOfTraining: windows that were learned from are as surprised by their own
// files as tomorrow's would be.
func TestRarityOfTraining(t *testing.T) {
	windows := spoolers(6, 200)
	s := learn(t, windows)
	enc, err := s.NewTrainingEncoder()
	if err != nil {
		t.Fatal(err)
	}
	seen := encode(t, enc, windows)
	tomorrow := spoolers(1, 1)[0]
	tomorrow.Items, tomorrow.ItemCounts = []string{"exec /bin/web", "write /var/spool/own-x"}, []uint32{1, 1}
	want := encode(t, s.NewEncoder(), []Window{tomorrow})[0]["rarity"]
	for i, w := range windows {
		got := seen[i]["rarity"]
		if own := len(w.Items) > 3; own != (got > 0) || own && (got < want-0.5 || got > want+1) {
			t.Fatalf("window %d with %q: got %g bits, tomorrow's has %g", i, w.Items, got, want)
		}
	}
}

// TestRarityOfAge: files that all replicas come to at the same age are known from each
// other, and yet the next one is no news.
func TestRarityOfAge(t *testing.T) {
	numbered := func(age int64) string { return "write /data/temp-" + letters(age/10) }
	var windows []Window
	for _, w := range sampleWindows(6, 200) {
		w.Items, w.ItemCounts = []string{"exec /bin/web", "read /etc/passwd", numbered(w.StartNS / w.WidthNS)}, []uint32{1, 1, 1}
		windows = append(windows, w)
	}
	s := learn(t, windows)
	w := windows[0]
	rarity := func(item string) float32 {
		w.Items = []string{"exec /bin/web", "read /etc/passwd", item}
		return encode(t, s.NewEncoder(), []Window{w})[0]["rarity"]
	}
	next, other := rarity("write /data/temp-next"), rarity("write /root/.ssh/authorized_keys")
	if next > 4 || other < next+5 {
		t.Errorf("got %g bits for the next number and %g for a file elsewhere", next, other)
	}
}

package record

import (
	"slices"
	"strings"
	"testing"
)

const exampleSmaps = `00400000-0138e000 r-xp 00000000 fe:01 1234  /usr/bin/mayfly
Size:              15928 kB
Rss:               11432 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
0138e000-02649000 r--p 00f8e000 fe:01 1234  /usr/bin/mayfly
Rss:               11620 kB
Anonymous:             4 kB
02649000-02780000 rw-p 02249000 fe:01 1234  /usr/bin/mayfly
Anonymous:             0 kB
02780000-02790000 r--p 02249000 fe:01 1234  /usr/bin/mayfly
Anonymous:             0 kB
398cc2800000-398cc4400000 r--p 00000000 00:00 0
Anonymous:             0 kB
7fd7ec542000-7fd7ec943000 r--s 00001000 00:10 17  anon_inode:bpf-map
Anonymous:             0 kB
7fd7ec943000-7fd7ec944000 r--p 00000000 fe:01 99  /usr/lib/mayfly
Anonymous:             0 kB
`

// TestCleanMappings wants the file's mappings only, and none that holds relocated
// or patched pages, which are not in the file.
func TestCleanMappings(t *testing.T) {
	want := []mapping{{0x400000, 0x138e000}, {0x2780000, 0x2790000}}
	if got := cleanMappings(strings.NewReader(exampleSmaps), "/usr/bin/mayfly"); !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if got := cleanMappings(strings.NewReader("x\nAnonymous: 0 kB\n"), "x"); got != nil {
		t.Errorf("no mapping: got %x", got)
	}
}

package trace

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A host whose folder is a link is not missing without a word, nor is a table.
func TestLinkToAFolderIsNotPassedOver(t *testing.T) {
	for _, folder := range []string{"events/host=a", "events"} {
		dir := t.TempDir()
		at := filepath.Join(dir, "trace")
		writeTrace(t, at, "a", sampleEvents(10, 1), sampleSequences(10, 1))
		writeTrace(t, at, "b", sampleEvents(10, 2), sampleSequences(10, 2))
		link := filepath.Join(at, filepath.FromSlash(folder))
		if err := os.Rename(link, filepath.Join(dir, "elsewhere")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(dir, "elsewhere"), link); err != nil {
			t.Fatal(err)
		}
		want := link + ": a link to a folder"
		if _, err := Open(at); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Open: got error %v, want %q", err, want)
		}
		if _, err := OpenHosts(at, func(host string) bool { return host == "b" }); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("OpenHosts: got error %v, want %q", err, want)
		}
		if hosts, err := HostFolders(at); folder != "events" && err == nil {
			t.Errorf("HostFolders: %q and no error, want %q", hosts, want)
		}
		tr, bad, err := OpenSound(at)
		if err != nil || len(bad) != 1 || !strings.HasPrefix(bad[0].Error(), want) {
			t.Fatalf("OpenSound: got error %v and bad files %v, want %q", err, bad, want)
		}
		if hosts := tr.HostFolders(); strings.Join(hosts, " ") != "a b" { // by their sequences
			t.Errorf("OpenSound: hosts %q, want a and b", hosts)
		}
	}
}

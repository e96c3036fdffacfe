package dockertest

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// File is one file of an image.
type File struct {
	Data []byte
	Mode int64  // permissions; 0 is 0644, or 0755 for a Dir
	Link string // makes it a symbolic link
	Dir  bool
}

// Image builds an image of files (by path, without a leading slash) on nothing
// and returns its name. changes are lines of a Dockerfile as docker import takes
// them (ENTRYPOINT, CMD, ENV, USER, EXPOSE, LABEL …). The image stays, so that a
// second run finds its layers; its bytes are the same each time.
func (d *Daemon) Image(t testing.TB, name string, files map[string]File, changes ...string) string {
	t.Helper()
	args := []string{"import"}
	for _, change := range changes {
		args = append(args, "--change", change)
	}
	if _, err := d.try(Layer(t, files), append(args, "-", name)...); err != nil {
		t.Fatalf("docker import %s: %v", name, err)
	}
	return name
}

// Layer returns files as the tar of an image's layer, the same bytes each time.
func Layer(t testing.TB, files map[string]File) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		f := files[path]
		h := &tar.Header{Name: path, Typeflag: tar.TypeReg, Mode: f.Mode, Size: int64(len(f.Data)), ModTime: time.Unix(1e9, 0)}
		switch {
		case f.Dir:
			h.Typeflag, h.Size = tar.TypeDir, 0
			h.Name += "/"
			if h.Mode == 0 {
				h.Mode = 0o755
			}
		case f.Link != "":
			h.Typeflag, h.Linkname, h.Size, h.Mode = tar.TypeSymlink, f.Link, 0, 0o777
		case h.Mode == 0:
			h.Mode = 0o644
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(f.Data); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Base returns the files that programs expect to find: /etc/passwd, /etc/group,
// /etc/shadow, /tmp and the places that mounts go to. The caller may change it.
func Base() map[string]File {
	return map[string]File{
		"bin": {Dir: true}, "dev": {Dir: true}, "etc": {Dir: true}, "proc": {Dir: true},
		"root": {Dir: true, Mode: 0o700}, "sys": {Dir: true}, "tmp": {Dir: true, Mode: 0o1777}, "var": {Dir: true},
		"etc/passwd": {Data: []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")},
		"etc/group":  {Data: []byte("root:x:0:\nnogroup:x:65534:\n")},
		"etc/shadow": {Data: []byte("root:*:19000:0:99999:7:::\n"), Mode: 0o640},
	}
}

// applets of busybox that tests use; more work as "busybox NAME".
var applets = strings.Fields("sh ash cat chmod chown cp cut date dd echo env false find grep head hostname " +
	"id kill ln ls mkdir mktemp mount mv nc ping printf ps pwd rm rmdir sed seq sleep stat sync tail tar tee touch " +
	"tr true umount uname vi wc wget which whoami xargs httpd")

// BusyboxFiles returns Base with a static busybox and its applets. It calls
// Cannot where busybox is not installed (Debian: busybox-static).
func BusyboxFiles(t testing.TB) map[string]File {
	t.Helper()
	program, err := os.ReadFile("/bin/busybox")
	if err != nil {
		Cannot(t, "busybox: not installed (busybox-static)")
	}
	files := Base()
	files["bin/busybox"] = File{Data: program, Mode: 0o755}
	for _, applet := range applets {
		files["bin/"+applet] = File{Link: "busybox"}
	}
	return files
}

// BusyboxImage builds an image with a shell and the usual tools, without entrypoint.
func (d *Daemon) BusyboxImage(t testing.TB) string {
	t.Helper()
	return d.Image(t, "mayfly-test/busybox:1", BusyboxFiles(t), `CMD ["/bin/sh"]`, "ENV PATH=/bin")
}

// GoBinary compiles a program that is a single source file, statically, and
// returns its bytes. Imports are of the standard library.
func GoBinary(t testing.TB, source string) []byte {
	t.Helper()
	dir := t.TempDir()
	main := filepath.Join(dir, "main.go")
	if err := os.WriteFile(main, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, main)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GO111MODULE=off")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s\n%s", err, b, source)
	}
	program, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// StaticGoImage builds an image whose entrypoint is a program made of one source
// file, on top of files (nil: Base). path is where it stands, as "/server".
func (d *Daemon) StaticGoImage(t testing.TB, name, path, source string, files map[string]File, changes ...string) string {
	t.Helper()
	if files == nil {
		files = Base()
	}
	files = maps.Clone(files)
	files[strings.TrimPrefix(path, "/")] = File{Data: GoBinary(t, source), Mode: 0o755}
	entrypoint, err := json.Marshal([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	return d.Image(t, name, files, append([]string{"ENTRYPOINT " + string(entrypoint)}, changes...)...)
}

package ingest

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"
)

// peekBytes is how much of a file is looked at to find its format.
const peekBytes = 64 << 10

// freeBytes may be decompressed whatever the ratio.
const freeBytes = 64 << 20

// leaf is a file that is neither compressed nor an archive: what a Source reads.
type leaf struct {
	name    string        // for messages: the way through archives, with slashes
	base    string        // base name without what a compression added
	stream  *bufio.Reader // at its begin
	head    []byte        // its first bytes, peekBytes at most
	reopen  opener        // from its begin; nil where only a walk through an archive comes there again
	plain   string        // path of the local file that it is, uncompressed; "" otherwise
	sibling func(name string) (io.ReadCloser, error)
	short   bool // head is all of it
}

type opener func() (io.ReadCloser, error)

// unpacker walks through what one argument holds. Its bounds are of all that.
type unpacker struct {
	ctx     context.Context
	limits  Limits
	spool   func() (*os.File, error) // a new file without a name
	visit   func(*leaf) error
	failed  func(name string, err error) error // of a member or file; the rest is walked through unless it returns an error
	read    func(bytes int64)                  // is told of them; nil is not
	raw     int64                              // bytes read of the file at hand, before decompression
	size    int64                              // of that file; -1: not known
	out     int64                              // bytes decompressed of it
	all     int64                              // bytes read and decompressed of the argument
	members int64
}

// file walks through one file.
func (u *unpacker) file(name, base string, size int64, open opener, plain string, sibling func(string) (io.ReadCloser, error)) error {
	u.raw, u.out, u.size = 0, 0, size
	counted := func() (io.ReadCloser, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		return readCloser{&rawReader{u, r}, r.Close}, nil
	}
	r, err := counted()
	if err != nil {
		return u.failed(name, err)
	}
	defer func() { _ = r.Close() }() // only read
	return u.layer(&leaf{name: name, base: base, stream: bufio.NewReaderSize(r, peekBytes), reopen: counted, plain: plain, sibling: sibling}, 0)
}

type readCloser struct {
	io.Reader
	close func() error
}

func (r readCloser) Close() error { return r.close() }

// rawReader counts what is read of a file.
type rawReader struct {
	u *unpacker
	r io.Reader
}

func (r *rawReader) Read(b []byte) (int, error) {
	if err := r.u.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(b)
	if r.u.raw += int64(n); r.u.read != nil {
		r.u.read(int64(n))
	}
	if r.u.raw > r.u.limits.Bytes {
		return 0, fmt.Errorf("more than %d bytes (--max-bytes)", r.u.limits.Bytes)
	}
	return n, err
}

// bombReader ends where more comes out than the limits allow.
type bombReader struct {
	u *unpacker
	r io.Reader
}

var errBomb = errors.New("decompression bomb")

func (r *bombReader) Read(b []byte) (int, error) {
	u := r.u
	n, err := r.r.Read(b)
	u.out, u.all = u.out+int64(n), u.all+int64(n)
	in := u.raw
	if u.size >= 0 {
		in = min(in, u.size) // parts of a zip may be read many times
	}
	if u.out > freeBytes && (u.out-freeBytes)/u.limits.Ratio > in {
		return 0, fmt.Errorf("%w: more than %d times its size (--max-ratio)", errBomb, u.limits.Ratio)
	}
	if u.all > u.limits.Bytes {
		return 0, fmt.Errorf("%w: more than %d bytes (--max-bytes)", errBomb, u.limits.Bytes)
	}
	return n, err
}

// layer looks at what l begins with, and goes on inside or visits it.
func (u *unpacker) layer(l *leaf, depth int) error {
	head, err := l.stream.Peek(peekBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return u.failed(l.name, err)
	}
	l.head, l.short = head, err != nil
	kind := packing(head)
	if kind == "" {
		return u.visit(l)
	}
	if depth >= u.limits.Depth {
		return u.failed(l.name, fmt.Errorf("%s inside of %d others (--max-depth)", kind, depth))
	}
	switch kind {
	case "tar":
		return u.tar(l, depth)
	case "zip":
		return u.zip(l, depth)
	}
	inner := *l
	inner.base, inner.plain = stripped(l.base), ""
	r, err := u.decompress(kind, l.stream)
	if err != nil {
		return u.failed(l.name, err)
	}
	defer func() { _ = r.Close() }() // only read
	inner.stream = bufio.NewReaderSize(r, peekBytes)
	if l.reopen != nil {
		inner.reopen = func() (io.ReadCloser, error) {
			below, err := l.reopen()
			if err != nil {
				return nil, err
			}
			r, err := u.decompress(kind, below)
			if err != nil {
				return nil, errors.Join(err, below.Close())
			}
			return readCloser{r, func() error { return errors.Join(r.Close(), below.Close()) }}, nil
		}
	}
	return u.layer(&inner, depth+1)
}

// packing names the compression or archive that a file begins like.
func packing(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}):
		return "gzip"
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "zstd"
	case bytes.HasPrefix(head, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		return "xz"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return "zip"
	case len(head) >= 512 && bytes.HasPrefix(head[257:], []byte("ustar")):
		return "tar"
	}
	return ""
}

func stripped(base string) string {
	for _, ext := range []string{".gz", ".zst", ".xz", ".zstd"} {
		if s, ok := strings.CutSuffix(base, ext); ok {
			return s
		}
	}
	for _, ext := range []string{".tgz", ".txz", ".tzst"} {
		if s, ok := strings.CutSuffix(base, ext); ok {
			return s + ".tar"
		}
	}
	return base
}

func (u *unpacker) decompress(kind string, from io.Reader) (io.ReadCloser, error) {
	none := func() error { return nil }
	switch kind {
	case "gzip":
		r, err := gzip.NewReader(from)
		if err != nil {
			return nil, err
		}
		return readCloser{&bombReader{u, r}, r.Close}, nil
	case "zstd":
		r, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(uint64(max(u.limits.Window, 1<<20))), zstd.WithDecoderMaxMemory(uint64(u.limits.Bytes)))
		if err != nil {
			return nil, err
		}
		return readCloser{&bombReader{u, r}, func() error { r.Close(); return nil }}, nil
	}
	r, err := xz.NewReader(from, uint32(min(u.limits.Window, 1<<31)))
	if err != nil {
		return nil, err
	}
	return readCloser{&bombReader{u, r}, none}, nil
}

// tar walks through the members of a tar archive as they come.
func (u *unpacker) tar(l *leaf, depth int) error {
	r := tar.NewReader(l.stream)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = u.member()
		}
		if err != nil {
			return u.failed(l.name, err)
		}
		if h.Typeflag != tar.TypeReg {
			continue // links lead nowhere that was asked for
		}
		name := l.name + "/" + strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		m := &leaf{name: name, base: path.Base(h.Name), stream: bufio.NewReaderSize(r, peekBytes)}
		if err := u.layer(m, depth+1); err != nil {
			return err
		}
	}
}

func (u *unpacker) member() error {
	if u.members++; u.members > u.limits.Members {
		return fmt.Errorf("archives of more than %d members (--max-members)", u.limits.Members)
	}
	return u.ctx.Err()
}

// spooled returns the bytes of l as a file of its own, at its begin.
func (u *unpacker) spooled(l *leaf) (*os.File, error) {
	if l.plain != "" {
		return os.Open(l.plain)
	}
	f, err := u.spool()
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(f, l.stream); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// folderSibling opens files beside a file of a folder, never through a link.
func folderSibling(file string) func(string) (io.ReadCloser, error) {
	return func(name string) (io.ReadCloser, error) {
		p := filepath.Join(filepath.Dir(file), filepath.Base(name))
		info, err := os.Lstat(p)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fs.ErrNotExist
		}
		return os.Open(p)
	}
}

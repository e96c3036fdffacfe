package ingest

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// zip walks through the members of a zip archive, by name where several are read
// together.
func (u *unpacker) zip(l *leaf, depth int) error {
	file, err := u.spooled(l)
	if err != nil {
		return u.failed(l.name, err)
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return u.failed(l.name, err)
	}
	if err := zipMembers(file, info.Size(), u.limits.Members); err != nil {
		return u.failed(l.name, err)
	}
	z, err := zip.NewReader(rawReaderAt{u, file}, info.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return u.failed(l.name, err)
	}
	for _, f := range z.File {
		if err := u.member(); err != nil {
			return u.failed(l.name, err)
		}
		if !f.Mode().IsRegular() {
			continue
		}
		if err := u.zipMember(l, z, f, depth); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) zipMember(l *leaf, z *zip.Reader, f *zip.File, depth int) error {
	name := l.name + "/" + strings.TrimPrefix(path.Clean("/"+f.Name), "/")
	open := func() (io.ReadCloser, error) {
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		return readCloser{&bombReader{u, r}, r.Close}, nil
	}
	sibling := func(base string) (io.ReadCloser, error) {
		want := path.Join(path.Dir(f.Name), path.Base(base))
		for _, other := range z.File {
			if path.Clean(other.Name) == want && other.Mode().IsRegular() {
				r, err := other.Open()
				if err != nil {
					return nil, err
				}
				return readCloser{&bombReader{u, r}, r.Close}, nil
			}
		}
		return nil, fs.ErrNotExist
	}
	r, err := open()
	if err != nil {
		return u.failed(name, err)
	}
	defer func() { _ = r.Close() }() // only read
	return u.layer(&leaf{name: name, base: path.Base(f.Name), stream: bufio.NewReaderSize(r, peekBytes), reopen: open, sibling: sibling}, depth+1)
}

// rawReaderAt counts what is read of a zip archive.
type rawReaderAt struct {
	u *unpacker
	r io.ReaderAt
}

func (r rawReaderAt) ReadAt(b []byte, off int64) (int, error) {
	if err := r.u.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.ReadAt(b, off)
	r.u.raw += int64(n)
	return n, err
}

// zipMembers refuses a zip whose end says that it has too many members: its
// directory is read into memory as a whole.
func zipMembers(r io.ReaderAt, size, most int64) error {
	const least = 46 // bytes of a member in the directory
	if size/least <= most {
		return nil
	}
	z, err := zipDirectory(r, size)
	if err != nil {
		return err
	}
	if z/least > most {
		return fmt.Errorf("a directory of %d bytes: more than %d members (--max-members)", z, most)
	}
	return nil
}

// zipDirectory returns the size of a zip's directory, from the record at its end.
func zipDirectory(r io.ReaderAt, size int64) (int64, error) {
	tail := make([]byte, min(size, 1<<16+22))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	end := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if end < 0 || len(tail)-end < 22 {
		return 0, zip.ErrFormat
	}
	le := func(b []byte) (n int64) {
		for i := 3; i >= 0; i-- {
			n = n<<8 | int64(b[i])
		}
		return n
	}
	if n := le(tail[end+12:]); n != 0xffffffff {
		return n, nil
	}
	return size, nil // zip64: bounded by the file
}

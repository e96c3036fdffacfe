package ingest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// walk opens all that one argument holds.
func (c *converter) walk(u *unpacker, arg string) error {
	if arg == "-" {
		if c.opts.Stdin == nil {
			return badArgument{errors.New("-: no standard input")}
		}
		return c.pipe(u, "-", c.opts.Stdin)
	}
	if isRemote(arg) {
		return c.remote(u, arg)
	}
	arg, err := localPath(arg)
	if err != nil {
		return badArgument{err}
	}
	info, err := os.Stat(arg)
	switch {
	case err != nil:
		return badArgument{err}
	case info.IsDir():
		return c.folder(u, arg)
	case !info.Mode().IsRegular():
		f, err := os.Open(arg)
		if err != nil {
			return badArgument{err}
		}
		defer func() { _ = f.Close() }() // only read
		return c.pipe(u, arg, f)
	}
	return c.file(u, arg, info.Size())
}

// localPath is the path of a file:// URL; other arguments are paths already.
func localPath(arg string) (string, error) {
	scheme, _, ok := strings.Cut(arg, "://")
	if !ok {
		return arg, nil
	}
	switch scheme {
	case "file":
		u, err := url.Parse(arg)
		if err != nil || u.Host != "" || u.Path == "" {
			return "", fmt.Errorf("%s: want file:///path", arg)
		}
		return u.Path, nil
	case "http", "https":
		return "", fmt.Errorf("%s: want s3://, gs://, azblob:// or file://; or pipe it in: … | mayfly ingest -", arg)
	}
	return arg, nil
}

func (c *converter) file(u *unpacker, name string, size int64) error {
	open := func() (io.ReadCloser, error) { return os.Open(name) }
	return u.file(name, filepath.Base(name), size, open, name, folderSibling(name))
}

// pipe takes what can be read only once: it goes to a file first, since what was
// taken before can only be told from what is there.
func (c *converter) pipe(u *unpacker, name string, in io.Reader) error {
	f, err := c.spool()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it has no name
	n, err := io.Copy(f, io.LimitReader(in, u.limits.Bytes))
	if err != nil {
		return badArgument{fmt.Errorf("%s: %w", name, withoutPath(err))}
	}
	if n == u.limits.Bytes {
		return badArgument{fmt.Errorf("%s: more than %d bytes (--max-bytes)", name, n)}
	}
	open := func() (io.ReadCloser, error) {
		return readCloser{io.NewSectionReader(f, 0, n), func() error { return nil }}, nil
	}
	return u.file(name, path.Base(name), n, open, "", nil)
}

// folder takes the files of a folder and those below, by name. Links and what is
// no regular file are passed over; so is the trace that is being written.
func (c *converter) folder(u *unpacker, dir string) error {
	trace, err := os.Stat(c.opts.Trace)
	if err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return c.failed(name, err)
		}
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if d.IsDir() {
			if info, err := d.Info(); err == nil && os.SameFile(info, trace) {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return c.failed(name, err)
		}
		return c.file(u, name, info.Size())
	})
}

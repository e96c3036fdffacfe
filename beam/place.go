package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gocloud.dev/blob"

	"mayfly/object"
)

// objects is this process's way to object stores.
var objects = object.NewStore()

// A place is a path, or the URL of an object or of a folder of objects.

// localPath is the path that a place is, or false for an object's URL.
func localPath(place string) (string, bool) {
	if !strings.Contains(place, "://") {
		return place, true
	}
	if u, err := url.Parse(place); err == nil && u.Scheme == "file" && u.Host == "" && u.RawQuery == "" {
		return u.Path, true
	}
	return "", false
}

// absolute makes paths mean the same in every process.
func absolute(place string) (string, error) {
	path, ok := localPath(place)
	if !ok {
		return place, nil
	}
	return filepath.Abs(path)
}

// checkOutput says, before any work is done, why an output must not be written. "" is
// none.
func checkOutput(output string, inputs []string) error {
	place, err := absolute(output)
	if err != nil || output == "" {
		return err
	}
	if slices.Contains(inputs, place) {
		return fmt.Errorf("%s: is an input and the output", output)
	}
	if path, ok := localPath(place); ok {
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s: is no regular file, want one to write", output)
		}
	}
	return nil
}

// below is a place in a folder.
func below(folder, name string) (string, error) {
	if path, ok := localPath(folder); ok {
		return filepath.Join(path, name), nil
	}
	u, err := url.Parse(folder)
	if err != nil {
		return "", fmt.Errorf("%q: no URL", folder)
	}
	return u.JoinPath(name).String(), nil
}

// withInput calls read with the path of a place's content: its own, or that of a copy
// which is there until read returns.
func withInput(ctx context.Context, place string, read func(path string) error) error {
	if path, ok := localPath(place); ok {
		return read(path)
	}
	return withScratch(func(dir string) error {
		path := filepath.Join(dir, "input")
		if err := fetch(ctx, place, path); err != nil {
			return err
		}
		return named(read(path), path, place)
	})
}

// withOutput calls write with a path to write to, and puts what it wrote into its
// place. write is to make the file by rename: nothing of it may be seen before it is
// complete. An object is there when all of it is.
func withOutput(ctx context.Context, place string, write func(path string) error) error {
	if path, ok := localPath(place); ok {
		return write(path)
	}
	return withScratch(func(dir string) error {
		path := filepath.Join(dir, "output")
		if err := write(path); err != nil {
			return named(err, path, place)
		}
		return send(ctx, path, place)
	})
}

func withScratch(do func(dir string) error) error {
	dir, err := os.MkdirTemp("", "mayfly-beam-")
	if err != nil {
		return err
	}
	return errors.Join(do(dir), os.RemoveAll(dir))
}

// named puts into an error's text where a copy came from, in the place of where it
// lay. Everything that an error is stays.
func named(err error, path, place string) error {
	if err == nil {
		return nil
	}
	return renamedError{err, path, place}
}

type renamedError struct {
	err         error
	path, place string
}

func (e renamedError) Error() string { return strings.ReplaceAll(e.err.Error(), e.path, e.place) }
func (e renamedError) Unwrap() error { return e.err }

// fetch copies an object to a path.
func fetch(ctx context.Context, url, path string) error {
	o, err := objects.Open(ctx, url)
	if err != nil {
		return err
	}
	return download(ctx, o, path)
}

func download(ctx context.Context, o *object.Object, path string) error {
	in := o.NewReader(ctx, 0, -1)
	defer func() { _ = in.Close() }() // only read
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// send makes an object of a file.
func send(ctx context.Context, path, url string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	out, err := objects.Create(ctx, url)
	if err != nil {
		return err
	}
	defer out.Abort()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// removeObjects removes all objects of a folder.
func removeObjects(ctx context.Context, folder string) (err error) {
	u, err := url.Parse(folder)
	if err != nil {
		return fmt.Errorf("%q: no URL", folder)
	}
	u.Path = ""
	bucket, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		return fmt.Errorf("%s: %w", folder, err)
	}
	defer func() { err = errors.Join(err, bucket.Close()) }()
	for info, err := range objects.List(ctx, folder) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		o, err := url.Parse(info.URL)
		if err != nil {
			return fmt.Errorf("%q: no URL", info.URL)
		}
		if err := bucket.Delete(ctx, strings.TrimPrefix(o.Path, "/")); err != nil {
			return fmt.Errorf("%s: %w", info.URL, err)
		}
	}
	return nil
}

package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"gocloud.dev/blob"
)

// Object is one object as it was when it was opened: when it has another content
// later, reading fails with an error that matches ErrChanged. It is safe for
// concurrent use, and there is nothing to close.
type Object struct {
	Info
	at     location
	bucket *blob.Bucket
}

// ErrChanged says that an object is not any more what it was.
var ErrChanged = errors.New("changed while it was read")

// Open asks for an object by its URL. One that is not there is an error that
// matches fs.ErrNotExist.
func (s *Store) Open(ctx context.Context, url string) (*Object, error) {
	l, err := parse(url)
	if err != nil {
		return nil, err
	}
	if l.key == "" {
		return nil, &Error{URL: url, Reason: "names no object", Err: fs.ErrNotExist}
	}
	b, err := s.bucket(ctx, l)
	if err != nil {
		return nil, err
	}
	info, err := stat(ctx, b, l)
	if err != nil {
		return nil, err
	}
	return &Object{Info: info, at: l, bucket: b}, nil
}

// Listed is an object that List told of, without asking for it again.
func (s *Store) Listed(ctx context.Context, info Info) (*Object, error) {
	l, err := parse(info.URL)
	if err != nil {
		return nil, err
	}
	b, err := s.bucket(ctx, l)
	if err != nil {
		return nil, err
	}
	return &Object{Info: info, at: l, bucket: b}, nil
}

// ReaderAt reads the object at random access, by one request for each call of
// ReadAt: read much at a time. ctx is that of all requests.
func (o *Object) ReaderAt(ctx context.Context) io.ReaderAt { return readerAt{ctx, o} }

type readerAt struct {
	ctx context.Context
	o   *Object
}

func (r readerAt) ReadAt(b []byte, offset int64) (int, error) {
	switch {
	case offset < 0:
		return 0, fmt.Errorf("%s: offset %d", r.o.at.text, offset)
	case offset >= r.o.Size:
		return 0, io.EOF
	}
	in := r.o.NewReader(r.ctx, offset, min(int64(len(b)), r.o.Size-offset))
	n, err := io.ReadFull(in, b[:min(int64(len(b)), r.o.Size-offset)])
	if err == nil && n < len(b) {
		err = io.EOF
	}
	_ = in.Close() // only read
	return n, err
}

// NewReader reads length bytes from offset on; a length below 0 is all that
// follows. When the connection breaks, the rest is asked for again, a few times
// without progress at most; then Read fails. Close it. It is for one goroutine.
func (o *Object) NewReader(ctx context.Context, offset, length int64) io.ReadCloser {
	if length < 0 || length > o.Size-offset {
		length = max(0, o.Size-offset)
	}
	return &reader{ctx: ctx, o: o, at: offset, end: offset + length}
}

type reader struct {
	ctx     context.Context
	o       *Object
	in      *blob.Reader // nil: none is open
	at, end int64
	failed  int // times in a row, without a byte read
}

const (
	maxFailed = 4
	firstWait = 250 * time.Millisecond // doubled each time
)

func (r *reader) Read(b []byte) (int, error) {
	if r.at >= r.end {
		r.drop()
		return 0, io.EOF
	}
	if len(b) == 0 {
		return 0, nil
	}
	for {
		n, err := r.read(b[:min(int64(len(b)), r.end-r.at)])
		if n > 0 {
			r.at, r.failed = r.at+int64(n), 0
			return n, nil
		}
		if err == nil {
			continue
		}
		r.drop()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		err = r.o.at.failed(err)
		if r.failed++; r.failed >= maxFailed || r.ctx.Err() != nil || !mayPass(err) {
			return 0, err
		}
		select {
		case <-r.ctx.Done():
			return 0, err
		case <-time.After(firstWait << r.failed):
		}
	}
}

// read reads once from where the reader is.
func (r *reader) read(b []byte) (int, error) {
	if r.in == nil {
		in, err := r.o.bucket.NewRangeReader(r.ctx, r.o.at.key, r.at, r.end-r.at, nil)
		if err != nil {
			return 0, err
		}
		r.in = in
		if v := readVersion(in); v != r.o.Version && r.o.Version != "" || in.Size() != r.o.Size {
			return 0, ErrChanged
		}
	}
	return r.in.Read(b)
}

func (r *reader) drop() {
	if r.in != nil {
		_ = r.in.Close() // only read
		r.in = nil
	}
}

// Close ends reading.
func (r *reader) Close() error {
	r.drop()
	return nil
}

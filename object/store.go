package object

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"
	"sync"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/fileblob"  // file://
	_ "gocloud.dev/blob/gcsblob"   // gs://
	_ "gocloud.dev/blob/s3blob"    // s3://
)

// Store reads and writes objects. It keeps what it has opened of buckets until
// Close. It is safe for concurrent use; Close comes last.
type Store struct {
	mu      sync.Mutex
	buckets map[string]*blob.Bucket // by location.bucket
}

// NewStore returns a store, which has connected to nothing yet.
func NewStore() *Store { return &Store{buckets: map[string]*blob.Bucket{}} }

// Info is what a store says of an object without reading it.
type Info struct {
	URL     string    // with the options of its bucket; Open takes it
	Name    string    // what of the key comes after the folder that was listed; the last part of it, where the object itself was named
	Size    int64     // bytes
	ModTime time.Time // when it was written; most stores know the second only
	Version string    // differs when the content does: S3's and Azure's ETag, Google's generation, a file's time and size
}

// bucket opens a bucket, or finds it open.
func (s *Store) bucket(ctx context.Context, l location) (*blob.Bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.buckets[l.bucket]; ok {
		return b, nil
	}
	b, err := blob.OpenBucket(ctx, l.bucket)
	if err != nil {
		return nil, l.failed(err)
	}
	s.buckets[l.bucket] = b
	return b, nil
}

// Close closes what is open of all buckets.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all error
	for key, b := range s.buckets {
		all = errors.Join(all, b.Close())
		delete(s.buckets, key)
	}
	return all
}

// List returns what a URL stands for: the object of that key; or where there is
// none, all objects in the folder of that name and the folders below, in the
// store's own order, the same each time. With a * at its end it is what keys begin
// with. An error ends the list; a URL that stands for nothing is one that matches
// fs.ErrNotExist.
func (s *Store) List(ctx context.Context, url string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		n := 0
		err := s.list(ctx, url, func(i Info) bool { n++; return yield(i, nil) })
		switch {
		case errors.Is(err, errStop):
		case err != nil:
			yield(Info{}, err)
		case n == 0:
			yield(Info{}, &Error{URL: url, Reason: "no such object, and none below it", Err: fs.ErrNotExist})
		}
	}
}

var errStop = errors.New("stop")

func (s *Store) list(ctx context.Context, url string, found func(Info) bool) error {
	l, err := parse(url)
	if err != nil {
		return err
	}
	b, err := s.bucket(ctx, l)
	if err != nil {
		return err
	}
	prefix, folder := l.key, l.key
	switch {
	case strings.HasSuffix(l.key, "*"):
		prefix = strings.TrimSuffix(l.key, "*")
		folder = prefix[:strings.LastIndexByte(prefix, '/')+1]
	case l.key != "" && !strings.HasSuffix(l.key, "/"):
		info, err := stat(ctx, b, l)
		if err == nil {
			if !found(info) {
				return errStop
			}
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		prefix, folder = l.key+"/", l.key+"/"
	}
	objects := b.List(&blob.ListOptions{Prefix: prefix})
	for {
		o, err := objects.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return l.failed(err)
		}
		if o.IsDir || strings.HasSuffix(o.Key, "/") { // a folder's own, empty object
			continue
		}
		if !found(Info{URL: l.of(o.Key), Name: strings.TrimPrefix(o.Key, folder), Size: o.Size, ModTime: o.ModTime, Version: listedVersion(o)}) {
			return errStop
		}
	}
}

// stat asks for one object.
func stat(ctx context.Context, b *blob.Bucket, l location) (Info, error) {
	a, err := b.Attributes(ctx, l.key)
	if err != nil {
		return Info{}, l.failed(err)
	}
	return Info{URL: l.of(l.key), Name: path.Base(l.key), Size: a.Size, ModTime: a.ModTime, Version: statedVersion(a)}, nil
}

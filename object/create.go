package object

import (
	"context"
	"errors"

	"gocloud.dev/blob"
)

// Writer makes an object. It is there, complete, when Close has returned nil, in
// the place of what had its key; before that, and after Abort, nothing of it is.
// It is for one goroutine.
type Writer struct {
	at     location
	w      *blob.Writer
	cancel context.CancelFunc
	done   bool
}

// Create begins an object. Call Close or Abort.
func (s *Store) Create(ctx context.Context, url string) (*Writer, error) {
	l, err := parse(url)
	if err != nil {
		return nil, err
	}
	if l.key == "" || l.key[len(l.key)-1] == '/' {
		return nil, &Error{URL: url, Reason: "names no object"}
	}
	b, err := s.bucket(ctx, l)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	w, err := b.NewWriter(ctx, l.key, nil)
	if err != nil {
		cancel()
		return nil, l.failed(err)
	}
	return &Writer{at: l, w: w, cancel: cancel}, nil
}

// Write appends to the object. A store may tell of its errors at Close only.
func (w *Writer) Write(b []byte) (int, error) {
	n, err := w.w.Write(b)
	if err != nil {
		err = w.at.failed(err)
	}
	return n, err
}

// Close completes the object.
func (w *Writer) Close() error {
	if w.done {
		return errors.New("closed before")
	}
	w.done = true
	defer w.cancel()
	if err := w.w.Close(); err != nil {
		return w.at.failed(err)
	}
	return nil
}

// Abort lets go of what was written. After Close it does nothing.
func (w *Writer) Abort() {
	if w.done {
		return
	}
	w.done = true
	w.cancel()
	_ = w.w.Close() // fails, since it was cancelled
}

package ingest

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// maxPending bounds the bytes that are read and not yet known to be done with.
const maxPending = 8 << 20

// content is the bytes of a leaf from where they are new. It hashes what its
// reader is done with.
type content struct {
	leaf   *leaf
	stream io.Reader
	closes []func() error
	marked func() (offset int64, ok bool) // what the Source is done with
	start  int64                          // offset of the first new byte
	done   bool                           // there is none

	head    []byte
	sum     hash.Hash // of [0, summed)
	summed  int64
	pending []byte // [summed, read)
	read    int64
	size    int64 // of it all, after random
}

// compare finds out what of a leaf was taken before.
func (c *converter) compare(l *leaf) (*content, error) {
	t := &content{leaf: l, stream: l.stream, head: append([]byte(nil), l.head[:min(len(l.head), headBytes)]...), sum: sha256.New()}
	like := c.ledger.like(t.head)
	if len(like) == 0 {
		return t, nil
	}
	if l.reopen == nil { // it must be read twice
		f, err := (&unpacker{spool: c.spool}).spooled(&leaf{stream: l.stream})
		if err != nil {
			return nil, err
		}
		t.closes = append(t.closes, f.Close)
		l.reopen = func() (io.ReadCloser, error) {
			return readCloser{io.NewSectionReader(f, 0, 1<<62), func() error { return nil }}, nil
		}
	}
	if err := t.skip(like); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// skip reads past the longest of what was taken before that t begins with. What
// stands in like is the longest first.
func (t *content) skip(like []takenFile) error {
	in, err := t.leaf.reopen()
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	r := bufio.NewReaderSize(in, 1<<16)
	sum := sha256.New()
	for i := len(like) - 1; i >= 0; i-- {
		n, err := io.CopyN(sum, r, like[i].Bytes-t.read)
		if t.read += n; errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if hex.EncodeToString(sum.Sum(nil)) != like[i].SHA256 {
			continue
		}
		_, err = r.Peek(1)
		atEnd := errors.Is(err, io.EOF)
		if like[i].Whole && !atEnd {
			if like[i].Bytes < headBytes { // a short one may well be the begin of another
				continue
			}
			return fmt.Errorf("has grown since its first %d bytes were taken, and a file of format %s cannot be continued", like[i].Bytes, like[i].Format)
		}
		t.start, t.done = like[i].Bytes, atEnd
	}
	t.read = t.start
	if t.done {
		return nil
	}
	again, err := t.leaf.reopen()
	if err != nil {
		return err
	}
	t.closes = append(t.closes, again.Close)
	r = bufio.NewReaderSize(again, peekBytes)
	t.stream, t.summed = r, t.start
	if _, err := io.CopyN(t.sum, r, t.start); err != nil {
		return fmt.Errorf("changes while it is read: %w", err)
	}
	return nil
}

// Read reads what is new.
func (t *content) Read(b []byte) (int, error) {
	t.settle()
	n, err := t.stream.Read(b)
	t.read += int64(n)
	t.pending = append(t.pending, b[:n]...)
	if len(t.pending) > maxPending {
		t.sum.Write(t.pending) // an end below is hashed by reading the file again
		t.summed, t.pending = t.read, t.pending[:0]
	}
	return n, err
}

// settle hashes what the Source is done with.
func (t *content) settle() {
	at, ok := t.marked()
	if !ok || at <= t.summed {
		return
	}
	n := min(at, t.read) - t.summed
	t.sum.Write(t.pending[:n])
	t.pending = t.pending[:copy(t.pending, t.pending[n:])]
	t.summed += n
}

// end describes what was taken: up to the last mark, or all of it. The error
// says that a file, which cannot grow any more, ends inside of a record.
func (t *content) end(s *Sink, failed bool) (takenFile, error) {
	at, ok := t.marked()
	switch {
	case !ok && s.count.Rows+s.count.Rejected == 0 && len(s.count.Unmapped) == 0:
		ok = true // not one complete record yet
	case !ok:
		at = t.read
	}
	at = min(max(at, t.start), t.read)
	end := takenFile{Bytes: at, HeadLen: min(at, int64(len(t.head))), Whole: !ok}
	var err error
	switch {
	case at >= t.summed:
		t.sum.Write(t.pending[:at-t.summed])
	case t.leaf.reopen != nil:
		err = t.hashAgain(at)
	default: // a member of an archive: it stays as it is
		t.sum.Write(t.pending)
		end.Bytes, end.Whole = t.read, true
	}
	end.Head = hashOf(t.head[:end.HeadLen])
	end.SHA256 = hex.EncodeToString(t.sum.Sum(nil))
	if err == nil && t.leaf.plain == "" && at < t.read && !failed {
		tail := t.pending[min(int64(len(t.pending)), max(0, at-t.summed)):]
		err = s.Reject(Position{Offset: at}, tail, errors.New("the file ends inside of a record"))
	}
	return end, err
}

func (t *content) hashAgain(n int64) error {
	in, err := t.leaf.reopen()
	if err != nil {
		return err
	}
	t.sum.Reset()
	_, err = io.CopyN(t.sum, in, n)
	return errors.Join(err, in.Close())
}

// random returns the whole content at random access.
func (t *content) random(c *converter) (*os.File, error) {
	l := *t.leaf
	l.stream = bufio.NewReaderSize(t.stream, peekBytes)
	f, err := (&unpacker{spool: c.spool}).spooled(&l)
	if err != nil {
		return nil, err
	}
	t.closes = append(t.closes, f.Close)
	t.sum.Reset()
	if t.size, err = io.Copy(t.sum, io.NewSectionReader(f, 0, 1<<62)); err != nil {
		return nil, err
	}
	t.read, t.summed, t.pending, t.start = t.size, t.size, nil, 0
	return f, nil
}

func (t *content) close() error {
	var err error
	for _, f := range t.closes {
		err = errors.Join(err, f())
	}
	return err
}

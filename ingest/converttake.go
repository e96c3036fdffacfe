package ingest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// leaf finds out what a file is, and takes what is new of it.
func (c *converter) leaf(l *leaf) error {
	src := c.source(l)
	if src == nil {
		if c.opts.Strict {
			return fmt.Errorf("%s: of no known format", l.name)
		}
		if c.passed++; len(c.report.Passed) < maxNotes {
			c.report.Passed = append(c.report.Passed, l.name)
		} else {
			c.report.MorePassed++
		}
		return nil
	}
	c.used++
	t, err := c.compare(l)
	if err != nil {
		return c.failed(l.name, err)
	}
	if t.done {
		c.report.Known++
		return nil
	}
	defer func() { _ = t.close() }() // only read
	return c.take(src, l, t)
}

func (c *converter) source(l *leaf) Source {
	if c.forced != nil {
		return c.forced
	}
	for _, src := range c.opts.Sources {
		if len(l.head) > 0 && src.Sniff(l.base, l.head) {
			return src
		}
	}
	return nil
}

// take reads a file with its source.
func (c *converter) take(src Source, l *leaf, t *content) error {
	if err := c.begin(); err != nil {
		return err
	}
	in := &Input{Name: l.name, Reader: t, Start: t.start, Limits: c.opts.Limits, Host: c.opts.Host, Sibling: l.sibling}
	if _, ok := src.(RandomAccess); ok {
		f, err := t.random(c)
		if err != nil {
			return c.failed(l.name, err)
		}
		in.File, in.Size = f, t.size
		if bytes.HasPrefix(l.head, []byte("PAR1")) {
			if err := c.checkParquet(f); err != nil {
				return c.failed(l.name, err)
			}
		}
	}
	sink := &Sink{rows: c.stage, quarantine: c.quarantine, format: src.Format(), name: l.name, limits: c.opts.Limits,
		strict: c.opts.Strict, machines: map[string]Machine{}, mark: t.start, marked: t.start > 0}
	t.marked = func() (int64, bool) { return sink.mark, sink.marked }
	err := read(c.ctx, src, in, sink)
	var bad *RecordError
	switch {
	case c.ctx.Err() != nil:
		return c.ctx.Err()
	case sink.failed != nil: // of the trace
		return sink.failed
	case errors.As(err, &bad):
		return bad
	}
	return c.took(l, t, sink, err)
}

// checkParquet has a file, which may have no name, read elsewhere first.
func (c *converter) checkParquet(f *os.File) error {
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())
	_, err := c.check.check(c.ctx, path)
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), path+": ", ""))
	}
	return err
}

// read is src.Read; a panic, which there should be none of, costs one file.
func read(ctx context.Context, src Source, in *Input, sink *Sink) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the reader of %s gave up: %v", src.Format(), r)
		}
	}()
	return src.Read(ctx, in, sink)
}

// took notes what was taken of a file.
func (c *converter) took(l *leaf, t *content, sink *Sink, readErr error) error {
	report := sink.report()
	report.Format, report.Name = sink.format, l.name
	end, err := t.end(sink, readErr != nil)
	if err != nil && readErr == nil {
		readErr = err
	}
	report.Bytes, report.Waiting = t.read-t.start, t.read-end.Bytes
	end.Name, end.Format, end.Rows, end.Rejected = l.name, sink.format, report.Rows, report.Rejected
	c.report.Bytes, c.report.Rows = c.report.Bytes+report.Bytes, c.report.Rows+report.Rows
	c.report.Rejected += report.Rejected
	for what, n := range report.Unmapped {
		c.report.Unmapped[report.Format+" "+what] += n
	}
	if readErr != nil {
		if err := c.failed(l.name, readErr); err != nil {
			return err
		}
	} else if report.Rejected > 0 || report.Waiting > 0 {
		c.note(report)
	}
	if end.Bytes > t.start {
		c.report.Taken++
		c.files = append(c.files, end)
		c.ledger.add(end)
	}
	if c.bytes += report.Bytes; c.bytes >= cmp.Or(c.opts.batchBytes, batchBytes) || len(c.files) >= batchFiles {
		return c.commit()
	}
	return nil
}

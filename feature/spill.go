package feature

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/klauspost/compress/s2"

	"mayfly/trace"
)

// A spill is windows that wait for a later step of the same program: an Arrow stream
// of records of Schema, in the framing of S2 as a whole. It costs little memory and
// time to write and to read, so that many may be open at once; a FEATURES file is for
// whoever else reads windows.

// spillBlock is how many bytes are compressed at once.
const spillBlock = 128 << 10

// WriteSpill writes records to a spill, and returns how many windows that were. It
// keeps nothing of them, and does not close to.
func WriteSpill(to io.Writer, records iter.Seq2[arrow.Record, error]) (n int64, err error) {
	blocks := s2.NewWriter(to, s2.WriterBlockSize(spillBlock), s2.WriterConcurrency(1))
	stream := ipc.NewWriter(blocks, ipc.WithSchema(schema))
	for rec, err := range records {
		if err == nil {
			n += rec.NumRows()
			err = stream.Write(rec)
		}
		if err != nil {
			return n, errors.Join(err, blocks.Close())
		}
	}
	return n, errors.Join(stream.Close(), blocks.Close())
}

// Spilled yields what a spill has, as File.Windows does; open begins it anew. Errors
// begin with name.
func Spilled(ctx context.Context, name string, open func() (io.ReadCloser, error)) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		in, err := open()
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = in.Close() }() // only read
		blocks := s2.NewReader(bufio.NewReaderSize(in, 1<<14), s2.ReaderMaxBlockSize(spillBlock), s2.ReaderAllocBlock(spillBlock))
		stream, err := ipc.NewReader(blocks)
		if err != nil {
			yield(nil, fmt.Errorf("%s: %w", name, err))
			return
		}
		defer stream.Release()
		for {
			rec, err := nextSpilled(ctx, stream)
			if err != nil {
				yield(nil, fmt.Errorf("%s: %w", name, err))
				return
			}
			if rec == nil || !yield(rec, nil) {
				return
			}
		}
	}
}

// SpillFile is Spilled for a file that holds one spill.
func SpillFile(ctx context.Context, path string) iter.Seq2[arrow.Record, error] {
	return Spilled(ctx, path, func() (io.ReadCloser, error) { return os.Open(path) })
}

// nextSpilled is nil at the end. The stream owns the record.
func nextSpilled(ctx context.Context, stream *ipc.Reader) (rec arrow.Record, err error) {
	defer func() {
		if r := recover(); r != nil { // of what the stream says of itself
			err = fmt.Errorf("damaged: %v", r)
		}
	}()
	if !stream.Next() {
		return nil, stream.Err()
	}
	rec = stream.Record()
	if _, err := View(rec); err != nil {
		return nil, err
	}
	trace.TellWatch(ctx, int(rec.NumRows()))
	return rec, ctx.Err()
}

// spillBatch is how many windows a record has of a spill that is open with many others.
const spillBatch = 128

// spillInto writes the windows that made gives into a spill of small records.
func spillInto(path string, made func(emit func(*Window) error) error) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = WriteSpill(f, recordsOf(made, spillBatch))
	return err
}

// recordsOf gathers windows into records of rows windows.
func recordsOf(made func(emit func(*Window) error) error, rows int) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		b := NewBuilder()
		defer b.Release()
		errEnded := errors.New("ended")
		give := func() error {
			rec := b.Record()
			defer rec.Release()
			if !yield(rec, nil) {
				return errEnded
			}
			return nil
		}
		err := made(func(w *Window) error {
			if b.Append(w); b.Len() < rows {
				return nil
			}
			return give()
		})
		if err == nil && b.Len() > 0 {
			err = give()
		}
		if err != nil && !errors.Is(err, errEnded) {
			yield(nil, err)
		}
	}
}

package feature

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/klauspost/compress/s2"
)

// spill is windows that wait on disk for the process that wrote them: an Arrow stream,
// compressed as a whole. It is written and read in little memory and time, so that
// many may be open at once; a FEATURES file is neither.
type spill struct {
	path    string
	file    *os.File
	blocks  *s2.Writer
	stream  *ipc.Writer
	builder *Builder
}

const (
	spillBatch = 128       // windows of a record
	spillBlock = 128 << 10 // bytes that are compressed at once
)

func createSpill(path string) (*spill, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	blocks := s2.NewWriter(f, s2.WriterBlockSize(spillBlock), s2.WriterConcurrency(1))
	return &spill{path: path, file: f, blocks: blocks, stream: ipc.NewWriter(blocks, ipc.WithSchema(schema)), builder: NewBuilder()}, nil
}

// append writes one window and keeps nothing of it.
func (s *spill) append(w *Window) error {
	if s.builder.Append(w); s.builder.Len() < spillBatch {
		return nil
	}
	return s.write()
}

func (s *spill) write() error {
	rec := s.builder.Record()
	defer rec.Release()
	if err := s.stream.Write(rec); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	return nil
}

// close completes the file.
func (s *spill) close() error {
	defer s.builder.Release()
	err := s.write()
	return errors.Join(err, s.stream.Close(), s.blocks.Close(), s.file.Close())
}

// spilled yields what was appended, as File.Windows does.
func spilled(ctx context.Context, path string) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = f.Close() }() // only read
		blocks := s2.NewReader(bufio.NewReaderSize(f, 1<<14), s2.ReaderMaxBlockSize(spillBlock), s2.ReaderAllocBlock(spillBlock))
		stream, err := ipc.NewReader(blocks)
		if err != nil {
			yield(nil, fmt.Errorf("%s: %w", path, err))
			return
		}
		defer stream.Release()
		for stream.Next() {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if !yield(stream.Record(), nil) {
				return
			}
		}
		if err := stream.Err(); err != nil {
			yield(nil, fmt.Errorf("%s: %w", path, err))
		}
	}
}

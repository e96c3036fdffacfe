package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// scapBlocks reads the blocks of a capture.
type scapBlocks struct {
	r      io.Reader
	buf    bytes.Buffer
	head   [8]byte
	offset int64
	in     *io.LimitedReader
}

// errScapCut is the cause of an end within a block.
var errScapCut = errors.New("the capture ends within a block")

// next returns the type and the inside of the next block, valid until the next
// call, and where it begins. The error is io.EOF at the end, or wraps errScapCut.
func (b *scapBlocks) next() (kind uint32, body []byte, offset int64, err error) {
	if b.in == nil {
		b.in = &io.LimitedReader{}
		b.r = newBuffered(b.r)
	}
	offset = b.offset
	n, err := io.ReadFull(b.r, b.head[:])
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return 0, nil, offset, io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		return 0, b.head[:n], offset, errScapCut
	case err != nil:
		return 0, nil, offset, err
	}
	kind = binary.LittleEndian.Uint32(b.head[:])
	size := int64(binary.LittleEndian.Uint32(b.head[4:]))
	if size < 12 || size > maxScapBlock {
		return 0, nil, offset, fmt.Errorf("block at byte %d: length of %d bytes, want 12 to %d", offset, size, maxScapBlock)
	}
	b.buf.Reset()
	*b.in = io.LimitedReader{R: b.r, N: size - 8}
	if _, err := b.buf.ReadFrom(b.in); err != nil { // grows as bytes come, not as the length says
		return 0, nil, offset, err
	}
	body = b.buf.Bytes()
	if int64(len(body)) < size-8 {
		return kind, body, offset, errScapCut
	}
	b.offset += size
	if trailer := int64(binary.LittleEndian.Uint32(body[len(body)-4:])); trailer != size {
		return 0, nil, offset, fmt.Errorf("block at byte %d: %d bytes by its begin, %d by its end", offset, size, trailer)
	}
	return kind, body[:len(body)-4], offset, nil
}

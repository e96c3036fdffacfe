package trace

import (
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/format"
)

// pageCodec compresses the pages that a Writer writes. parquet-go's own codec
// keeps encoders in a pool that each garbage collection empties, so a recorder
// with a small heap made a new one, some 4 MB, for most of its collections:
// three fifths of all that it allocated. This one keeps its encoder.
type pageCodec struct{ encoder *zstd.Encoder }

// maxPageWindow is how far back a page's compression looks, bytes: pages of a
// recorder are smaller.
const maxPageWindow = 512 << 10

func newPageCodec() compress.Codec {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(maxPageWindow), zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true), zstd.WithEncoderCRC(false))
	if err != nil {
		panic(err) // of options, which are all constant
	}
	return &pageCodec{e}
}

func (*pageCodec) String() string { return "ZSTD" }

func (*pageCodec) CompressionCodec() format.CompressionCodec { return format.Zstd }

// Encode is safe for concurrent use; one call at a time compresses.
func (c *pageCodec) Encode(dst, src []byte) ([]byte, error) {
	return c.encoder.EncodeAll(src, dst[:0]), nil
}

// Decode is never called: what is written is not read again by the same file.
func (*pageCodec) Decode(dst, src []byte) ([]byte, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return dst, err
	}
	defer d.Close()
	return d.DecodeAll(src, dst[:0])
}

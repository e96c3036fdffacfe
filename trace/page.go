package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// pageReader reads the pages of one column chunk, one after the other. The
// layout of pages is parquet-go's (format, thrift, encoding packages); the walk
// is ours, so that every size that a page declares meets the limits before
// memory is given for it. Its buffers are used again from page to page.
type pageReader struct {
	r         io.ReaderAt
	off, end  int64 // the next page and the end of the chunk, in the file
	codec     format.CompressionCodec
	kind      parquet.Kind
	maxRep    byte
	maxDef    byte
	limits    *Limits
	zstd      *zstd.Decoder
	ahead     []byte // bytes of the file from aheadAt on
	aheadAt   int64
	plain     []byte // decompressed bytes
	dictPlain []byte
	dict      values // what the chunk's dictionary holds; dict.n is 0 without one
	hasDict   bool
}

// reset points p at another chunk of the same column, and keeps its buffers.
func (p *pageReader) reset(from, to int64, codec format.CompressionCodec) {
	p.off, p.end, p.codec, p.hasDict = from, to, codec, false
	p.ahead = p.ahead[:0]
}

// page is one data page, decoded.
type page struct {
	n        int // values, nulls and empty lists included
	rep, def []byte
	values   values  // of those that are there
	index    []int32 // when not nil: positions in dict, instead of values
	dict     *values
}

// values are a page's or dictionary's values by physical type: one slice is set.
type values struct {
	n     int
	w32   []uint32
	w64   []uint64
	bits  []byte // one byte per value
	data  []byte // strings: value i is data[spans[i].from:spans[i].to]
	spans []span
}

type span struct{ from, to uint32 }

// readAheadBytes is what one read of the file fetches at least: a page header
// and, mostly, its page.
const readAheadBytes = 64 << 10

// bytes returns n bytes of the file from off on, valid until the next call.
func (p *pageReader) bytes(off int64, n int) ([]byte, error) {
	if off < p.aheadAt || off+int64(n) > p.aheadAt+int64(len(p.ahead)) {
		size := min(max(int64(n), readAheadBytes), p.end-off)
		if size < int64(n) {
			return nil, errors.New("a page ends after its column chunk")
		}
		if int64(cap(p.ahead)) < size {
			p.ahead = make([]byte, size)
		}
		p.ahead, p.aheadAt = p.ahead[:size], off
		if _, err := p.r.ReadAt(p.ahead, off); err != nil {
			p.ahead = p.ahead[:0]
			return nil, fmt.Errorf("read %d bytes at %d: %w", size, off, err)
		}
	}
	from := int(off - p.aheadAt)
	return p.ahead[from : from+n : from+n], nil
}

// next reads the next data page into pg, dictionaries on the way included. It
// returns io.EOF after the last one.
func (p *pageReader) next(pg *page) error {
	for p.off < p.end {
		h, err := p.header()
		if err != nil {
			return err
		}
		size := int64(h.CompressedPageSize)
		if size < 0 || h.UncompressedPageSize < 0 {
			return errors.New("page of negative size")
		}
		if max(size, int64(h.UncompressedPageSize)) > p.limits.PageBytes {
			return fmt.Errorf("page of %d bytes: the limit is %d",
				max(size, int64(h.UncompressedPageSize)), p.limits.PageBytes)
		}
		body, err := p.bytes(p.off, int(size))
		if err != nil {
			return err
		}
		if h.CRC != 0 && uint32(h.CRC) != crc32.ChecksumIEEE(body) {
			return errors.New("page does not match its checksum")
		}
		p.off += size
		switch {
		case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
			err = p.dictionary(h, body)
		case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
			return p.dataV2(h, body, pg)
		case h.Type == format.DataPage && h.DataPageHeader.Valid:
			return p.dataV1(h, body, pg)
		case h.Type == format.IndexPage:
		default:
			err = fmt.Errorf("page of type %d", h.Type)
		}
		if err != nil {
			return err
		}
	}
	return io.EOF
}

// maxHeaderBytes bounds one page header; statistics in it may hold two strings.
const maxHeaderBytes = 4 << 20

func (p *pageReader) header() (*format.PageHeader, error) {
	for size := int64(1 << 10); ; size *= 8 {
		size = min(size, p.end-p.off)
		b, err := p.bytes(p.off, int(size))
		if err != nil {
			return nil, err
		}
		n, err := thriftLen(b, 64)
		if errors.Is(err, errShort) && size < p.end-p.off && size < maxHeaderBytes {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("page header: %w", err)
		}
		h := new(format.PageHeader)
		if err := thrift.Unmarshal(new(thrift.CompactProtocol), b[:n], h); err != nil {
			return nil, fmt.Errorf("page header: %w", err)
		}
		p.off += int64(n)
		return h, nil
	}
}

// count checks a page's number of values.
func (p *pageReader) count(n int32) (int, error) {
	if n < 0 || int64(n) > p.limits.PageValues {
		return 0, fmt.Errorf("page of %d values: the limit is %d", n, p.limits.PageValues)
	}
	return int(n), nil
}

func (p *pageReader) dictionary(h *format.PageHeader, body []byte) error {
	if p.hasDict {
		return errors.New("a second dictionary page")
	}
	n, err := p.count(h.DictionaryPageHeader.V.NumValues)
	if err != nil {
		return err
	}
	e := h.DictionaryPageHeader.V.Encoding
	if e != format.Plain && e != format.PlainDictionary { //nolint:staticcheck // older writers say so
		return fmt.Errorf("dictionary page in encoding %s", e)
	}
	if p.dictPlain, err = p.decompress(p.dictPlain, body, int(h.UncompressedPageSize)); err != nil {
		return err
	}
	if p.codec == format.Uncompressed { // body belongs to the read-ahead
		p.dictPlain = append(p.dictPlain[:0], body...)
	}
	p.hasDict = true
	return p.dict.plain(p.kind, p.dictPlain, n, p.limits)
}

func (p *pageReader) dataV2(h *format.PageHeader, body []byte, pg *page) error {
	v2 := &h.DataPageHeaderV2.V
	n, err := p.count(v2.NumValues)
	if err != nil {
		return err
	}
	repBytes, defBytes := int(v2.RepetitionLevelsByteLength), int(v2.DefinitionLevelsByteLength)
	if repBytes < 0 || defBytes < 0 || repBytes+defBytes > min(len(body), int(h.UncompressedPageSize)) {
		return errors.New("levels are longer than their page")
	}
	pg.n = n
	if pg.rep, err = levels(pg.rep, body[:repBytes], n, p.maxRep); err != nil {
		return fmt.Errorf("repetition levels: %w", err)
	}
	if pg.def, err = levels(pg.def, body[repBytes:repBytes+defBytes], n, p.maxDef); err != nil {
		return fmt.Errorf("definition levels: %w", err)
	}
	body = body[repBytes+defBytes:]
	if !v2.IsCompressed.Valid || v2.IsCompressed.V {
		want := int(h.UncompressedPageSize) - repBytes - defBytes
		if p.plain, err = p.decompress(p.plain, body, want); err != nil {
			return err
		}
		if p.codec != format.Uncompressed {
			body = p.plain
		}
	}
	return p.values(pg, v2.Encoding, body)
}

func (p *pageReader) dataV1(h *format.PageHeader, body []byte, pg *page) error {
	v1 := &h.DataPageHeader.V
	n, err := p.count(v1.NumValues)
	if err != nil {
		return err
	}
	if p.plain, err = p.decompress(p.plain, body, int(h.UncompressedPageSize)); err != nil {
		return err
	}
	if p.codec != format.Uncompressed {
		body = p.plain
	}
	pg.n = n
	if pg.rep, body, err = levelsV1(pg.rep, body, n, p.maxRep, v1.RepetitionLevelEncoding); err != nil {
		return fmt.Errorf("repetition levels: %w", err)
	}
	if pg.def, body, err = levelsV1(pg.def, body, n, p.maxDef, v1.DefinitionLevelEncoding); err != nil {
		return fmt.Errorf("definition levels: %w", err)
	}
	return p.values(pg, v1.Encoding, body)
}

// decompress returns the chunk's codec undone on src in the memory of dst; want
// is the length that the page declares. Without a codec it returns dst as it is.
func (p *pageReader) decompress(dst, src []byte, want int) ([]byte, error) {
	var err error
	switch p.codec {
	case format.Uncompressed:
		if len(src) != want {
			return dst, fmt.Errorf("page of %d bytes: declares %d", len(src), want)
		}
		return dst, nil
	case format.Zstd:
		if len(src) == 0 && want == 0 {
			return dst[:0], nil
		}
		if cap(dst) < want {
			dst = make([]byte, 0, want)
		}
		dst, err = p.zstd.DecodeAll(src, dst[:0])
	case format.Snappy:
		n, lenErr := snappy.DecodedLen(src)
		if lenErr != nil || n != want {
			return dst, fmt.Errorf("page of snappy bytes: does not decompress to the %d that it declares", want)
		}
		dst, err = snappy.Decode(dst[:cap(dst)], src)
	default:
		return dst, fmt.Errorf("codec %s is not in use here: want zstd, snappy or none", p.codec)
	}
	if err != nil {
		return dst, fmt.Errorf("decompress page: %w", err)
	}
	if len(dst) != want {
		return dst, fmt.Errorf("decompress page: got %d bytes, want %d", len(dst), want)
	}
	return dst, nil
}

// levelsV1 reads levels that their length precedes; a column without such
// levels has none.
func levelsV1(dst, body []byte, n int, highest byte, enc format.Encoding) ([]byte, []byte, error) {
	if highest == 0 {
		return dst[:0], body, nil
	}
	if enc != format.RLE {
		return dst, nil, fmt.Errorf("encoding %s", enc)
	}
	if len(body) < 4 || int64(binary.LittleEndian.Uint32(body)) > int64(len(body)-4) {
		return dst, nil, errors.New("are longer than their page")
	}
	size := int(binary.LittleEndian.Uint32(body))
	dst, err := levels(dst, body[4:4+size], n, highest)
	return dst, body[4+size:], err
}

// levels decodes n levels of at most highest from src.
func levels(dst, src []byte, n int, highest byte) ([]byte, error) {
	if highest == 0 {
		return dst[:0], nil
	}
	width := bits.Len8(highest)
	if err := checkRuns(src, width, n); err != nil {
		return dst, err
	}
	dst, err := (&rle.Encoding{BitWidth: width}).DecodeLevels(dst, src)
	if err != nil {
		return dst, err
	}
	if len(dst) < n {
		return dst, fmt.Errorf("got %d, want %d", len(dst), n)
	}
	return dst[:n], nil
}

// checkRuns walks the runs of the RLE/bit-packed hybrid and refuses more values
// than n, give or take the padding of the last run: a run of three bytes may
// declare 2^31 values, which a decoder would lay out in memory.
func checkRuns(src []byte, width, n int) error {
	total := uint64(0)
	for len(src) > 0 {
		head, used := binary.Uvarint(src)
		if used <= 0 {
			return errors.New("run without a header")
		}
		src = src[used:]
		size, count := uint64(width+7)/8, head>>1
		if head&1 != 0 {
			if count > uint64(len(src)) {
				return errors.New("run is cut short")
			}
			size, count = count*uint64(width), count*8
		}
		if size > uint64(len(src)) {
			return errors.New("run is cut short")
		}
		src = src[size:]
		if count > uint64(n)+7 {
			return fmt.Errorf("run of %d values in a page of %d", count, n)
		}
		if total += count; total > uint64(n)+7 {
			return fmt.Errorf("runs of %d values in a page of %d", total, n)
		}
	}
	return nil
}

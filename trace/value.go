package trace

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// values decodes the values of a page from body, which follows the levels.
func (p *pageReader) values(pg *page, enc format.Encoding, body []byte) error {
	n := pg.n
	if p.maxDef > 0 {
		n = 0
		for _, d := range pg.def {
			if d > p.maxDef {
				return fmt.Errorf("definition level %d: the highest is %d", d, p.maxDef)
			}
			if d == p.maxDef {
				n++
			}
		}
	}
	pg.values.n, pg.dict = n, nil
	switch enc {
	case format.Plain:
		return pg.values.plain(p.kind, body, n, p.limits)
	case format.RLEDictionary, format.PlainDictionary: //nolint:staticcheck // older writers say so
		return p.indexes(pg, body, n)
	case format.DeltaBinaryPacked:
		return pg.values.delta(p.kind, body, n)
	case format.DeltaLengthByteArray:
		return pg.values.deltaLength(p.kind, body, n, p.limits)
	case format.RLE:
		return pg.values.booleans(p.kind, body, n)
	}
	return fmt.Errorf("encoding %s is not in use here", enc)
}

// indexes decodes n positions in the dictionary. Numbers are looked up at once,
// strings when they are copied into a record.
func (p *pageReader) indexes(pg *page, body []byte, n int) error {
	if !p.hasDict {
		return errors.New("page of dictionary positions without a dictionary")
	}
	if n == 0 {
		pg.index = pg.index[:0]
		pg.values.reset()
		return nil
	}
	if len(body) == 0 || body[0] > 32 {
		return errors.New("dictionary positions of no width")
	}
	if err := checkRuns(body[1:], int(body[0]), n); err != nil {
		return fmt.Errorf("dictionary positions: %w", err)
	}
	index, err := parquet.RLEDictionary.DecodeInt32(pg.index[:0], body)
	if err != nil {
		return fmt.Errorf("dictionary positions: %w", err)
	}
	pg.index = index
	if len(index) < n {
		return fmt.Errorf("dictionary positions: got %d, want %d", len(index), n)
	}
	index = index[:n]
	pg.index = index
	highest := uint32(0)
	for _, i := range index {
		highest = max(highest, uint32(i))
	}
	if int64(highest) >= int64(p.dict.n) {
		return fmt.Errorf("dictionary position %d: the dictionary has %d values", highest, p.dict.n)
	}
	switch p.kind {
	case parquet.Int32, parquet.Float:
		pg.values.w32 = resize(pg.values.w32, n)
		gather(pg.values.w32, p.dict.w32, index)
	case parquet.Int64, parquet.Double:
		pg.values.w64 = resize(pg.values.w64, n)
		gather(pg.values.w64, p.dict.w64, index)
	case parquet.ByteArray:
		pg.dict = &p.dict
	default:
		return fmt.Errorf("dictionary of %s", p.kind)
	}
	return nil
}

func gather[T any](dst, from []T, index []int32) {
	for i, at := range index {
		dst[i] = from[at]
	}
}

// resize returns a slice of n elements in the memory of s where that is enough.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

func (v *values) reset() {
	v.n = 0
	v.w32, v.w64, v.bits, v.spans = v.w32[:0], v.w64[:0], v.bits[:0], v.spans[:0]
}

// plain decodes n values of PLAIN encoding. Strings stay in body.
func (v *values) plain(kind parquet.Kind, body []byte, n int, limits *Limits) error {
	v.n = n
	width := map[parquet.Kind]int{parquet.Int32: 4, parquet.Float: 4, parquet.Int64: 8, parquet.Double: 8}[kind]
	if len(body)/max(width, 1) < n && width > 0 {
		return fmt.Errorf("%d bytes for %d values", len(body), n)
	}
	switch kind {
	case parquet.Int32, parquet.Float:
		v.w32 = resize(v.w32, n)
		for i := range v.w32 {
			v.w32[i] = binary.LittleEndian.Uint32(body[4*i:])
		}
	case parquet.Int64, parquet.Double:
		v.w64 = resize(v.w64, n)
		for i := range v.w64 {
			v.w64[i] = binary.LittleEndian.Uint64(body[8*i:])
		}
	case parquet.Boolean:
		if len(body) < (n+7)/8 {
			return fmt.Errorf("%d bytes for %d booleans", len(body), n)
		}
		v.bits = resize(v.bits, n)
		for i := range v.bits {
			v.bits[i] = body[i/8] >> (i % 8) & 1
		}
	case parquet.ByteArray:
		return v.plainStrings(body, n, limits)
	default:
		return fmt.Errorf("values of %s", kind)
	}
	return nil
}

func (v *values) plainStrings(body []byte, n int, limits *Limits) error {
	if len(body)/4 < n {
		return fmt.Errorf("%d bytes for %d strings", len(body), n)
	}
	v.data, v.spans = body, resize(v.spans, n)
	at := 0
	for i := range v.spans {
		if len(body)-at < 4 {
			return fmt.Errorf("string %d of a page: cut short", i)
		}
		size := int64(binary.LittleEndian.Uint32(body[at:]))
		at += 4
		if err := checkString(size, len(body)-at, limits); err != nil {
			return fmt.Errorf("string %d of a page: %w", i, err)
		}
		v.spans[i] = span{uint32(at), uint32(at + int(size))}
		at += int(size)
	}
	return nil
}

func checkString(size int64, left int, limits *Limits) error {
	if size < 0 || size > int64(left) {
		return errors.New("longer than its page")
	}
	if size > limits.StringBytes {
		return fmt.Errorf("has %d bytes: the limit is %d", size, limits.StringBytes)
	}
	return nil
}

// checkDelta refuses DELTA_BINARY_PACKED bytes that declare another number of
// values than want.
func checkDelta(body []byte, want int) error {
	for i := range 3 {
		u, n := binary.Uvarint(body)
		if n <= 0 {
			return errors.New("delta header: cut short")
		}
		body = body[n:]
		if i == 2 && u != uint64(want) {
			return fmt.Errorf("delta header: declares %d values, want %d", u, want)
		}
	}
	return nil
}

func (v *values) delta(kind parquet.Kind, body []byte, n int) error {
	if err := checkDelta(body, n); err != nil {
		return err
	}
	var got int
	switch kind {
	case parquet.Int32:
		out, err := parquet.DeltaBinaryPacked.DecodeInt32(asInt32(v.w32), body)
		if err != nil {
			return err
		}
		v.w32, got = asUint32(out), len(out)
	case parquet.Int64:
		out, err := parquet.DeltaBinaryPacked.DecodeInt64(asInt64(v.w64), body)
		if err != nil {
			return err
		}
		v.w64, got = asUint64(out), len(out)
	default:
		return fmt.Errorf("delta encoding of %s", kind)
	}
	if got != n {
		return fmt.Errorf("delta encoding: got %d values, want %d", got, n)
	}
	return nil
}

func (v *values) deltaLength(kind parquet.Kind, body []byte, n int, limits *Limits) error {
	if kind != parquet.ByteArray {
		return fmt.Errorf("delta lengths of %s", kind)
	}
	if err := checkDelta(body, n); err != nil {
		return err
	}
	data, offsets, err := parquet.DeltaLengthByteArray.DecodeByteArray(nil, body, nil)
	if err != nil {
		return err
	}
	if len(offsets) != n+1 {
		return fmt.Errorf("delta lengths: got %d strings, want %d", len(offsets)-1, n)
	}
	v.data, v.spans = data, resize(v.spans, n)
	for i := range v.spans {
		size := int64(offsets[i+1]) - int64(offsets[i])
		if err := checkString(size, len(data)-min(int(offsets[i]), len(data)), limits); err != nil {
			return err
		}
		v.spans[i] = span{offsets[i], offsets[i+1]}
	}
	return nil
}

// booleans decodes RLE-encoded booleans: a length, then runs of width 1.
func (v *values) booleans(kind parquet.Kind, body []byte, n int) error {
	if kind != parquet.Boolean {
		return fmt.Errorf("encoding RLE of %s", kind)
	}
	var err error
	v.bits, _, err = levelsV1(v.bits, body, n, 1, format.RLE)
	return err
}

package trace

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/parquet-go/parquet-go/format"
)

// columnReader turns the pages of one column chunk into Arrow arrays, some rows
// at a time.
type columnReader struct {
	field   arrow.Field
	element arrow.DataType // of a list; the field's type otherwise
	list    bool
	absent  byte // definition level from which on the row itself is not null
	pages   pageReader
	page    page
	level   int // next level of page
	value   int // next value of page
	out     columnBuffers
	reuse   bool // an array is no longer needed when the next one is read

	// Of the batch before, what to make room for.
	lastData   int // bytes of strings
	lastValues int // of lists
}

// columnBuffers is an array in the making. Its slices go into the Arrow array
// as they are.
type columnBuffers struct {
	rows    int // rows begun
	nulls   int // rows that are null
	valid   []byte
	offsets []int32 // of lists: where row i begins
	n       int     // values, those of lists included
	w16     []uint16
	w32     []uint32
	w64     []uint64
	bits    []byte
	strings []int32 // where string i begins
	data    []byte
}

// reset points c at the chunk of another row group.
func (c *columnReader) reset(from, to int64, codec format.CompressionCodec) {
	c.pages.reset(from, to, codec)
	c.page.n, c.level, c.value = 0, 0, 0
}

// read appends want rows to an array of its own and returns that. bytes is the
// memory that the record may still take; read takes its share of it.
func (c *columnReader) read(want int, bytes *int64) (arrow.Array, error) {
	c.start(want)
	budget := *bytes
	for {
		if c.level == c.page.n {
			if c.out.rows == want && !c.list {
				break
			}
			err := c.pages.next(&c.page)
			if errors.Is(err, io.EOF) {
				c.page.n, c.level, c.value = 0, 0, 0
				break
			}
			if err != nil {
				return nil, err
			}
			c.level, c.value = 0, 0
		}
		var err error
		var full bool
		if c.list {
			full, err = c.takeLists(want)
		} else {
			err = c.takeFlat(want - c.out.rows)
			full = c.out.rows == want
		}
		if err != nil {
			return nil, err
		}
		if *bytes = budget - c.out.bytes(); *bytes < 0 {
			return nil, fmt.Errorf("a record of more than %d bytes: read fewer rows at a time", c.pages.limits.BatchBytes)
		}
		if full {
			break
		}
	}
	if c.out.rows != want {
		return nil, fmt.Errorf("ends %d rows before its row group does", want-c.out.rows)
	}
	return c.finish()
}

// drained returns an error where values are left after the last row.
func (c *columnReader) drained() error {
	if c.level < c.page.n || c.pages.off < c.pages.end {
		if c.level == c.page.n {
			if err := c.pages.next(&c.page); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
		return errors.New("has more rows than its row group")
	}
	return nil
}

// start makes room for an array, in the memory of the one before where nobody
// needs that any more.
func (c *columnReader) start(want int) {
	o := &c.out
	if !c.reuse {
		*o = columnBuffers{}
	}
	o.rows, o.nulls, o.n = 0, 0, 0
	if c.field.Nullable {
		o.valid = zeroed(o.valid, int(bitutil.BytesForBits(int64(want))))
	}
	room := want
	if c.list {
		o.offsets = emptied(o.offsets, want+1)
		room = max(c.lastValues, 16)
	}
	switch c.element.ID() {
	case arrow.UINT16:
		o.w16 = emptied(o.w16, room)
	case arrow.INT32, arrow.UINT32, arrow.FLOAT32:
		o.w32 = emptied(o.w32, room)
	case arrow.BOOL:
		o.bits = zeroed(o.bits, int(bitutil.BytesForBits(int64(room))))
	case arrow.STRING:
		o.strings = emptied(o.strings, room+1)
		o.data = emptied(o.data, c.lastData+c.lastData/8)
	default:
		o.w64 = emptied(o.w64, room)
	}
}

// emptied returns a slice of no elements with room for n, in the memory of s where
// that is enough.
func emptied[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, 0, n)
	}
	return s[:0]
}

// zeroed returns n zero bytes, in the memory of s where that is enough.
func zeroed(s []byte, n int) []byte {
	s = emptied(s, n)[:n]
	clear(s)
	return s
}

func (o *columnBuffers) bytes() int64 {
	return int64(len(o.valid) + 4*len(o.offsets) + 2*len(o.w16) + 4*len(o.w32) + 8*len(o.w64) +
		len(o.bits) + 4*len(o.strings) + len(o.data))
}

// takeFlat moves at most n rows of the page, runs of nulls and of values at once.
func (c *columnReader) takeFlat(n int) error {
	n = min(n, c.page.n-c.level)
	if c.pages.maxDef == 0 {
		c.out.mark(n, c.field.Nullable)
		c.level += n
		return c.takeValues(n)
	}
	def := c.page.def[c.level : c.level+n]
	c.level += n
	for len(def) > 0 {
		run, here := 1, def[0] == c.pages.maxDef
		for run < len(def) && (def[run] == c.pages.maxDef) == here {
			run++
		}
		def = def[run:]
		if here {
			c.out.mark(run, c.field.Nullable)
			if err := c.takeValues(run); err != nil {
				return err
			}
			continue
		}
		if !c.field.Nullable {
			return errors.New("null where the column has none")
		}
		c.out.rows += run
		c.out.nulls += run
		c.takeNulls(run)
	}
	return nil
}

// mark begins n rows that are not null.
func (o *columnBuffers) mark(n int, nullable bool) {
	if nullable {
		bitutil.SetBitsTo(o.valid, int64(o.rows), int64(n), true)
	}
	o.rows += n
}

// takeNulls puts n values that nobody reads below null rows.
func (c *columnReader) takeNulls(n int) {
	o := &c.out
	switch c.element.ID() {
	case arrow.UINT16:
		o.w16 = append(o.w16, make([]uint16, n)...)
	case arrow.INT32, arrow.UINT32, arrow.FLOAT32:
		o.w32 = append(o.w32, make([]uint32, n)...)
	case arrow.BOOL:
		o.grow(n)
	case arrow.STRING:
		for range n {
			o.strings = append(o.strings, int32(len(o.data)))
		}
	default:
		o.w64 = append(o.w64, make([]uint64, n)...)
	}
	o.n += n
}

// takeLists moves the page's levels until want rows are complete: that is when
// the next one begins. It reports whether they are.
func (c *columnReader) takeLists(want int) (bool, error) {
	o, present := &c.out, 0
	rep, def := c.page.rep[:c.page.n], c.page.def[:c.page.n]
	i, full := c.level, false
	for ; i < len(rep); i++ {
		d := def[i]
		if rep[i] == 0 {
			if o.rows == want {
				full = true
				break
			}
			o.offsets = append(o.offsets, int32(o.n+present))
			if d >= c.absent {
				o.mark(1, c.field.Nullable)
			} else {
				if !c.field.Nullable {
					return false, errors.New("null where the column has none")
				}
				o.rows++
				o.nulls++
			}
		} else if o.rows == 0 {
			return false, errors.New("row without a beginning")
		}
		switch {
		case d == c.pages.maxDef:
			present++
			if int64(o.n+present)-int64(o.offsets[len(o.offsets)-1]) > c.pages.limits.ListLength {
				return false, fmt.Errorf("list of more than %d elements", c.pages.limits.ListLength)
			}
		case rep[i] != 0 || d > c.absent:
			return false, errors.New("null element of a list")
		}
	}
	c.level = i
	if o.n+present > math.MaxInt32 {
		return false, errors.New("more than 2^31 elements in a record")
	}
	return full, c.takeValues(present)
}

// takeValues moves n values of the page.
func (c *columnReader) takeValues(n int) error {
	o, v, at := &c.out, &c.page.values, c.value
	c.value += n
	switch c.element.ID() {
	case arrow.UINT16:
		for _, w := range v.w32[at : at+n] {
			if w > 0xffff {
				return fmt.Errorf("%d does not fit uint16", w)
			}
			o.w16 = append(o.w16, uint16(w))
		}
	case arrow.INT32, arrow.UINT32, arrow.FLOAT32:
		o.w32 = append(o.w32, v.w32[at:at+n]...)
	case arrow.BOOL:
		first := o.grow(n)
		for i, b := range v.bits[at : at+n] {
			bitutil.SetBitTo(o.bits, first+i, b != 0)
		}
	case arrow.STRING:
		return c.takeStrings(at, n)
	default:
		o.w64 = append(o.w64, v.w64[at:at+n]...)
	}
	o.n += n
	return nil
}

func (c *columnReader) takeStrings(at, n int) error {
	o, room := &c.out, int(c.pages.limits.BatchBytes)
	if d := c.page.dict; d != nil {
		for _, i := range c.page.index[at : at+n] {
			s := d.spans[i]
			o.strings = append(o.strings, int32(len(o.data)))
			o.data = append(o.data, d.data[s.from:s.to]...)
			if len(o.data) > room {
				return fmt.Errorf("strings of more than %d bytes in a record: read fewer rows at a time", room)
			}
		}
	} else {
		v := &c.page.values
		for _, s := range v.spans[at : at+n] {
			o.strings = append(o.strings, int32(len(o.data)))
			o.data = append(o.data, v.data[s.from:s.to]...)
			if len(o.data) > room {
				return fmt.Errorf("strings of more than %d bytes in a record: read fewer rows at a time", room)
			}
		}
	}
	o.n += n
	return nil
}

// grow makes room for n more booleans and returns where they begin.
func (o *columnBuffers) grow(n int) int {
	for need := int(bitutil.BytesForBits(int64(o.n + n))); len(o.bits) < need; {
		o.bits = append(o.bits, make([]byte, need-len(o.bits))...)
	}
	return o.n
}

// finish makes the array of what was taken.
func (c *columnReader) finish() (arrow.Array, error) {
	o := &c.out
	c.lastValues = o.n
	var valid *memory.Buffer
	if o.nulls > 0 {
		valid = memory.NewBufferBytes(o.valid)
	}
	below := valid
	if c.list {
		below = nil
	}
	var values *array.Data
	switch c.element.ID() {
	case arrow.UINT16:
		values = o.array(c.element, below, arrow.Uint16Traits.CastToBytes(o.w16))
	case arrow.INT32, arrow.UINT32, arrow.FLOAT32:
		values = o.array(c.element, below, arrow.Uint32Traits.CastToBytes(o.w32))
	case arrow.BOOL:
		values = o.array(c.element, below, o.bits)
	case arrow.STRING:
		c.lastData = len(o.data)
		o.strings = append(o.strings, int32(len(o.data)))
		values = o.array(c.element, below, arrow.Int32Traits.CastToBytes(o.strings), o.data)
	default:
		values = o.array(c.element, below, arrow.Uint64Traits.CastToBytes(o.w64))
	}
	if !c.list {
		return array.MakeFromData(values), nil
	}
	o.offsets = append(o.offsets, int32(o.n))
	offsets := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(o.offsets))
	list := array.NewData(c.field.Type, o.rows, []*memory.Buffer{valid, offsets},
		[]arrow.ArrayData{values}, o.nulls, 0)
	return array.MakeFromData(list), nil
}

func (o *columnBuffers) array(t arrow.DataType, valid *memory.Buffer, parts ...[]byte) *array.Data {
	buffers := []*memory.Buffer{valid}
	for _, b := range parts {
		buffers = append(buffers, memory.NewBufferBytes(b))
	}
	nulls := 0
	if valid != nil {
		nulls = o.nulls
	}
	return array.NewData(t, o.n, buffers, nil, nulls, 0)
}

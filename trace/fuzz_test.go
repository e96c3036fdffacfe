package trace

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// FuzzOpen reads any bytes as a trace: there must be no panic, and an error is
// one line that names the file.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	writeTrace(f, dir, "a", sampleEvents(30, 1), sampleSequences(5, 1))
	tr, err := Open(dir)
	if err != nil {
		f.Fatal(err)
	}
	for _, table := range []Table{Events, Sequences} {
		b, err := os.ReadFile(tr.Files(table)[0].Path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("PAR1\x00\x01\x00\x00\x00PAR1"))
	f.Add([]byte("a,b\n1,2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "x.parquet")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(path); err != nil && (!strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("got %q, want one line that names %s", err, path)
		}
	})
}

// FuzzPages reads any bytes as the pages of a column chunk, without the
// checksums that keep FuzzOpen out of the decoders.
func FuzzPages(f *testing.F) {
	for _, seed := range pageSeeds(f) {
		f.Add(byte(seed.kind), seed.maxRep, seed.maxDef, byte(seed.codec), seed.chunk)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<20))
	if err != nil {
		f.Fatal(err)
	}
	limits := Limits{PageBytes: 1 << 20, PageValues: 1 << 16}.orDefaults()
	f.Fuzz(func(t *testing.T, kind, maxRep, maxDef, codec byte, chunk []byte) {
		p := pageReader{r: bytes.NewReader(chunk), end: int64(len(chunk)), codec: format.CompressionCodec(codec % 7),
			kind: parquet.Kind(kind % 7), maxRep: maxRep % 2, maxDef: maxDef % 3, limits: &limits, zstd: decoder}
		var pg page
		for {
			err := next(&p, &pg)
			if err != nil {
				return
			}
			if p.maxDef > 0 && len(pg.def) != pg.n || p.maxRep > 0 && len(pg.rep) != pg.n {
				t.Fatalf("got %d and %d levels, want %d", len(pg.def), len(pg.rep), pg.n)
			}
			v := pg.values
			if pg.dict == nil && max(len(v.w32), len(v.w64), len(v.bits), len(v.spans)) < v.n ||
				pg.dict != nil && len(pg.index) != v.n {
				t.Fatalf("page of %d values holds fewer", v.n)
			}
		}
	})
}

// next is one page as the cursor reads it: a panic of a decoder is an error.
func next(p *pageReader, pg *page) (err error) {
	defer recovered(&err)
	return p.next(pg)
}

type pageSeed struct {
	kind           parquet.Kind
	maxRep, maxDef byte
	codec          format.CompressionCodec
	chunk          []byte
}

// pageSeeds returns the column chunks of a small file without checksums.
func pageSeeds(f *testing.F) []pageSeed {
	path := filepath.Join(f.TempDir(), "x.parquet")
	writeRecords(f, path, ParquetOptions{}, everyTypeRecord(40, 0))
	file, err := OpenParquet(path, nil, Limits{})
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	c, err := file.cursor(0)
	if err != nil {
		f.Fatal(err)
	}
	c.group = 0
	c.begin()
	var seeds []pageSeed
	for _, r := range c.columns {
		p := &r.pages
		var chunk []byte
		for p.off < p.end {
			h, err := p.header()
			if err != nil {
				f.Fatal(err)
			}
			body, err := p.bytes(p.off, int(h.CompressedPageSize))
			if err != nil && !errors.Is(err, io.EOF) {
				f.Fatal(err)
			}
			p.off += int64(h.CompressedPageSize)
			h.CRC = 0
			head, err := thrift.Marshal(new(thrift.CompactProtocol), h)
			if err != nil {
				f.Fatal(err)
			}
			chunk = append(append(chunk, head...), body...)
		}
		seeds = append(seeds, pageSeed{p.kind, p.maxRep, p.maxDef, p.codec, chunk})
	}
	return seeds
}

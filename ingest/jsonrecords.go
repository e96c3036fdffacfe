package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// jsonRecords reads a file of JSON objects: one on each line, over several lines,
// or as the elements of one array. After what is no JSON it goes on at the next
// line that begins with an object.
type jsonRecords struct {
	in     *Input
	out    *Sink
	scan   jsonScan
	buf    []byte
	at     int   // begin of the next record in buf
	base   int64 // offset of buf in the file
	lines  int64 // line breaks before buf
	record int64
	array  bool // the records are elements of an array
	eof    bool
}

const jsonBuffer = 1 << 20

// readJSON calls parse for each object of the input, with the scanner before it.
// parse reads it to its end and returns what is wrong with it, "" or a cause: a
// record that is bad is rejected, others are given to done, which makes rows of
// them.
func readJSON(ctx context.Context, in *Input, out *Sink, parse func(*jsonScan), done func() error) error {
	r := &jsonRecords{in: in, out: out, buf: make([]byte, 0, jsonBuffer), base: in.Start}
	r.scan.most = in.Limits.Nesting
	if err := r.begin(); err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		more, err := r.next()
		if err != nil || !more {
			return err
		}
		if err := r.one(parse, done); err != nil {
			if errors.Is(err, errWaits) {
				return nil
			}
			return err
		}
	}
}

// errWaits says that the file ends inside of a record.
var errWaits = errors.New("waits")

// begin passes a byte order mark.
func (r *jsonRecords) begin() error {
	if err := r.fill(); err != nil {
		return err
	}
	if r.in.Start == 0 && bytes.HasPrefix(r.buf, []byte("\xef\xbb\xbf")) {
		r.at = 3
	}
	r.array = r.in.Start > 0 // of a file that goes on it is not known
	return nil
}

// fill reads more, behind what is in the buffer from at on.
func (r *jsonRecords) fill() error {
	if r.eof {
		return nil
	}
	r.lines += int64(bytes.Count(r.buf[:r.at], []byte{'\n'}))
	r.base += int64(r.at)
	rest := r.buf[r.at:]
	if len(rest) > cap(r.buf)/2 {
		r.buf = append(make([]byte, 0, 2*cap(r.buf)), rest...)
	} else {
		r.buf = r.buf[:copy(r.buf[:cap(r.buf)], rest)]
	}
	r.at = 0
	for len(r.buf) < cap(r.buf) {
		n, err := r.in.Reader.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		if errors.Is(err, io.EOF) {
			r.eof = true
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// next goes to the begin of the next record; false at the end of the file.
func (r *jsonRecords) next() (bool, error) {
	for {
		for ; r.at < len(r.buf); r.at++ {
			switch c := r.buf[r.at]; c {
			case ' ', '\t', '\r', '\n', 0x1e: // 0x1e begins a record of RFC 7464
				continue
			case '[':
				if r.record == 0 && !r.array {
					r.array = true
					continue
				}
			case ',', ']':
				if r.array {
					continue
				}
			}
			r.out.Mark(r.base + int64(r.at))
			return true, nil
		}
		r.out.Mark(r.base + int64(r.at))
		if r.eof {
			return false, nil
		}
		if err := r.fill(); err != nil {
			return false, err
		}
	}
}

// one reads one record.
func (r *jsonRecords) one(parse func(*jsonScan), done func() error) error {
	if r.record++; r.record > r.in.Limits.Records {
		return fmt.Errorf("more than %d records (--max-records)", r.in.Limits.Records)
	}
	for {
		r.scan.reset(r.buf[r.at:])
		if r.buf[r.at] == '{' {
			parse(&r.scan)
		} else {
			r.scan.fail("an object")
		}
		switch err := r.scan.err; {
		case err == nil && int64(r.scan.i) > r.in.Limits.LineBytes, errors.Is(err, errCut) && int64(len(r.buf)-r.at) > r.in.Limits.LineBytes:
			return r.reject(fmt.Errorf("a record of more than %d bytes (--max-line)", r.in.Limits.LineBytes), err == nil)
		case err == nil && r.scan.bad != nil:
			return r.reject(r.scan.bad, true)
		case err == nil:
			if err := done(); err != nil {
				var bad badRecord
				if errors.As(err, &bad) {
					return r.reject(bad.error, true)
				}
				return err
			}
			r.at += r.scan.i
			r.out.Mark(r.base + int64(r.at))
			return nil
		case !errors.Is(err, errCut):
			return r.reject(err, false)
		case r.eof:
			return r.cut()
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// badRecord is the error of a record that is sound JSON and cannot be a row.
type badRecord struct{ error }

// cut ends with a record that the file ends inside of, unless a line after its
// begin says that it was only never finished.
func (r *jsonRecords) cut() error {
	if bytes.Contains(r.buf[r.at:], []byte("\n{")) {
		return r.reject(errCut, false)
	}
	return errWaits
}

// reject tells of the record at hand and passes it: to its end where that is
// known, else to the next line that begins with an object.
func (r *jsonRecords) reject(why error, whole bool) error {
	end := r.at + r.scan.i
	if !whole {
		end = min(len(r.buf), r.at+maxSampleBytes+1)
	}
	pos := Position{Offset: r.base + int64(r.at), Record: r.record,
		Line: r.lines + int64(bytes.Count(r.buf[:r.at], []byte{'\n'})) + 1}
	if r.in.Start > 0 {
		pos.Line, pos.Record = 0, 0 // counted from where the file was continued
	}
	if err := r.out.Reject(pos, r.buf[r.at:end], why); err != nil {
		return err
	}
	if whole {
		r.at = end
		r.out.Mark(r.base + int64(r.at))
		return nil
	}
	return r.resync()
}

func (r *jsonRecords) resync() error {
	for r.at++; ; {
		if i := bytes.Index(r.buf[r.at:], []byte("\n{")); i >= 0 {
			r.at += i + 1
			r.out.Mark(r.base + int64(r.at))
			return nil
		}
		if r.eof {
			r.at = len(r.buf)
			r.out.Mark(r.base + int64(r.at))
			return nil
		}
		r.at = max(r.at, len(r.buf)-1)
		if err := r.fill(); err != nil {
			return err
		}
	}
}

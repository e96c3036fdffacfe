package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// lines reads the lines of an input, none longer than a limit. It is for one
// goroutine.
type lines struct {
	r          io.Reader
	buf        []byte
	from, to   int // of buf: what is read and not handed out
	max        int
	at         Position // of the next line
	err        error    // of the reader
	incomplete bool
}

// newLines returns the lines of an input.
func newLines(in *Input) *lines {
	limit := int(in.Limits.LineBytes)
	return &lines{r: in.Reader, buf: make([]byte, min(256<<10, limit+1)), max: limit, at: Position{Offset: in.Start, Line: 1}}
}

// errLong is the cause of a line that is too long; the line is then its begin.
var errLong = errors.New("line too long")

// next returns the next line without its end, valid until the next call, and
// where it begins. The error is io.EOF at the end, the reader's, or errLong (and
// then reading may go on). The last line of a file may lack its end: incomplete
// says so.
func (l *lines) next() (line []byte, at Position, err error) {
	at = l.at
	seen := 0
	for {
		if i := bytes.IndexByte(l.buf[l.from+seen:l.to], '\n'); i >= 0 {
			line = l.buf[l.from : l.from+seen+i]
			l.from += seen + i + 1
			l.at.Offset += int64(seen + i + 1)
			l.at.Line++
			return bytes.TrimSuffix(line, []byte("\r")), at, nil
		}
		seen = l.to - l.from
		if seen > l.max {
			line, err = bytes.Clone(l.buf[l.from:l.from+min(seen, 4096)]), l.skip()
			if err == nil {
				err = fmt.Errorf("%w: more than %d bytes", errLong, l.max)
			}
			return line, at, err
		}
		if l.err != nil {
			break
		}
		l.fill()
	}
	if !errors.Is(l.err, io.EOF) {
		return nil, at, l.err
	}
	if seen == 0 {
		return nil, at, io.EOF
	}
	line = l.buf[l.from:l.to]
	l.from, l.incomplete = l.to, true
	l.at.Offset += int64(seen)
	return bytes.TrimSuffix(line, []byte("\r")), at, nil
}

// fill reads more, and makes room for it.
func (l *lines) fill() {
	if l.from > 0 {
		l.to = copy(l.buf, l.buf[l.from:l.to])
		l.from = 0
	}
	if l.to == len(l.buf) {
		grown := make([]byte, min(2*len(l.buf), l.max+1))
		copy(grown, l.buf)
		l.buf = grown
	}
	for range 100 {
		n, err := l.r.Read(l.buf[l.to:])
		l.to += n
		l.err = err
		if n > 0 || err != nil {
			return
		}
	}
	l.err = io.ErrNoProgress
}

// skip passes over the rest of a line.
func (l *lines) skip() error {
	for {
		if i := bytes.IndexByte(l.buf[l.from:l.to], '\n'); i >= 0 {
			l.from += i + 1
			l.at.Offset += int64(i + 1)
			l.at.Line++
			return nil
		}
		l.at.Offset += int64(l.to - l.from)
		l.from = l.to
		if l.err != nil {
			if errors.Is(l.err, io.EOF) {
				l.incomplete = true
				return nil
			}
			return l.err
		}
		l.fill()
	}
}

// newBuffered is the reader of formats that are no lines.
func newBuffered(r io.Reader) io.Reader { return bufio.NewReaderSize(r, 256<<10) }

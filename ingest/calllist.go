package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"

	"mayfly/trace"
)

// ADFALD reads a trace of ADFA-LD: one file is the calls of one process, numbers
// of i386's table parted by white space, without times. The file becomes a
// container of its own (see StandIn), with one thread of pid 0.
type ADFALD struct{}

// Format is "adfa-ld".
func (ADFALD) Format() string { return "adfa-ld" }

// adfaName is how the dataset names its files: content alone could be any numbers.
var adfaName = regexp.MustCompile(`^U[TVA]D-[\w-]+\.txt$`)

// Sniff wants the dataset's name and nothing but numbers.
func (ADFALD) Sniff(name string, head []byte) bool {
	if !adfaName.MatchString(name) || len(head) == 0 {
		return false
	}
	for _, c := range head {
		if (c < '0' || c > '9') && c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}

// Read decodes a trace.
func (ADFALD) Read(ctx context.Context, in *Input, out *Sink) error {
	if err := out.Machine(in.Host, Machine{Arch: "386"}); err != nil {
		return err
	}
	id, name := StandIn("adfa-ld", in.Name)
	if err := out.Container(in.Host, standInRow(id, name, 0)); err != nil {
		return err
	}
	f := newFollower(out, in.Host)
	t, err := f.thread(0)
	if err != nil {
		return err
	}
	t.process.row.ContainerID = id
	text := newLines(in)
	for n := int64(0); ; {
		line, at, err := text.next()
		switch {
		case errors.Is(err, io.EOF):
			return errors.Join(f.close(), ctx.Err())
		case errors.Is(err, errLong):
			if err := out.Reject(at, line, err); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		for field := range bytes.FieldsSeq(line) {
			if n++; n > in.Limits.Records {
				return fmt.Errorf("more than %d calls", in.Limits.Records)
			}
			call := decimal(field)
			if call < 0 || call >= trace.CompatCall {
				err = out.Reject(at, field, errors.New("no number of i386's table of calls"))
			} else {
				err = f.call(t, uint16(call), 0)
			}
			if err != nil {
				return err
			}
		}
	}
}

// UNM reads the traces of the University of New Mexico: lines of a pid and a call
// number, without times. A file becomes a container of its own (see StandIn). The
// numbers are taken for i386's; those of the sets recorded on SunOS (sendmail,
// lpr) are that system's, and have wrong names here.
type UNM struct{}

// Format is "unm".
func (UNM) Format() string { return "unm" }

// Sniff wants at least eight lines, each of two numbers.
func (UNM) Sniff(_ string, head []byte) bool {
	n := 0
	for {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		if !whole {
			return n >= 8
		}
		head = rest
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if _, _, err := unmLine(line); err != nil {
			return false
		}
		n++
	}
}

func unmLine(line []byte) (pid int32, call uint16, err error) {
	fields := bytes.Fields(line)
	if len(fields) != 2 {
		return 0, 0, fmt.Errorf("%d fields, want a pid and a call number", len(fields))
	}
	p, c := decimal(fields[0]), decimal(fields[1])
	if p < 0 || p > 1<<31-1 {
		return 0, 0, fmt.Errorf("pid: got %.20q", fields[0])
	}
	if c < 0 || c >= trace.CompatCall {
		return 0, 0, fmt.Errorf("call number: got %.20q", fields[1])
	}
	return int32(p), uint16(c), nil
}

// Read decodes a trace.
func (UNM) Read(ctx context.Context, in *Input, out *Sink) error {
	if err := out.Machine(in.Host, Machine{Arch: "386"}); err != nil {
		return err
	}
	id, name := StandIn("unm", in.Name)
	if err := out.Container(in.Host, standInRow(id, name, 0)); err != nil {
		return err
	}
	f := newFollower(out, in.Host)
	text := newLines(in)
	for n := int64(0); ; n++ {
		line, at, err := text.next()
		if errors.Is(err, io.EOF) {
			return errors.Join(f.close(), ctx.Err())
		}
		if err != nil && !errors.Is(err, errLong) {
			return err
		}
		if n >= in.Limits.Records {
			return fmt.Errorf("more than %d lines", in.Limits.Records)
		}
		if err == nil && len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var pid int32
		var call uint16
		if err == nil {
			pid, call, err = unmLine(line)
		}
		if err != nil {
			if err := out.Reject(at, line, err); err != nil {
				return err
			}
			continue
		}
		t, err := f.thread(pid)
		if err == nil {
			t.process.row.ContainerID = id
			err = f.call(t, call, 0)
		}
		if err != nil {
			return err
		}
	}
}

package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errShort says that a thrift struct goes on after the bytes at hand.
var errShort = errors.New("cut short")

// thriftScan walks thrift's compact encoding and keeps nothing of it. Its
// purpose is to refuse, before parquet-go decodes them, counts that the bytes
// cannot hold: the decoder allocates a list by its declared length, and a length
// of 2^31 in a footer of 20 bytes would end the process.
type thriftScan struct {
	b     []byte
	at    int
	items int // how many structs may still come in lists
}

// thriftLen returns the length of the struct that b begins with. errShort
// matches where b ends before the struct does.
func thriftLen(b []byte, items int) (int, error) {
	s := thriftScan{b: b, items: items}
	if err := s.structure(0); err != nil {
		return 0, err
	}
	return s.at, nil
}

// Types of thrift's compact protocol.
const (
	thriftStop, thriftTrue, thriftFalse, thriftByte, thriftI16, thriftI32 = 0, 1, 2, 3, 4, 5

	thriftI64, thriftDouble, thriftBinary, thriftList, thriftSet, thriftMap, thriftStruct = 6, 7, 8, 9, 10, 11, 12
)

const thriftDepth = 24

func (s *thriftScan) structure(depth int) error {
	if depth > thriftDepth {
		return errors.New("nested too deep")
	}
	for {
		head, err := s.byte()
		if err != nil || head == thriftStop {
			return err
		}
		if head>>4 == 0 { // the field's number follows
			if _, err := s.uvarint(); err != nil {
				return err
			}
		}
		if kind := head & 15; kind != thriftTrue && kind != thriftFalse {
			if err := s.value(kind, depth); err != nil {
				return err
			}
		}
	}
}

func (s *thriftScan) value(kind byte, depth int) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return s.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := s.uvarint()
		return err
	case thriftDouble:
		return s.skip(8)
	case thriftBinary:
		n, err := s.uvarint()
		if err != nil {
			return err
		}
		return s.skip(n)
	case thriftList, thriftSet:
		return s.list(depth)
	case thriftStruct:
		return s.structure(depth + 1)
	}
	return fmt.Errorf("thrift type %d is not in use in Parquet", kind)
}

func (s *thriftScan) list(depth int) error {
	head, err := s.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = s.uvarint(); err != nil {
			return err
		}
	}
	// Each element takes a byte or more.
	if n > uint64(len(s.b)-s.at) {
		return errShort
	}
	if head&15 == thriftStruct {
		if s.items -= int(n); s.items < 0 {
			return errors.New("has too many entries")
		}
	}
	for range n {
		if err := s.value(head&15, depth); err != nil {
			return err
		}
	}
	return nil
}

func (s *thriftScan) byte() (byte, error) {
	if s.at >= len(s.b) {
		return 0, errShort
	}
	s.at++
	return s.b[s.at-1], nil
}

func (s *thriftScan) skip(n uint64) error {
	if n > uint64(len(s.b)-s.at) {
		return errShort
	}
	s.at += int(n)
	return nil
}

func (s *thriftScan) uvarint() (uint64, error) {
	v, n := binary.Uvarint(s.b[s.at:])
	switch {
	case n == 0:
		return 0, errShort
	case n < 0:
		return 0, errors.New("number out of range")
	}
	s.at += n
	return v, nil
}

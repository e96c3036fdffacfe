package onnx

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is a protocol buffer that is being written. Field numbers are those of
// onnx.proto (IR version 8).
type message []byte

func (m message) text(field protowire.Number, v string) message {
	return protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), v)
}

func (m message) int(field protowire.Number, v int64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), uint64(v))
}

func (m message) message(field protowire.Number, v message) message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), v)
}

// Types of an attribute and elements of a tensor.
const (
	typeInt     = 2
	typeString  = 3
	typeFloats  = 6
	typeInts    = 7
	typeStrings = 8

	elementFloat  = 1
	elementInt64  = 7
	elementDouble = 11
)

// attribute is the beginning of an AttributeProto.
func attribute(name string, kind int64) message { return message(nil).text(1, name).int(20, kind) }

func intAttribute(name string, v int64) message { return attribute(name, typeInt).int(3, v) }

func stringAttribute(name, v string) message { return attribute(name, typeString).text(4, v) }

func intsAttribute(name string, values []int64) message {
	var packed []byte
	for _, v := range values {
		packed = protowire.AppendVarint(packed, uint64(v))
	}
	return attribute(name, typeInts).message(8, packed)
}

func floatsAttribute(name string, values []float32) message {
	var packed []byte
	for _, v := range values {
		packed = protowire.AppendFixed32(packed, math.Float32bits(v))
	}
	return attribute(name, typeFloats).message(7, packed)
}

func stringsAttribute(name string, values []string) message {
	m := attribute(name, typeStrings)
	for _, v := range values {
		m = m.text(9, v)
	}
	return m
}

// node is a NodeProto.
func node(domain, op string, inputs []string, output string, attributes ...message) message {
	var m message
	for _, name := range inputs {
		m = m.text(1, name)
	}
	m = m.text(2, output).text(3, output).text(4, op)
	for _, a := range attributes {
		m = m.message(5, a)
	}
	if domain != "" {
		m = m.text(7, domain)
	}
	return m
}

// tensor is a TensorProto of doubles, of shape [1, n], or a scalar when n is -1.
func tensor(name string, n int, values ...float64) message {
	var m message
	if n >= 0 {
		m = m.int(1, 1).int(1, int64(n))
	}
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	return m.int(2, elementDouble).text(8, name).message(9, raw)
}

// indices is a TensorProto of int64 of shape [n].
func indices(name string, values []int) message {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return message(nil).int(1, int64(len(values))).int(2, elementInt64).text(8, name).message(9, raw)
}

// value is the ValueInfoProto of a float32 matrix of N rows.
func value(name string, columns int64) message {
	shape := message(nil).
		message(1, message(nil).text(2, "N")).
		message(1, message(nil).int(1, columns))
	matrix := message(nil).int(1, elementFloat).message(2, shape)
	return message(nil).text(1, name).message(2, message(nil).message(1, matrix))
}

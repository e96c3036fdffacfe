package onnx_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// What follows reads a model and runs it as the ONNX specification says
// (onnx/onnx.proto, docs/Operators.md, docs/Operators-ml.md), without a line of
// what writes it.

// fields is a protocol buffer: the values of each field, in order.
type fields map[protowire.Number][]fieldValue

type fieldValue struct {
	n uint64 // varint or fixed
	b []byte // length-delimited
}

func parse(t testing.TB, b []byte) fields {
	t.Helper()
	f := fields{}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		var v fieldValue
		switch typ {
		case protowire.VarintType:
			v.n, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			v.b, n = protowire.ConsumeBytes(b)
		default:
			t.Fatalf("field %d: type %d is not in a model", num, typ)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		f[num] = append(f[num], v)
	}
	return f
}

func (f fields) text(num protowire.Number) string {
	if len(f[num]) == 0 {
		return ""
	}
	return string(f[num][0].b)
}

func (f fields) int(num protowire.Number) int64 {
	if len(f[num]) == 0 {
		return 0
	}
	return int64(f[num][0].n)
}

// matrix is a tensor of rows × columns; every element type fits a float64.
type matrix struct {
	rows, columns int
	v             []float64
}

func (a matrix) at(r, c int) float64 {
	if a.rows == 1 {
		r = 0
	}
	if a.columns == 1 {
		c = 0
	}
	return a.v[r*a.columns+c]
}

// tensorOf reads a TensorProto.
func tensorOf(t testing.TB, f fields) matrix {
	t.Helper()
	a := matrix{1, 1, nil}
	dims := f[1]
	switch len(dims) {
	case 1:
		a.columns = int(dims[0].n)
	case 2:
		a.rows, a.columns = int(dims[0].n), int(dims[1].n)
	}
	raw := f[9][0].b
	for i := 0; i < len(raw); i += 8 {
		u := binary.LittleEndian.Uint64(raw[i:])
		switch f.int(2) {
		case 11:
			a.v = append(a.v, math.Float64frombits(u))
		case 7:
			a.v = append(a.v, float64(int64(u)))
		default:
			t.Fatalf("tensor %s: element type %d", f.text(8), f.int(2))
		}
	}
	if len(a.v) != a.rows*a.columns {
		t.Fatalf("tensor %s: %d elements for %d × %d", f.text(8), len(a.v), a.rows, a.columns)
	}
	return a
}

// operator is a NodeProto.
type operator struct {
	op, domain string
	inputs     []string
	output     string
	attributes map[string]fields
}

func operatorOf(t testing.TB, f fields) operator {
	o := operator{op: f.text(4), domain: f.text(7), output: f.text(2), attributes: map[string]fields{}}
	for _, in := range f[1] {
		o.inputs = append(o.inputs, string(in.b))
	}
	for _, a := range f[5] {
		p := parse(t, a.b)
		o.attributes[p.text(1)] = p
	}
	return o
}

func (o operator) ints(t testing.TB, name string) []int64 {
	var out []int64
	for _, chunk := range o.attributes[name][8] {
		for b := chunk.b; len(b) > 0; {
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				t.Fatal(protowire.ParseError(n))
			}
			out, b = append(out, int64(v)), b[n:]
		}
	}
	return out
}

func (o operator) floats(name string) []float32 {
	var out []float32
	for _, chunk := range o.attributes[name][7] {
		for i := 0; i < len(chunk.b); i += 4 {
			out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(chunk.b[i:])))
		}
	}
	return out
}

// onnxModel is a model that can run.
type onnxModel struct {
	opsets    map[string]int64
	meta      map[string]string
	columns   int
	constants map[string]matrix
	operators []operator
}

func read(t testing.TB, b []byte) *onnxModel {
	t.Helper()
	f := parse(t, b)
	m := &onnxModel{opsets: map[string]int64{}, meta: map[string]string{}, constants: map[string]matrix{}}
	if f.int(1) != 8 || f.text(2) != "mayfly" {
		t.Errorf("got IR version %d by %q, want 8 by mayfly", f.int(1), f.text(2))
	}
	for _, o := range f[8] {
		p := parse(t, o.b)
		m.opsets[p.text(1)] = p.int(2)
	}
	for _, e := range f[14] {
		p := parse(t, e.b)
		m.meta[p.text(1)] = p.text(2)
	}
	g := parse(t, f[7][0].b)
	for _, c := range g[5] {
		p := parse(t, c.b)
		m.constants[p.text(8)] = tensorOf(t, p)
	}
	for _, n := range g[1] {
		m.operators = append(m.operators, operatorOf(t, parse(t, n.b)))
	}
	for _, io := range []struct {
		field protowire.Number
		name  string
	}{{11, "features"}, {12, "score"}} {
		p := parse(t, g[io.field][0].b)
		of := parse(t, parse(t, p[2][0].b)[1][0].b)
		shape := parse(t, of[2][0].b)
		if p.text(1) != io.name || of.int(1) != 1 || parse(t, shape[1][0].b).text(2) != "N" {
			t.Errorf("got %s of element type %d, want %s of float32 and N rows", p.text(1), of.int(1), io.name)
		}
		if io.field == 11 {
			m.columns = int(parse(t, shape[1][1].b).int(1))
		} else if one := parse(t, shape[1][1].b).int(1); one != 1 {
			t.Errorf("score: got %d columns, want 1", one)
		}
	}
	return m
}

// run gives the model rows of features and returns the scores.
func (m *onnxModel) run(t testing.TB, x matrix) []float64 {
	t.Helper()
	values := map[string]matrix{"features": x}
	for name, c := range m.constants {
		values[name] = c
	}
	for _, o := range m.operators {
		var in []matrix
		for _, name := range o.inputs {
			v, ok := values[name]
			if !ok {
				t.Fatalf("%s: input %s is not made before", o.op, name)
			}
			in = append(in, v)
		}
		if _, twice := values[o.output]; twice {
			t.Fatalf("%s: output %s is made twice", o.op, o.output)
		}
		out, err := o.run(t, in)
		if err != nil {
			t.Fatal(err)
		}
		values[o.output] = out
	}
	if s := values["score"]; s.rows != x.rows || s.columns != 1 {
		t.Fatalf("score: got %d × %d, want %d × 1", s.rows, s.columns, x.rows)
	}
	return values["score"].v
}

func (o operator) run(t testing.TB, in []matrix) (matrix, error) {
	if o.domain == "ai.onnx.ml" && o.op == "TreeEnsembleRegressor" {
		return o.ensemble(t, in[0])
	}
	if o.domain != "" {
		return matrix{}, fmt.Errorf("%s: unknown domain %s", o.op, o.domain)
	}
	if o.op == "Gather" {
		if o.attributes["axis"].int(3) != 1 {
			return matrix{}, fmt.Errorf("Gather: want axis 1")
		}
		out := matrix{in[0].rows, len(in[1].v), nil}
		for r := range in[0].rows {
			for _, c := range in[1].v {
				out.v = append(out.v, in[0].at(r, int(c)))
			}
		}
		return out, nil
	}
	if o.op == "ReduceSum" {
		if in[1].v[0] != 1 || o.attributes["keepdims"].int(3) != 1 {
			return matrix{}, fmt.Errorf("ReduceSum: want axis 1, kept")
		}
		out := matrix{in[0].rows, 1, make([]float64, in[0].rows)}
		for i, v := range in[0].v {
			out.v[i/in[0].columns] += v
		}
		return out, nil
	}
	out := matrix{1, 1, nil}
	for _, a := range in {
		out.rows, out.columns = max(out.rows, a.rows), max(out.columns, a.columns)
	}
	args := make([]float64, len(in))
	for r := range out.rows {
		for c := range out.columns {
			for k, a := range in {
				args[k] = a.at(r, c)
			}
			v, err := o.element(args)
			if err != nil {
				return matrix{}, err
			}
			out.v = append(out.v, v)
		}
	}
	return out, nil
}

package detector

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"mayfly/forest"
	"mayfly/onnx"
)

// ONNX returns the forest of the detector as an ONNX model (package onnx), whose
// score is what Scorer gives. Its input are the features, in the order and by the
// names of Space.Features; how windows become features is not part of it. The
// metadata hold the threshold above which a window alarms, the width of a window,
// the engine and the SHA-256 of the detector.
func (d *Detector) ONNX() ([]byte, error) {
	sum, err := d.SHA256()
	if err != nil {
		return nil, err
	}
	facts := onnx.Facts{
		Doc: fmt.Sprintf("%s forest of mayfly over windows of %v; score above %g alarms",
			d.Manifest.Engine, time.Duration(d.Manifest.WidthNS), d.Manifest.Threshold),
		More: map[string]string{
			"threshold": strconv.FormatFloat(d.Manifest.Threshold, 'g', -1, 64),
			"width_ns":  strconv.FormatInt(d.Manifest.WidthNS, 10),
			"engine":    d.Manifest.Engine,
			"detector":  sum,
		},
	}
	for _, f := range d.Space.Features() {
		facts.Features = append(facts.Features, f.Name)
	}
	switch m := d.model.(type) {
	case *ensemble:
		return onnx.Rarest(m.onnx(), facts)
	case *forest.Isolation:
		return onnx.Isolation(m, facts)
	case *forest.Random:
		return onnx.Random(m, facts)
	}
	return nil, fmt.Errorf("engine %s: has no ONNX form", d.Manifest.Engine)
}

// onnx are the members as they are exported.
func (e *ensemble) onnx() []onnx.Member {
	var out []onnx.Member
	for i := range e.members {
		m := &e.members[i]
		of := onnx.Member{
			Forest: m.forest, Columns: m.columns, Floors: m.floors, Slope: m.surprise.slope, Most: maxNats,
			Least: leastPlace, Greatest: greatestPlace, Offset: math.Log(m.weight),
		}
		if m.surprise.bits {
			of.Least, of.Greatest = 0, greatestBits
		}
		for _, k := range m.surprise.knots {
			of.At, of.Nats = append(of.At, k.at), append(of.Nats, k.nats)
		}
		out = append(out, of)
	}
	return out
}

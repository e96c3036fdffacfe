package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"mayfly/trace"
)

// textOf is a value as text, by the map's values where it has them.
func textOf(v any, c *mapColumn) (string, error) {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case json.Number:
		s = v.String()
	case bool:
		s = strconv.FormatBool(v)
	default:
		return "", errors.New("is an object or a list, want a text")
	}
	if c.values != nil {
		other, ok := c.values[s]
		if !ok {
			return s, errNoRow
		}
		s = other
	}
	return s, nil
}

// setValue puts a value into a field of a row. With errNoRow it returns what the
// value is.
func setValue(field reflect.Value, v any, c *mapColumn, arch string, limits Limits) (string, error) {
	if field.Kind() == reflect.Slice {
		return "", setList(field, v, c, arch, limits)
	}
	s, err := textOf(v, c)
	switch {
	case errors.Is(err, errNoRow) && c.name != "kind":
		return "", fmt.Errorf("got %.80q, which values does not have", s)
	case err != nil:
		return s, err
	case int64(len(s)) > limits.StringBytes:
		return "", fmt.Errorf("text of %d bytes, want at most %d", len(s), limits.StringBytes)
	}
	if c.name == "kind" && trace.Kind(s).Class() == "" || c.name == "kind" && !knownKind(s) {
		return s, errNoRow
	}
	if field.Kind() == reflect.Pointer {
		p := reflect.New(field.Type().Elem())
		if err := setScalar(p.Elem(), s, c); err != nil {
			return "", err
		}
		field.Set(p)
		return "", nil
	}
	return "", setScalar(field, s, c)
}

func knownKind(s string) bool {
	for _, k := range trace.Kinds() {
		if string(k) == s {
			return true
		}
	}
	return false
}

func setScalar(field reflect.Value, s string, c *mapColumn) error {
	switch field.Kind() {
	case reflect.String:
		field.SetString(s)
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("got %.80q, want true or false", s)
		}
		field.SetBool(b)
	case reflect.Uint64:
		n, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			return fmt.Errorf("got %.80q, want a number of 64 bits", s)
		}
		field.SetUint(n)
	default:
		n, err := integer(s, c)
		if err != nil {
			return err
		}
		if field.OverflowInt(n) {
			return fmt.Errorf("got %.80q, want a number of %d bits", s, field.Type().Bits())
		}
		field.SetInt(n)
	}
	return nil
}

// integer reads a number, a time or names of flags.
func integer(s string, c *mapColumn) (int64, error) {
	if c.time != "" || strings.HasSuffix(c.name, "time_ns") {
		return timeOf(s, c)
	}
	if n, ok := number(s); ok {
		return n, nil
	}
	if c.name == "flags" || c.name == "mode" {
		if n, ok := flags(s); ok {
			return n, nil
		}
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f == float64(int64(f)) && f > -1e15 && f < 1e15 { // 3.0
		return int64(f), nil
	}
	return 0, fmt.Errorf("got %.80q, want a whole number", s)
}

func timeOf(s string, c *mapColumn) (int64, error) {
	unit, isNumber := timeFormats[c.time]
	if c.time == "" {
		unit, isNumber = 1, true
	}
	if !isNumber {
		layout := c.time
		if layout == "rfc3339" {
			layout = time.RFC3339Nano
		}
		t, err := time.ParseInLocation(layout, s, c.zone)
		if err != nil || t.Year() < 1970 || t.Year() > 2200 {
			return 0, fmt.Errorf("got %.80q, want a time as %q", s, layout)
		}
		return t.UnixNano(), nil
	}
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 0 || float64(n)*unit > maxScapTime || strings.Trim(fraction, "0123456789") != "" {
		if f, ferr := strconv.ParseFloat(s, 64); ferr == nil && f >= 0 && f*unit < maxScapTime { // 1.7e9
			return int64(f * unit), nil
		}
		return 0, fmt.Errorf("got %.80q, want a time since 1970 (%s)", s, c.time)
	}
	return n*int64(unit) + nanoseconds([]byte(fraction))/(1e9/int64(unit)), nil
}

// setList fills argv, labels and the like from a list or from one text.
func setList(field reflect.Value, v any, c *mapColumn, arch string, limits Limits) error {
	var words []string
	switch v := v.(type) {
	case []any:
		for _, w := range v {
			s, err := textOf(w, &mapColumn{})
			if err != nil {
				return fmt.Errorf("in the list: %w", err)
			}
			words = append(words, s)
		}
	case string:
		switch {
		case c.split != "":
			words = strings.Split(v, c.split)
		case v != "":
			words = []string{v}
		}
	default:
		return errors.New("want a list or a text")
	}
	if int64(len(words)) > limits.ListLength {
		return fmt.Errorf("list of %d, want at most %d", len(words), limits.ListLength)
	}
	if field.Type().Elem().Kind() == reflect.String {
		for _, w := range words {
			if int64(len(w)) > limits.StringBytes {
				return fmt.Errorf("text of %d bytes, want at most %d", len(w), limits.StringBytes)
			}
		}
		field.Set(reflect.ValueOf(words))
		return nil
	}
	calls := make([]uint16, 0, len(words))
	for _, w := range words {
		w = strings.TrimSpace(w)
		n, ok := trace.CallOn(arch, w)
		if !ok {
			u, err := strconv.ParseUint(w, 10, 16)
			if err != nil {
				return fmt.Errorf("got %.80q, want the name or the number of a call on %s", w, arch)
			}
			n = uint16(u)
		}
		calls = append(calls, n)
	}
	field.Set(reflect.ValueOf(calls))
	return nil
}

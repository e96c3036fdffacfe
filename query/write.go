package main

import (
	"bufio"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// write prints the rows: aligned columns, a JSON array of objects, or CSV.
func write(rows *sql.Rows, format string, w *bufio.Writer) error {
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values, places := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		places[i] = &values[i]
	}
	var begin, end func() error
	var row func() error
	texts := make([]string, len(names))
	switch format {
	case "csv":
		c := csv.NewWriter(w)
		begin = func() error { return c.Write(names) }
		row = func() error {
			for i, v := range values {
				texts[i] = cell(v)
			}
			return c.Write(texts)
		}
		end = func() error { c.Flush(); return c.Error() }
	case "json":
		n := 0
		begin = func() error { _, err := w.WriteString("["); return err }
		row = func() error {
			if n++; n > 1 {
				if err := w.WriteByte(','); err != nil {
					return err
				}
			}
			return writeObject(w, names, values)
		}
		end = func() error { _, err := w.WriteString("\n]\n"); return err }
	default:
		t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		line := func(words []string) error {
			for i, s := range words {
				words[i] = printable(s)
			}
			_, err := fmt.Fprintln(t, strings.TrimRight(strings.Join(words, "\t"), "\t"))
			return err
		}
		begin = func() error { return line(append([]string(nil), names...)) }
		row = func() error {
			for i, v := range values {
				texts[i] = text(v)
			}
			return line(texts)
		}
		end = t.Flush
	}
	if err := begin(); err != nil {
		return err
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return err
		}
		if err := row(); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return end()
}

// writeObject writes a row with its columns in their order.
func writeObject(w *bufio.Writer, names []string, values []any) error {
	sep := "\n{"
	for i, name := range names {
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		value, err := marshal(plain(values[i]))
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s%s:%s", sep, key, value); err != nil {
			return err
		}
		sep = ","
	}
	_, err := w.WriteString("}")
	return err
}

// marshal is json.Marshal that leaves <, > and & as they are.
func marshal(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// plain is a value as encoding/json takes it.
func plain(v any) any {
	switch v := v.(type) {
	case nil, string, bool:
		return v
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case float64:
		if v != v || v > 1e308 || v < -1e308 {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
		return v
	case fmt.Stringer:
		return v.String()
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Slice:
		list := make([]any, r.Len())
		for i := range list {
			list[i] = plain(r.Index(i).Interface())
		}
		return list
	case reflect.Map:
		object := map[string]any{}
		for _, key := range r.MapKeys() {
			object[fmt.Sprint(key.Interface())] = plain(r.MapIndex(key).Interface())
		}
		return object
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16,
		reflect.Uint32, reflect.Uint64, reflect.Float32:
		return v
	}
	return fmt.Sprint(v)
}

// text is a value as a person reads it; null is empty.
func text(v any) string {
	switch v := plain(v).(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		b, err := marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return b
	}
}

// cell is a value for a table that a spreadsheet may open: text that it would take for a
// formula gets an apostrophe before it, which makes it text (OWASP, CSV Injection).
// Whoever was recorded chose it.
func cell(v any) string {
	s := text(v)
	if _, ok := plain(v).(string); ok && s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

// printable is a text without what would break its line or move the cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\ufffd'
	}, s)
}

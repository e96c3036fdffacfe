package ingest

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestLines(t *testing.T) {
	type line struct {
		Text string
		At   Position
		Long bool
	}
	text := "one\r\n\nthree" + strings.Repeat("3", 20) + "\nfour\nfive"
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(text), "by byte": iotest.OneByteReader(strings.NewReader(text))} {
		l := newLines(&Input{Reader: r, Start: 100, Limits: Limits{LineBytes: 10}})
		var got []line
		for {
			b, at, err := l.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil && !errors.Is(err, errLong) {
				t.Fatal(err)
			}
			got = append(got, line{string(b[:min(len(b), 5)]), at, err != nil})
		}
		want := []line{{"one", Position{Offset: 100, Line: 1}, false}, {"", Position{Offset: 105, Line: 2}, false},
			{"three", Position{Offset: 106, Line: 3}, true}, {"four", Position{Offset: 132, Line: 4}, false},
			{"five", Position{Offset: 137, Line: 5}, false}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if !l.incomplete || l.at.Offset != 141 {
			t.Errorf("%s: end: incomplete %v, offset %d", name, l.incomplete, l.at.Offset)
		}
	}
	if _, _, err := newLines(&Input{Reader: iotest.ErrReader(io.ErrUnexpectedEOF), Limits: Limits{LineBytes: 10}}).next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("bad reader: got %v", err)
	}
}

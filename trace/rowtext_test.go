package trace

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// No text of any row goes into a file unseen.
func TestRowTexts(t *testing.T) {
	testRowTexts[Event](t)
	testRowTexts[Sequence](t)
	testRowTexts[Process](t)
	testRowTexts[Container](t)
	testRowTexts[Loss](t)
}

func testRowTexts[T any](t *testing.T) {
	texts, all := newRowTexts[T](), reflect.TypeFor[T]()
	for i := range all.NumField() {
		rows := make([]T, 3)
		switch f := reflect.ValueOf(&rows[2]).Elem().Field(i); f.Interface().(type) {
		case string:
			f.SetString("a\xff")
		case []string:
			f.Set(reflect.ValueOf([]string{"a", "b\xff"}))
		default:
			continue
		}
		if texts.clean(rows) {
			t.Errorf("%s.%s: bytes that are no UTF-8 were not seen", all.Name(), all.Field(i).Name)
		}
		before := rows[2]
		texts.change(&rows[2], validText)
		if !texts.clean(rows) {
			t.Errorf("%s.%s: bytes that are no UTF-8 stay", all.Name(), all.Field(i).Name)
		}
		if got := fmt.Sprint(before); strings.Contains(got, `\xff`) {
			t.Errorf("%s.%s: the caller's row was changed: %s", all.Name(), all.Field(i).Name, got)
		}
	}
}

// A text that stands where the one before it ended is another text.
func TestRowTextsShareBytes(t *testing.T) {
	both := "ok\xff"
	texts := newRowTexts[Event]()
	if texts.clean([]Event{{Comm: both[:2]}, {Comm: both}}) {
		t.Error("a longer text at the same place was taken for the one before")
	}
	if !texts.clean([]Event{{Comm: both[:2]}, {Comm: both[:2]}, {}}) {
		t.Error("clean texts were refused")
	}
}

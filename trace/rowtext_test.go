package trace

import (
	"reflect"
	"testing"
)

// Every text of an event goes through eventTexts: one that does not would bring
// bytes that are no UTF-8 into a file.
func TestEventTexts(t *testing.T) {
	var e Event
	v := reflect.ValueOf(&e).Elem()
	want := 0
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.String {
			v.Field(i).SetString("x")
			want++
		}
	}
	got := 0
	eventTexts(&e, func(*string) { got++ })
	if got != want {
		t.Errorf("got %d texts, want all %d of an event", got, want)
	}
}

package ingest

import (
	"reflect"
	"testing"
	"unsafe"
)

// What a row points to is its own once a stage has it.
func TestOwn(t *testing.T) {
	checkOwn(t, ownEvent)
	checkOwn(t, ownSequence)
	checkOwn(t, ownProcess)
	checkOwn(t, ownContainer)
	checkOwn(t, ownLoss)
}

func checkOwn[T row](t *testing.T, own func(*arena, *T)) {
	t.Helper()
	var r T
	v := reflect.ValueOf(&r).Elem()
	buffer := []byte("text")
	view := unsafe.String(&buffer[0], len(buffer))
	number, truth := int64(7), true
	for i := range v.NumField() {
		switch f := v.Field(i); f.Interface().(type) {
		case string:
			f.SetString(view)
		case []string:
			f.Set(reflect.ValueOf([]string{view}))
		case *int64:
			f.Set(reflect.ValueOf(&number))
		case *bool:
			f.Set(reflect.ValueOf(&truth))
		case []uint16:
			f.Set(reflect.ValueOf([]uint16{1}))
		}
	}
	own(&arena{}, &r)
	copy(buffer, "gone")
	number, truth = 8, false
	for i := range v.NumField() {
		name, ok := v.Type().Field(i).Name, true
		switch f := v.Field(i).Interface().(type) {
		case string:
			ok = f == "text"
		case []string:
			ok = f[0] == "text"
		case *int64:
			ok = *f == 7
		case *bool:
			ok = *f
		}
		if !ok {
			t.Errorf("%s.%s: changes with the buffer that it came from", v.Type().Name(), name)
		}
	}
}

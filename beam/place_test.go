package main

import (
	"strings"
	"testing"
)

func TestCheckOutput(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ output, input, want string }{
		{"", dir, ""},
		{dir + "/new", dir, ""},
		{dir, "/elsewhere", "is no regular file"},
		{dir + "/x/../new", dir + "/new", "is an input and the output"},
		{"s3://b/x", "s3://b/x", "is an input and the output"},
		{"s3://b/x", "s3://b/y", ""},
	} {
		err := checkOutput(c.output, []string{c.input})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("checkOutput(%q, %q): %v, want %q", c.output, c.input, err, c.want)
		}
	}
}

func TestPlaces(t *testing.T) {
	for place, want := range map[string]string{"a/b": "a/b", "file:///a/b": "/a/b", "s3://a/b": "", "file://host/a": "", "a:b": "a:b"} {
		if got, ok := localPath(place); got != want || ok != (want != "") {
			t.Errorf("localPath(%q) = %q, %v", place, got, ok)
		}
	}
	for _, c := range [][3]string{
		{"/a", "b/c", "/a/b/c"},
		{"file:///a", "b", "/a/b"},
		{"s3://a/b?region=x&endpoint=http://h:1", "c", "s3://a/b/c?region=x&endpoint=http://h:1"},
		{"gs://a", "c", "gs://a/c"},
	} {
		if got, err := below(c[0], c[1]); got != c[2] || err != nil {
			t.Errorf("below(%q, %q) = %q, %v", c[0], c[1], got, err)
		}
	}
}

package object_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mayfly/object"
)

// stores runs a test over every store that can be had here.
func stores(t *testing.T, f func(t *testing.T, s *object.Store, url func(key string) string)) {
	t.Run("file", func(t *testing.T) {
		s, dir := object.NewStore(), t.TempDir()
		defer func() { _ = s.Close() }()
		f(t, s, func(key string) string { return "file://" + dir + "/" + key })
	})
	t.Run("s3", func(t *testing.T) {
		server, s := startServer(t), object.NewStore()
		credentials(t)
		defer func() { _ = s.Close() }()
		f(t, s, server.url)
	})
}

func put(t *testing.T, s *object.Store, url string, content []byte) {
	t.Helper()
	w, err := s.Create(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func readAll(t *testing.T, o *object.Object, offset, length int64) ([]byte, error) {
	r := o.NewReader(t.Context(), offset, length)
	defer func() { _ = r.Close() }() // only read
	return io.ReadAll(r)
}

func names(t *testing.T, s *object.Store, url string) []string {
	t.Helper()
	var all []string
	for info, err := range s.List(t.Context(), url) {
		if err != nil {
			t.Fatalf("list %s: %v", url, err)
		}
		if info.Version == "" || info.ModTime.IsZero() {
			t.Errorf("list %s: %+v: no version or time", url, info)
		}
		all = append(all, info.Name)
	}
	slices.Sort(all) // a folder's entries come in another order than keys
	return all
}

func TestList(t *testing.T) {
	stores(t, func(t *testing.T, s *object.Store, url func(string) string) {
		for _, key := range []string{"day/a.log", "day/a b%25.log", "day/sub/c.log", "day2/d.log", "day.log"} {
			put(t, s, url(key), []byte(key))
		}
		for _, c := range []struct {
			key  string
			want string
		}{
			{"day", "a b%.log a.log sub/c.log"},
			{"day/", "a b%.log a.log sub/c.log"},
			{"day/a.log", "a.log"},
			{"day*", "day.log day/a b%.log day/a.log day/sub/c.log day2/d.log"},
			{"day/a*", "a b%.log a.log"},
		} {
			if got := strings.Join(names(t, s, url(c.key)), " "); got != c.want {
				t.Errorf("list %s: got %q, want %q", c.key, got, c.want)
			}
		}
		for info, err := range s.List(t.Context(), url("da")) {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("list da: got %v, %v, want fs.ErrNotExist", info, err)
			}
		}
		// What was listed can be read.
		for info, err := range s.List(t.Context(), url("day")) {
			if err != nil {
				t.Fatal(err)
			}
			o, err := s.Listed(t.Context(), info)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readAll(t, o, 0, -1)
			if want := strings.ReplaceAll("day/"+info.Name, "%", "%25"); err != nil || string(got) != want {
				t.Errorf("read %s: got %q, %v, want %q", info.URL, got, err, want)
			}
		}
	})
}

// What a list, an object asked for, and its reader say of its version is the same
// text, or every object would seem to have changed.
func TestRead(t *testing.T) {
	content := make([]byte, 3<<20)
	for i := range content {
		content[i] = byte(i * i >> 7)
	}
	stores(t, func(t *testing.T, s *object.Store, url func(string) string) {
		put(t, s, url("some"), content)
		o, err := s.Open(t.Context(), url("some"))
		if err != nil {
			t.Fatal(err)
		}
		for info := range s.List(t.Context(), url("some*")) {
			if info.Version != o.Version || info.Size != o.Size {
				t.Errorf("list says %+v, open says %+v", info, o.Info)
			}
		}
		if o.Size != int64(len(content)) {
			t.Errorf("size: got %d, want %d", o.Size, len(content))
		}
		at := o.ReaderAt(t.Context())
		chance := rand.New(rand.NewPCG(1, 2))
		for range 20 {
			from, n := chance.IntN(len(content)), chance.IntN(1<<20)
			b := make([]byte, n)
			got, err := at.ReadAt(b, int64(from))
			want := content[from:min(len(content), from+n)]
			if !bytes.Equal(b[:got], want) || (got < n) != errors.Is(err, io.EOF) {
				t.Fatalf("ReadAt(%d bytes, %d): got %d bytes, %v, want %d", n, from, got, err, len(want))
			}
		}
		if _, err := at.ReadAt(make([]byte, 1), o.Size); !errors.Is(err, io.EOF) {
			t.Errorf("ReadAt the end: got %v, want EOF", err)
		}
		if got, err := readAll(t, o, 1000, 2000); err != nil || !bytes.Equal(got, content[1000:3000]) {
			t.Errorf("a range: got %d bytes, %v", len(got), err)
		}
		if _, err := s.Open(t.Context(), url("none")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no such object") {
			t.Errorf("open what is not there: got %v", err)
		}

		// What has changed is not taken for what it was.
		put(t, s, url("some"), content[:len(content)-1])
		if _, err := readAll(t, o, 0, -1); !errors.Is(err, object.ErrChanged) {
			t.Errorf("read what has changed: got %v, want ErrChanged", err)
		}
	})
}

func TestCreate(t *testing.T) {
	stores(t, func(t *testing.T, s *object.Store, url func(string) string) {
		put(t, s, url("empty"), nil)
		if got := names(t, s, url("*")); !slices.Equal(got, []string{"empty"}) {
			t.Errorf("an empty object: got %q", got)
		}
		w, err := s.Create(t.Context(), url("half"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 12<<20)); err != nil { // more than one part of an upload
			t.Fatal(err)
		}
		w.Abort()
		put(t, s, url("empty"), []byte("not any more"))
		if got := names(t, s, url("*")); !slices.Equal(got, []string{"empty"}) {
			t.Errorf("after Abort: got %q, want nothing of it", got)
		}
		if err := w.Close(); err == nil {
			t.Error("Close after Abort: got nil, want an error")
		}
		for _, key := range []string{"", "folder/"} {
			if _, err := s.Create(t.Context(), url(key)); err == nil {
				t.Errorf("create %q: got nil, want an error", key)
			}
		}
	})
}

// A connection that breaks costs another request; one that breaks each time,
// one line.
func TestCut(t *testing.T) {
	server := startServer(t)
	credentials(t)
	s := object.NewStore()
	defer func() { _ = s.Close() }()
	content := bytes.Repeat([]byte("mayfly wings\n"), 300_000)
	put(t, s, server.url("long"), content)
	o, err := s.Open(t.Context(), server.url("long"))
	if err != nil {
		t.Fatal(err)
	}
	server.cut.Store(1 << 20)
	again := object.NewStore() // no connection is open
	defer func() { _ = again.Close() }()
	if o, err = again.Listed(t.Context(), o.Info); err != nil {
		t.Fatal(err)
	}
	got, err := readAll(t, o, 0, -1)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("read over connections of 1 MiB: got %d bytes, %v, want %d", len(got), err, len(content))
	}
	if server.cuts.Load() < 3 {
		t.Errorf("got %d cuts, want 3 at least", server.cuts.Load())
	}
	server.cut.Store(100)
	_, err = readAll(t, o, 0, -1)
	oneLine(t, err, "s3://logs/long")
}

func oneLine(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error, want one with %q", want)
		return
	}
	text := err.Error()
	for _, w := range want {
		if !strings.Contains(text, w) || strings.Contains(text, "\n") || len(text) > 400 {
			t.Errorf("got %q, want one line with %q", text, w)
		}
	}
	t.Log(text)
}

func listError(t *testing.T, url string) error {
	s := object.NewStore()
	defer func() { _ = s.Close() }()
	for _, err := range s.List(t.Context(), url) {
		return err
	}
	return nil
}

func TestErrors(t *testing.T) {
	for url, want := range map[string]string{
		"s3:///key":            "want s3://BUCKET/KEY",
		"s3://id:key@logs/a":   "credentials do not belong in a URL",
		"file://host/a":        "want file:///PATH",
		"ftp://logs/a":         "want s3://, gs://, azblob:// or file://",
		"s3://logs/100%":       "invalid URL escape",
		"s3://logs/a#b":        "%23",
		"s3://logs/a?sort=yes": "sort",
	} {
		t.Run(url, func(t *testing.T) { oneLine(t, listError(t, url), want) })
	}
	t.Run("file", func(t *testing.T) {
		oneLine(t, listError(t, "file://"+filepath.Join(t.TempDir(), "none")), "none: no such object")
	})
	t.Run("no credentials", func(t *testing.T) {
		noCredentials(t)
		t.Setenv("AWS_REGION", "")
		oneLine(t, listError(t, "s3://logs/a?region=us-east-1"), "no credentials", "AWS_ACCESS_KEY_ID")
		oneLine(t, listError(t, "s3://logs/a"), "no region: want AWS_REGION")
		t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
		oneLine(t, listError(t, "gs://logs/a"), "no credentials", "GOOGLE_APPLICATION_CREDENTIALS")
		for _, name := range []string{"AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY", "AZURE_STORAGE_CONNECTION_STRING"} {
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
		oneLine(t, listError(t, "azblob://logs/a"), "no credentials", "AZURE_STORAGE_ACCOUNT")
	})
	t.Run("nobody there", func(t *testing.T) {
		credentials(t)
		oneLine(t, listError(t, "s3://logs/a?region=us-east-1&use_path_style=true&endpoint=http://"+freeAddress(t)), "connection refused")
	})
	t.Run("server", func(t *testing.T) {
		server := startServer(t)
		credentials(t)
		oneLine(t, listError(t, "s3://nowhere/a"+server.query), "no such bucket")
		oneLine(t, listError(t, server.url("none")), "no such object, and none below it")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "guessed")
		oneLine(t, listError(t, server.url("none/")), "SignatureDoesNotMatch")
	})
}

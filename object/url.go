package object

import (
	"fmt"
	"net/url"
	"strings"
)

// Schemes are the schemes of URLs that a Store takes.
func Schemes() []string { return []string{"s3", "gs", "azblob", "file"} }

// location is a URL taken apart.
type location struct {
	text   string // as it was given, for messages
	bucket string // what gocloud opens: scheme, host and query
	key    string // of the object, or what keys begin with; never begins with a slash
}

func parse(text string) (location, error) {
	u, err := url.Parse(text)
	if err != nil {
		return location{}, fmt.Errorf("%q: %w", text, err.(*url.Error).Err) // Parse returns no other
	}
	switch {
	case u.User != nil: // the text would show it
		return location{}, fmt.Errorf("%s://%s: credentials do not belong in a URL", u.Scheme, u.Host)
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		return location{}, fmt.Errorf("%q: a # of a key is written %%23", text)
	}
	l := location{text: text, key: strings.TrimPrefix(u.Path, "/")}
	switch u.Scheme {
	case "file":
		if u.Host != "" || u.Path == "" || u.RawQuery != "" {
			return location{}, fmt.Errorf("%q: want file:///PATH", text)
		}
		l.bucket = "file:///?metadata=skip&no_tmp_dir=true"
	case "s3", "gs", "azblob":
		if u.Host == "" || u.Opaque != "" {
			return location{}, fmt.Errorf("%q: want %s://BUCKET/KEY", text, u.Scheme)
		}
		l.bucket = (&url.URL{Scheme: u.Scheme, Host: u.Host, RawQuery: u.Query().Encode()}).String()
	default:
		return location{}, fmt.Errorf("%q: want s3://, gs://, azblob:// or file://", text)
	}
	return l, nil
}

// of is the URL of another key of the same bucket.
func (l location) of(key string) string {
	u, err := url.Parse(l.bucket)
	if err != nil { // it was made by String
		panic(err)
	}
	if u.Scheme == "file" {
		u.RawQuery = ""
	}
	u.Path = "/" + key
	return u.String()
}

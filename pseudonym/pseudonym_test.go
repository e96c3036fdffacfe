package pseudonym

import (
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mayfly/profile"
	"mayfly/trace"
)

func mapper(t testing.TB, key string) *Mapper {
	t.Helper()
	m, err := NewMapper([]byte(key), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const key = "sixteen bytes or more"

func TestNamesAreReplacedAlike(t *testing.T) {
	m, other := mapper(t, key), mapper(t, "another key, as long")
	for _, s := range []string{"/srv/acme/billing.json", "acme-billing", "--customer=Acme", "5a720accbd741fb3d136b5048c8e3df3862af146f997726dfb7b9053bdd98b39"} {
		got := m.Text(s)
		if got == s || len(got) != len(s) || got != mapper(t, key).Text(s) {
			t.Errorf("%q became %q", s, got)
		}
		if got == other.Text(s) {
			t.Errorf("%q became %q with two keys", s, got)
		}
		if strings.Contains(strings.ToLower(got), "acme") {
			t.Errorf("%q became %q", s, got)
		}
	}
	if a, b := m.Text("/srv/acme/x9"), m.Text("acme"); !strings.Contains(a, "/"+b+"/") {
		t.Errorf("a word has two names: %q, %q", a, b)
	}
}

func TestWhatEverybodyHasStays(t *testing.T) {
	m := mapper(t, key)
	for _, s := range []string{"/etc/passwd", "/proc/self/maps", "/bin/busybox", "", "/", "/usr/lib/x86_64-linux-gnu/ld-linux.so"} {
		if got := m.Text(s); strings.Trim(got, "0123456789") != strings.Trim(s, "0123456789") && s != "/usr/lib/x86_64-linux-gnu/ld-linux.so" {
			t.Errorf("%q became %q", s, got)
		}
	}
	kept, err := NewMapper([]byte(key), []string{"Acme"})
	if err != nil {
		t.Fatal(err)
	}
	if got := kept.Text("/srv/acme"); got != "/srv/acme" {
		t.Errorf("a word to keep became %q", got)
	}
}

// A template sees in what was replaced what it saw before.
func TestTemplatesStay(t *testing.T) {
	m := mapper(t, key)
	for _, path := range []string{
		"/srv/uploads/10.png.1810897994", "/proc/4711/maps", "/tmp/tmp.AbC1dE2f", "/var/lib/acme/550e8400-e29b-41d4-a716-446655440000",
		"/var/log/acme-2026-01-31.log", "/tmp/x1Y2z3", "/srv/sedA1b2C3", "/opt/deadbeef0123456789ab", "/srv/año2026", "/dev/sda1", "/run/user/1000/acme.sock",
	} {
		was, is := profile.Template(path), profile.Template(m.Text(path))
		if shape(was) != shape(is) && !strings.Contains(path, "ñ") {
			t.Errorf("%s is %s; its other name has template %s", path, was, is)
		}
	}
	a, b := m.Text("/srv/uploads/10.png.1810897994"), m.Text("/srv/uploads/10.png.55555555")
	if profile.Template(a) != profile.Template(b) {
		t.Errorf("two of one template became %s and %s", a, b)
	}
}

func FuzzText(f *testing.F) {
	f.Add("/srv/acme/tmpA1b2c3.json", "/srv/acme/x")
	f.Add("20260131", "tmp")
	f.Add("\xff\x00é", "")
	m := mapper(f, key)
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := m.Text(a), m.Text(b)
		ascii := strings.IndexFunc(a+b, func(r rune) bool { return r >= 0x80 }) < 0
		if ascii && (x == y) != (a == b) {
			t.Errorf("%q and %q became %q and %q", a, b, x, y)
		}
		if ascii && len(a) != len(x) {
			t.Errorf("%q became %q", a, x)
		}
	})
}

func TestAddressesKeepTheirKindAndTheirNetwork(t *testing.T) {
	m := mapper(t, key)
	for _, s := range []string{"127.0.0.1", "::1", "0.0.0.0", "::", "169.254.169.254", "224.0.0.1"} {
		if got := m.Addr(s); got != s {
			t.Errorf("%s became %s", s, got)
		}
	}
	seen := map[string]string{}
	for _, s := range []string{"10.0.0.1", "10.0.0.2", "192.168.7.9", "172.16.3.4", "100.64.1.1", "8.8.8.8", "8.8.4.4", "203.0.113.7", "2001:db8::1", "fd00::7", "fe80::1"} {
		got, was := netip.MustParseAddr(m.Addr(s)), netip.MustParseAddr(s)
		if got == was || got.IsPrivate() != was.IsPrivate() || got.IsLinkLocalUnicast() != was.IsLinkLocalUnicast() || got.Is4() != was.Is4() {
			t.Errorf("%s became %s", was, got)
		}
		if other, ok := seen[got.String()]; ok {
			t.Errorf("%s and %s became %s", s, other, got)
		}
		seen[got.String()] = s
	}
	a, b := netip.MustParseAddr(m.Addr("10.0.0.1")), netip.MustParseAddr(m.Addr("10.0.0.2"))
	if p, _ := a.Prefix(30); !p.Contains(b) {
		t.Errorf("10.0.0.1 and 10.0.0.2 became %s and %s, of two networks", a, b)
	}
	if got := m.claimed("10.0.0.1:443"); got != m.Addr("10.0.0.1")+":443" {
		t.Errorf("10.0.0.1:443 became %s", got)
	}
}

// kept are the texts of rows that are no names.
var kept = map[string][]string{
	"Event":     {"ContainerID", "Kind", "ExeOrigin", "Family", "Via"},
	"Sequence":  {"ContainerID"},
	"Process":   {"ContainerID", "ExeOrigin"},
	"Container": {"ContainerID", "NestedIn", "Sandbox", "Owner", "Runtime", "CapAdd", "CapDrop", "Ports", "Facts"},
	"Loss":      {"ContainerID", "Class"},
}

// TestEveryTextIsDecided fails when a table gets a text that nobody thought of.
func TestEveryTextIsDecided(t *testing.T) {
	m := mapper(t, key)
	event, sequence, process, container, loss := trace.Event{}, trace.Sequence{}, trace.Process{}, trace.Container{}, trace.Loss{}
	for _, row := range []any{&event, &sequence, &process, &container, &loss} {
		fill(reflect.ValueOf(row).Elem())
	}
	m.event(&event)
	m.sequence(&sequence)
	m.process(&process)
	m.container(&container)
	if strings.Contains(strings.TrimPrefix(container.Owner, "acme/"), "acme") { // the kind of an owner stays
		t.Errorf("owner %q", container.Owner)
	}
	for _, row := range []any{event, sequence, process, container, loss} {
		v := reflect.ValueOf(row)
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			left := strings.Contains(strings.Join(texts(v.Field(i)), " "), "acme")
			if left != slices.Contains(kept[v.Type().Name()], name) {
				t.Errorf("%s.%s: %q", v.Type().Name(), name, texts(v.Field(i)))
			}
		}
	}
}

func fill(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.Kind() == reflect.String:
			f.SetString("acme/acme:acme")
		case f.Type() == reflect.TypeFor[[]string]():
			f.Set(reflect.ValueOf([]string{"acme=acme"}))
		}
	}
}

func texts(v reflect.Value) []string {
	switch {
	case v.Kind() == reflect.String:
		return []string{v.String()}
	case v.Type() == reflect.TypeFor[[]string]():
		return v.Interface().([]string)
	}
	return nil
}

func TestWeakKeyAndWordsAreRefused(t *testing.T) {
	if _, err := NewMapper([]byte("short"), nil); err == nil {
		t.Error("a key of five bytes is taken")
	}
	if _, err := NewMapper([]byte(key), []string{"a/b"}); err == nil {
		t.Error("a path is taken as a word")
	}
}

// Now and then a first try makes a temporary name of a word that was none, or a private
// address of a public one; both are tried again.
func TestWhatALetterChangesIsTriedAgain(t *testing.T) {
	m := mapper(t, key)
	words, addresses := 0, 0
	for i := range 40_000 {
		word := strings.Map(func(r rune) rune { return 'g' + r - '0' }, strconv.Itoa(1_000_000_000+i*7919))
		if !alike(word, m.words(word, 0, false)) {
			words++
			if got := m.Text(word); !alike(word, got) {
				t.Errorf("%s became %s", word, got)
			}
		}
	}
	for i := range 3_000 {
		a := netip.AddrFrom4([4]byte{byte(20 + i%60), byte(i), byte(i >> 3), 7})
		if !public(m.flip(a, 0)) {
			addresses++
			if got := m.Addr(a.String()); !public(netip.MustParseAddr(got)) {
				t.Errorf("%s became %s", a, got)
			}
		}
	}
	if words == 0 || addresses == 0 {
		t.Errorf("%d words and %d addresses needed another try: this test shows nothing", words, addresses)
	}
}

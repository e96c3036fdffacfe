package profile

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The kinds of item, and the form of their values.
const (
	Exec      = "exec"       // absolute path of a file that was executed
	WriteExec = "write-exec" // the same, of a file written after the container's start, or memfd:name
	Read      = "read"       // Template of a path opened for reading only, with success
	Write     = "write"      // Template of a path opened for writing, removed, renamed, linked or whose mode or owner changed
	Connect   = "connect"    // inet:10.0.0.1:443, inet6:[::1]:443, unix:/run/x.sock, or another family's name alone
	Listen    = "listen"     // inet:0.0.0.0:80, unix:/run/x.sock
	Accept    = "accept"     // family alone: inet, inet6, unix
	Bind      = "bind"       // family alone, of a socket that got a name: inet, netlink, packet, alg
	Cap       = "cap"        // CAP_NET_ADMIN: in the effective set after a capset
	Priv      = "priv"       // setuid:0, setgid:0, mount, umount, ptrace, module_load, bpf:5, unshare:NEWNS, clone:NEWPID, setns, memfd_create
	Call      = "call"       // a system call, as trace.CallName names it
	Called    = "called"     // ["/bin/busybox","nc"]: an executed file and the name that it was called by, where that is another
	Refused   = "refused"    // what the kernel did not allow (EPERM, EACCES, EROFS), "kind value" or "kind": "write /etc/shadow", "exec /tmp/x", "mount"

	// What one event says of two or more things is a JSON array of strings. Argv and
	// Mount are in profiles that Build made of a trace, not in windows of features.
	Argv   = "argv"   // ["/bin/sh","-c","<text>"]: an executed file and the shape of its arguments, see ArgvShape
	Parent = "parent" // ["/usr/sbin/nginx","/bin/sh"]: a program and one that it started; "" for one that nothing known of the container started
	Mount  = "mount"  // ["proc","proc","/proc"]: file system type, and Templates of source and target
)

// MaxValue is the longest value of an item, in bytes.
const MaxValue = 4096

// Kinds lists every kind, sorted.
func Kinds() []string {
	return []string{Accept, Argv, Bind, Call, Called, Cap, Connect, Exec, Listen, Mount, Parent, Priv, Read, Refused, Write, WriteExec}
}

func knownKind(kind string) bool {
	switch kind {
	case Accept, Argv, Bind, Call, Called, Cap, Connect, Exec, Listen, Mount, Parent, Priv, Read, Refused, Write, WriteExec:
		return true
	}
	return false
}

// Item is one thing that a workload does. It is comparable. Values are valid
// UTF-8, not empty and at most MaxValue bytes long; apart from that they may
// hold any character, since paths and names are chosen by whoever runs there.
type Item struct{ Kind, Value string }

// NewItem returns an item with a value made valid: bytes that are not UTF-8
// become the text \xNN, and what is longer than MaxValue is cut.
func NewItem(kind, value string) Item { return Item{kind, clean(value)} }

// String is "kind value"; ParseItem reads it.
func (i Item) String() string { return i.Kind + " " + i.Value }

// ParseItem reads what Item.String wrote. The kind must be known.
func ParseItem(s string) (Item, error) {
	kind, value, ok := strings.Cut(s, " ")
	if !ok {
		return Item{}, fmt.Errorf("item %.80q: want \"kind value\"", s)
	}
	item := Item{kind, value}
	return item, item.check()
}

// MarshalText is String.
func (i Item) MarshalText() ([]byte, error) { return []byte(i.String()), i.check() }

// UnmarshalText is ParseItem.
func (i *Item) UnmarshalText(text []byte) (err error) {
	*i, err = ParseItem(string(text))
	return err
}

// Compare orders items by kind, then value.
func (i Item) Compare(other Item) int {
	return cmp.Or(strings.Compare(i.Kind, other.Kind), strings.Compare(i.Value, other.Value))
}

func (i Item) check() error {
	switch {
	case !knownKind(i.Kind):
		return fmt.Errorf("item %.80q: unknown kind", i.String())
	case i.Value == "":
		return fmt.Errorf("item of kind %s: no value", i.Kind)
	case len(i.Value) > MaxValue:
		return fmt.Errorf("item of kind %s: value of %d bytes, want at most %d", i.Kind, len(i.Value), MaxValue)
	case !utf8.ValidString(i.Value):
		return fmt.Errorf("item %.80q: not UTF-8", i.String())
	}
	return nil
}

// clean makes a name valid UTF-8 of at most MaxValue bytes.
func clean(s string) string {
	if len(s) <= MaxValue && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		part := s[i : i+size]
		if r == utf8.RuneError && size == 1 {
			part = fmt.Sprintf(`\x%02x`, s[i])
		}
		if b.Len()+len(part) > MaxValue {
			break
		}
		b.WriteString(part)
		i += size
	}
	return b.String()
}

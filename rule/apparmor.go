package rule

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// runtimeCapabilities are what Docker and containerd give a container of which
// nothing is said (moby, oci/caps/defaults.go).
var runtimeCapabilities = strings.Fields(`audit_write chown dac_override fowner fsetid kill mknod net_bind_service net_raw
setfcap setgid setpcap setuid sys_chroot`)

// inits are where runtimes put the init of docker run --init and its like.
var inits = []string{"/dev/init", "/run/podman-init", "/sbin/docker-init", "/usr/sbin/docker-init"}

// devices may be written to by any program, beside always.
var devices = []string{"/dev/console", "/dev/full", "/dev/ptmx", "/dev/random", "/dev/urandom", "/dev/zero"}

// AppArmor writes the set as an AppArmor profile for its containers, named as
// objectName names it. Programs and writes are those that were learned, reads all
// but the secrets. A set for watching is in complain mode, without deny rules,
// which bind there too. The error is a *Refusal when no program was recorded.
func (s *Set) AppArmor() ([]byte, error) {
	programs, writes := s.find(Program), s.find(Write)
	if programs == nil || writes == nil {
		return nil, s.refuse("no program was recorded, and a profile without them forbids everything")
	}
	a := &apparmorFile{set: s}
	a.section("Programs, and scripts and inits that may start them.")
	a.files("ix", programs.Allowed.Exact, s.Scripts, inits)
	a.section("Reads: all but the secrets that were not read.")
	a.line("/ r,")
	a.line("/** mr,")
	a.secrets(s.find(Secret))
	a.section(fmt.Sprintf("Writes: %s.", writes.Basis))
	a.files("rwk", writes.Allowed.Exact, devices)
	a.line(`"/dev/pts/*" rw,`)
	for _, dir := range writes.Allowed.Dirs {
		a.file(dir, "/", "rw")
		a.file(dir, "/**", "rwkl")
	}
	for _, glob := range writes.Allowed.Globs {
		a.pattern(glob, "rwk")
	}
	a.sockets()
	a.section("What the runtime grants; seccomp and the rules on operations see its use.")
	a.capabilities()
	a.network()
	a.privileges()
	head := s.head(append([]string{
		"addresses and ports: this parser's network rules know families alone",
		"system calls: see the seccomp profile",
		"programs written after the start: a profile goes by path alone",
		"which capabilities were used: all that the runtime grants are allowed",
	}, a.notes...)...)
	return a.bytes(head), nil
}

// sockets allows the unix sockets that were connected to and served: to the kernel
// those with a path are files that are written.
func (a *apparmorFile) sockets() {
	var all Paths
	for _, kind := range []Kind{Connect, Listen} {
		if r := a.set.find(kind); r != nil {
			all.Exact = append(all.Exact, r.Allowed.Exact...)
			all.Globs = append(all.Globs, r.Allowed.Globs...)
		}
	}
	if all.Empty() {
		return
	}
	a.section("Unix sockets, connected to and served.")
	a.files("rw", all.Exact)
	slices.Sort(all.Globs)
	for _, glob := range slices.Compact(all.Globs) {
		a.pattern(glob, "rw")
	}
}

// apparmorFile is a profile in the making.
type apparmorFile struct {
	set   *Set
	body  bytes.Buffer
	notes []string
}

func (a *apparmorFile) bytes(head []string) []byte {
	var out bytes.Buffer
	for _, line := range head {
		fmt.Fprintf(&out, "# %s\n", line)
	}
	flags := "attach_disconnected,mediate_deleted"
	if a.set.Audit {
		flags += ",complain"
	}
	fmt.Fprintf(&out, "profile %s flags=(%s) {\n", objectName(a.set.Workload), flags)
	out.Write(a.body.Bytes())
	out.WriteString("}\n")
	return out.Bytes()
}

func (a *apparmorFile) line(text string) { fmt.Fprintf(&a.body, "  %s\n", text) }

func (a *apparmorFile) section(title string) { fmt.Fprintf(&a.body, "\n  # %s\n", title) }

func (a *apparmorFile) files(mode string, lists ...[]string) {
	all := slices.Concat(lists...)
	slices.Sort(all)
	for _, file := range slices.Compact(all) {
		a.file(file, "", mode)
	}
}

// file allows one path, with a pattern behind it.
func (a *apparmorFile) file(path, behind, mode string) {
	q, ok := apparmorQuote(path)
	if !ok {
		a.notes = append(a.notes, comment(path)+": not a path that a profile can hold")
		return
	}
	a.line(fmt.Sprintf(`"%s%s" %s,`, q, behind, mode))
}

// pattern allows a pattern in which * is any text, slashes included.
func (a *apparmorFile) pattern(glob, mode string) {
	parts := strings.Split(glob, "*")
	for i, part := range parts {
		q, ok := apparmorEscape(part)
		if !ok || i == 0 && !strings.HasPrefix(part, "/") {
			a.notes = append(a.notes, comment(glob)+": not a pattern that a profile can hold")
			return
		}
		parts[i] = q
	}
	a.line(fmt.Sprintf(`"%s" %s,`, strings.Join(parts, "**"), mode))
}

func (a *apparmorFile) secrets(r *Rule) {
	if r == nil {
		return
	}
	word := "deny"
	if a.set.Audit {
		word = "audit"
	}
	for _, path := range r.Denied.Exact {
		if q, ok := apparmorQuote(path); ok {
			a.line(fmt.Sprintf(`%s "%s" r,`, word, q))
		}
	}
	for _, dir := range r.Denied.Dirs {
		if q, ok := apparmorQuote(dir); ok {
			a.line(fmt.Sprintf(`%s "%s/**" r,`, word, q))
		}
	}
}

// capabilities allows what the runtime may have granted: a profile grants nothing
// itself, so too much is harmless here and too little is not.
func (a *apparmorFile) capabilities() {
	names := slices.Clone(runtimeCapabilities)
	if d := a.set.Declared; d != nil {
		if d.Privileged || slices.Contains(d.CapAdd, "ALL") {
			a.line("capability,")
			return
		}
		for _, name := range d.CapAdd {
			if name = strings.ToLower(strings.TrimPrefix(strings.ToUpper(name), "CAP_")); capabilityName(name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		a.line("capability " + name + ",")
	}
}

func capabilityName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") == ""
}

func (a *apparmorFile) network() {
	known := func(family string) bool { _, ok := families[family]; return ok }
	if a.set.Families == nil || slices.ContainsFunc(a.set.Families, func(f string) bool { return !known(f) }) {
		a.line("network,")
		return
	}
	for _, family := range a.set.Families {
		a.line("network " + family + ",")
	}
}

func (a *apparmorFile) privileges() {
	name := objectName(a.set.Workload)
	a.line("signal,")
	a.line("unix,")
	denied := func(operation string) bool {
		r := a.set.find(Privilege)
		return r != nil && slices.Contains(r.Operations, operation)
	}
	if denied("ptrace") {
		a.line("ptrace (read, readby) peer=" + name + ",")
	} else {
		a.line("ptrace peer=" + name + ",")
	}
	if !denied("mount") {
		a.line("mount,")
		a.line("pivot_root,")
	}
	if !denied("umount") {
		a.line("umount,")
	}
}

// apparmorLongest bounds a path: the parser reads a token into a buffer of 8 KiB,
// escapes included.
const apparmorLongest = 2048

// apparmorQuote writes an absolute path for between double quotes, with nothing in
// it that is a pattern or a variable (apparmor.d(5), Globbing). It returns false
// for what the kernel has no path of, or the parser no way to write.
func apparmorQuote(path string) (string, bool) {
	if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") {
		return "", false
	}
	return apparmorEscape(path)
}

func apparmorEscape(text string) (string, bool) {
	if len(text) > apparmorLongest || strings.ContainsRune(text, 0) || strings.Contains(text, "//") || strings.Contains(text, "/../") {
		return "", false
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == '\\':
			b.WriteString(`\134`) // the parser takes \\" for \" and goes on
		case r == '"':
			b.WriteString(`\042`)
		case strings.ContainsRune(`*?[]{}^@`, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r > ' ' && unicode.IsPrint(r) && (r != utf8.RuneError || strings.HasPrefix(text[i:], "\ufffd")) || r == ' ':
			b.WriteRune(r)
		default:
			for _, c := range []byte(string(r)) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
		}
	}
	return b.String(), true
}

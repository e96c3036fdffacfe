package ingest

import (
	"path"
	"strings"

	"mayfly/trace"
)

// open: fd, name, flags, mode.
func (ev *scapEvent) open() error {
	name, _ := ev.parameters.text(1)
	return ev.opened(ev.path(-100, name), ev.end(2), ev.end(3))
}

// opened makes the event of an open and keeps the descriptor's file.
func (ev *scapEvent) opened(file string, flags, mode *int64) error {
	ev.e.Path = file
	if flags != nil {
		ev.e.Flags = new(openFlags(*flags))
	}
	if ev.e.Mode = mode; mode != nil {
		*mode &= 0o7777
	}
	if ev.ret >= 0 {
		ev.d.keep(ev.pid(), ev.ret, descriptorInfo{path: file})
	}
	return ev.emit(trace.FileOpen)
}

// creat: fd, name, mode.
func (ev *scapEvent) creat() error {
	name, _ := ev.parameters.text(1)
	return ev.opened(ev.path(-100, name), new(int64(2|1<<2|1<<8)), ev.end(2))
}

// openat: fd, dirfd, name, flags, mode; of old captures fd, with the rest at the
// begin: dirfd, name, flags, mode.
func (ev *scapEvent) openat() error {
	p, i := &ev.parameters, 1
	if ev.kind == scapOpenatOld {
		p, i = &ev.begin, 0
	}
	dir := numberOf(p, i)
	name, ok := p.text(i + 1)
	file := ""
	if ok && dir != nil {
		file = ev.path(*dir, name)
	}
	return ev.opened(file, numberOf(p, i+2), numberOf(p, i+3))
}

// openHandle: fd, mountfd, flags, path.
func (ev *scapEvent) openHandle() error {
	name, _ := ev.parameters.text(3)
	return ev.opened(name, ev.end(2), nil)
}

// unlink and rmdir: res, path; of old captures at the begin.
func (ev *scapEvent) unlink() error {
	name, _ := ev.parameters.text(1)
	if ev.kind == scapUnlinkOld || ev.kind == scapRmdirOld {
		name, _ = ev.begin.text(0)
	}
	ev.e.Path = ev.path(-100, name)
	ev.e.Flags = new(int64(0))
	if ev.d.calls[ev.kind].name == "rmdir" {
		ev.e.Flags = new(flagBits["AT_REMOVEDIR"])
	}
	return ev.emit(trace.Unlink)
}

// unlinkat: res, dirfd, name, flags.
func (ev *scapEvent) unlinkat() error {
	p, i := &ev.parameters, 1
	if ev.kind == scapUnlinkatOld {
		p, i = &ev.begin, 0
	}
	name, _ := p.text(i + 1)
	ev.e.Path = ev.path(orZero(numberOf(p, i)), name)
	ev.e.Flags = numberOf(p, i+2)
	return ev.emit(trace.Unlink)
}

// two: rename, link, symlink: res, from, to.
func (ev *scapEvent) two() error {
	p, i := &ev.parameters, 1
	if ev.kind == scapLinkOld {
		p, i = &ev.begin, 0
	}
	from, _ := p.text(i)
	to, _ := p.text(i + 1)
	return ev.twoPaths(-100, from, -100, to)
}

func (ev *scapEvent) twoPaths(fromDir int64, from string, toDir int64, to string) error {
	kind := trace.Link
	if strings.HasPrefix(ev.d.calls[ev.kind].name, "rename") {
		kind = trace.Rename
	}
	ev.e.Path2 = ev.path(toDir, to)
	if strings.HasPrefix(ev.d.calls[ev.kind].name, "symlink") { // relative to where the link stands
		if ev.e.Path = from; from != "" && from[0] != '/' && ev.e.Path2 != "" {
			ev.e.Path = path.Join(path.Dir(ev.e.Path2), from)
		}
	} else {
		ev.e.Path = ev.path(fromDir, from)
	}
	if ev.e.Flags == nil {
		ev.e.Flags = new(int64(0))
	}
	return ev.emit(kind)
}

// twoAt: res, olddirfd, oldpath, newdirfd, newpath, flags.
func (ev *scapEvent) twoAt() error {
	p, i := &ev.parameters, 1
	if ev.kind == scapLinkatOld {
		p, i = &ev.begin, 0
	}
	from, _ := p.text(i + 1)
	to, _ := p.text(i + 3)
	ev.e.Flags = numberOf(p, i+4)
	return ev.twoPaths(orZero(numberOf(p, i)), from, orZero(numberOf(p, i+2)), to)
}

// symlinkat: res, target, linkdirfd, linkpath.
func (ev *scapEvent) symlinkat() error {
	target, _ := ev.parameters.text(1)
	place, _ := ev.parameters.text(3)
	return ev.twoPaths(-100, target, orZero(ev.end(2)), place)
}

// target reads the file of chmod and chown in their three forms: a path (res,
// path, …), a descriptor (res, fd, …), a folder and a path (res, dirfd, path, …).
// next is the place behind it.
func (ev *scapEvent) target() (file string, next int) {
	switch name := ev.d.calls[ev.kind].name; {
	case strings.HasSuffix(name, "at"):
		p, _ := ev.parameters.text(2)
		return ev.path(orZero(ev.end(1)), p), 3
	case name[0] == 'f':
		return ev.file(orZero(ev.end(1))).path, 2
	}
	p, _ := ev.parameters.text(1)
	return ev.path(-100, p), 2
}

func (ev *scapEvent) chmod() error {
	var i int
	ev.e.Path, i = ev.target()
	if ev.e.Mode = ev.end(i); ev.e.Mode != nil {
		*ev.e.Mode &= 0o7777
	}
	return ev.emit(trace.Chmod)
}

func (ev *scapEvent) chown() error {
	var i int
	ev.e.Path, i = ev.target()
	ev.e.Arg, ev.e.Mode = ev.end(i), ev.end(i+1)
	return ev.emit(trace.Chown)
}

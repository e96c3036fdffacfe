package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// fields reads the fields of a block one after the other. After one that does not
// fit, everything is 0 and bad is set.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) take(n int) []byte {
	if n > len(f.b) {
		f.bad = true
		f.b = nil
		return nil
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

func (f *fields) u8() uint8 {
	if b := f.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *fields) u16() uint16 {
	if b := f.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (f *fields) u32() uint32 {
	if b := f.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (f *fields) u64() uint64 {
	if b := f.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// text is bytes behind their length.
func (f *fields) text() []byte { return f.take(int(f.u16())) }

// processes reads the list of processes, of version 1 to 9. Each version adds
// fields, and 9 the length of an entry, behind which later ones add theirs.
func (d *scapReader) processes(body []byte, version int) error {
	f := fields{b: body}
	for len(f.b) >= 4 {
		rest := f
		var next []byte
		if version >= 9 {
			size := int(f.u32())
			if size == 0 { // padding
				return nil
			}
			if size < 4 || size > len(rest.b) {
				return fmt.Errorf("process list: entry of %d bytes, %d left", size, len(rest.b))
			}
			next = rest.b[size:]
			f.b = rest.b[4:size]
		}
		if err := d.processEntry(&f, version); err != nil {
			return err
		}
		if version >= 9 {
			f.b = next
		}
	}
	return nil
}

func (d *scapReader) processEntry(f *fields, version int) error {
	tid, pid, parent := f.u64(), f.u64(), f.u64()
	if version >= 6 {
		f.u64() // session
	}
	if version >= 8 {
		f.u64() // process group
	}
	comm, exe := f.text(), f.text()
	var file []byte
	if version >= 7 {
		file = f.text()
	}
	args, cwd := f.text(), f.text()
	f.u64() // limit of descriptors
	f.u32() // flags
	uid, gid := f.u32(), f.u32()
	if version >= 2 {
		f.take(12 + 16) // memory, faults
	}
	if version >= 3 {
		f.text() // environment
	}
	var cgroups []byte
	if version >= 4 {
		f.take(16) // ids in the pid namespace
		cgroups = f.text()
	}
	if version >= 5 {
		f.text() // root
	}
	if f.bad {
		return errors.New("process list: an entry that does not fit")
	}
	if tid > 1<<31-1 || pid > 1<<31-1 || tid == 0 {
		return nil // a thread that ended while it was read
	}
	if parent > 1<<31-1 {
		parent = 0
	}
	t, err := d.f.thread(int32(tid))
	if err == nil && pid != tid {
		var leader *thread
		if leader, err = d.f.thread(int32(pid)); err == nil && t.process != leader.process {
			t.process = leader.process
			t.process.tasks++
		}
	}
	if err != nil {
		d.failed = err
		return err
	}
	if pid != tid && t.process.row.Comm != "" {
		return nil // its leader said it
	}
	row := &t.process.row
	row.PPID, row.Comm, row.Exe, row.Cwd = int32(parent), string(comm), string(file), strings.TrimSuffix(string(cwd), "/")
	if row.Cwd == "" && len(cwd) > 0 {
		row.Cwd = "/"
	}
	row.Argv = scapArgv(string(exe), args)
	row.UID, row.GID = new(int64(uid)), new(int64(gid))
	row.ContainerID = d.containerIn(cgroups)
	return d.learned(row.ContainerID)
}

// scapArgv puts the name that a program was called by before its arguments, which
// are parted by zeros.
func scapArgv(exe string, args []byte) []string {
	argv := []string{exe}
	for len(args) > 0 && len(argv) < 1<<16 {
		arg, rest, _ := bytes.Cut(args, []byte{0})
		argv = append(argv, string(arg))
		args = rest
	}
	if exe == "" && len(argv) == 1 {
		return nil
	}
	return argv
}

// containerIn returns the container id in a list of cgroups, name=path parted by
// zeros: 64 hexadecimal digits in a row, the last of a path.
func (d *scapReader) containerIn(cgroups []byte) string {
	for len(cgroups) > 0 {
		one, rest, _ := bytes.Cut(cgroups, []byte{0})
		if id := lastContainerID(one); id != "" {
			return id
		}
		cgroups = rest
	}
	return ""
}

// lastContainerID finds the last 64 hexadecimal digits in a row, no more and no
// fewer.
func lastContainerID(path []byte) string {
	for end := len(path); end >= 64; {
		n := 0
		for n < end && hexDigit(path[end-1-n]) >= 0 && (path[end-1-n] < 'A' || path[end-1-n] > 'F') {
			n++
		}
		if n == 64 {
			return string(path[end-64 : end])
		}
		end -= n + 1
	}
	return ""
}

// learned notes a container's full id, and hands on what was said of it under its
// short one.
func (d *scapReader) learned(id string) error {
	if id == "" || d.containers[id] {
		return nil
	}
	if len(d.containers) >= maxThreads {
		clear(d.containers)
	}
	d.containers[id] = true
	c := d.waiting[id[:12]]
	if c == nil {
		return nil
	}
	delete(d.waiting, id[:12])
	c.ContainerID = id
	d.failed = d.out.Container(d.host, c)
	return d.failed
}

// descriptorInfo is what is known of a file descriptor.
type descriptorInfo struct {
	path   string // of a file or folder
	socket socket
}

// Kinds of descriptors (scap_fd_type).
const (
	scapFile = iota + 1
	scapFolder
	scapSock4
	scapSock6
	scapServer4
	scapServer6
	scapFIFO
	scapUnix
	scapFileV2 = 16
)

// descriptors reads the list of one thread's descriptors, version 1 or 2.
func (d *scapReader) descriptors(body []byte, version int) error {
	f := fields{b: body}
	tid := f.u64()
	if f.bad {
		return errors.New("descriptor list: no thread")
	}
	for len(f.b) >= 17 {
		var next []byte
		if version >= 2 {
			all := f.b
			size := int(f.u32())
			if size == 0 {
				return nil
			}
			if size < 21 || size > len(all) {
				return fmt.Errorf("descriptor list: entry of %d bytes, %d left", size, len(all))
			}
			next, f.b = all[size:], all[4:size]
		}
		fd := int64(f.u64())
		f.u64() // inode
		info, err := descriptorEntry(&f)
		if err != nil {
			return err
		}
		if tid <= 1<<31-1 {
			d.keep(int32(tid), fd, info)
		}
		if version >= 2 {
			f.b = next
		}
	}
	return nil
}

func descriptorEntry(f *fields) (info descriptorInfo, err error) {
	switch kind := f.u8(); kind {
	case scapSock4, scapServer4:
		ip := netip.AddrFrom4([4]byte(append(f.take(4), make([]byte, 4)...)[:4]))
		if kind == scapSock4 {
			f.take(4)
		}
		info.socket = socket{"inet", ip.String(), new(int64(f.u16()))}
		if kind == scapSock4 {
			f.take(2)
		}
		f.u8()
	case scapSock6, scapServer6:
		ip := netip.AddrFrom16([16]byte(append(f.take(16), make([]byte, 16)...)[:16]))
		if kind == scapSock6 {
			f.take(16)
		}
		info.socket = socket{"inet6", ip.String(), new(int64(f.u16()))}
		if kind == scapSock6 {
			f.take(2)
		}
		f.u8()
	case scapUnix:
		f.take(16)
		info.socket = socket{family: "unix", addr: string(f.text())}
	case scapFileV2:
		f.u32()
		info.path = string(f.text()) // in version 2 the device may follow
	case scapFile, scapFolder:
		info.path = string(f.text())
	default: // FIFO, event, signal, epoll, inotify, timer, netlink, bpf …: a name that is no path
		f.text()
	}
	if f.bad {
		return info, errors.New("descriptor list: an entry that does not fit")
	}
	return info, nil
}

// keep notes a descriptor of a process; beyond a bound all are forgotten.
func (d *scapReader) keep(pid int32, fd int64, info descriptorInfo) {
	if len(d.files) >= 16*maxSockets {
		clear(d.files)
	}
	if info == (descriptorInfo{}) {
		delete(d.files, socketKey{pid, fd})
		return
	}
	d.files[socketKey{pid, fd}] = info
}

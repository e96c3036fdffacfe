package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// scapWriter writes captures, for what no real sample shows.
type scapWriter struct{ bytes.Buffer }

func (w *scapWriter) block(kind uint32, body []byte) {
	padded := append(bytes.Clone(body), make([]byte, (4-len(body)%4)%4)...)
	size := uint32(len(padded) + 12)
	w.Write(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, kind), size))
	w.Write(padded)
	w.Write(binary.LittleEndian.AppendUint32(nil, size))
}

// pack writes values as C would: int is 8 bytes, text is cut by a zero.
func pack(values ...any) (b []byte) {
	for _, v := range values {
		switch v := v.(type) {
		case int:
			b = binary.LittleEndian.AppendUint64(b, uint64(v))
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, v)
		case uint16:
			b = binary.LittleEndian.AppendUint16(b, v)
		case uint8:
			b = append(b, v)
		case string:
			b = append(append(b, v...), 0)
		case []byte:
			b = append(b, v...)
		default:
			panic(fmt.Sprintf("%T", v))
		}
	}
	return b
}

const scapBoot = 1_700_000_000_000_000_000

func newScapWriter() *scapWriter {
	w := &scapWriter{}
	w.block(scapSection, pack(uint32(scapMagic), uint16(1), uint16(2), ^int(0)))
	host := make([]byte, 128)
	copy(host, "node1")
	w.block(0x201, pack(uint32(2), 1<<30, 4194304, host, scapBoot, 2<<56, 0, 0))
	w.block(0x219, nil)
	w.block(0x220, nil)
	return w
}

// process writes a list of one process, version 9.
func (w *scapWriter) process(tid, pid int, comm, exe string, cgroups string) {
	name := func(s string) []byte { return pack(uint16(len(s)), []byte(s)) }
	body := pack(tid, pid, 1, 1, 1, name(comm), name(exe), name(exe), name("-x\x00"), name("/srv/"), 1024, uint32(0),
		uint32(33), uint32(34), uint32(0), uint32(0), uint32(0), 0, 0, name(""), tid, pid, name(cgroups), name("/"),
		0, uint32(0), uint32(1000), uint8(0), 0, 0, 0, uint8(0), 0, 0, 0)
	w.block(0x215, append(pack(uint32(len(body)+4)), body...))
}

// event writes an event, as versions 1, 2 or 2 large do. Parameters are values as
// pack takes them.
func (w *scapWriter) event(version int, kind uint16, tid, ns int, params ...any) {
	var lens, data []byte
	for _, p := range params {
		b := pack(p)
		if version == 3 {
			lens = append(lens, pack(uint32(len(b)))...)
		} else {
			lens = append(lens, pack(uint16(len(b)))...)
		}
		data = append(data, b...)
	}
	head := pack(scapBoot+ns, tid)
	size := 22 + len(lens) + len(data)
	block := uint32(0x204)
	if version > 1 {
		size += 4
		block = map[int]uint32{2: 0x216, 3: 0x221}[version]
	}
	head = append(head, pack(uint32(size), kind)...)
	if version > 1 {
		head = append(head, pack(uint32(len(params)))...)
	}
	w.block(block, append(append(append(pack(uint16(1)), head...), lens...), data...))
}

// call writes begin and end of a call.
func (w *scapWriter) call(version int, half, tid, ns int, begin, end []any) {
	w.event(version, uint16(2*half), tid, ns, begin...)
	w.event(version, uint16(2*half+1), tid, ns+500, end...)
}

const testContainer = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func a(values ...any) []any { return values }

// synthetic is a capture of everything that becomes an event.
func synthetic(version int) []byte {
	w := newScapWriter()
	w.process(100, 100, "nginx", "/usr/sbin/nginx", "cpu=/docker/"+testContainer+"\x00")
	w.process(101, 100, "nginx", "/usr/sbin/nginx", "cpu=/docker/"+testContainer+"\x00")
	w.process(7, 7, "sshd", "/usr/sbin/sshd", "cpu=/\x00")
	w.block(0x218, pack(100, uint32(4+8+8+1+4+2+5+4), 5, 1, uint8(16), uint32(1), uint16(5), []byte("/data"), uint32(0)))
	kind, layout := uint16(2*scapContainer), 3 // whose parameters are large, always
	if version == 1 {
		kind, layout = 2*scapContainerOld, 1
	}
	w.event(layout, kind, 0, 1, `{"container":{"Mounts":[{"Destination":"/b","Mode":"ro","Propagation":"","RW":false,"Source":"/a"}],`+
		`"User":"www","cni_json":"","cpu_period":100000,"cpu_quota":0,"cpu_shares":1024,"cpuset_cpu_count":0,"created_time":1,"env":[],`+
		`"id":"0123456789ab","image":"nginx:1","imagedigest":"","imageid":"aa","imagerepo":"nginx","imagetag":"1","ip":"0.0.0.0",`+
		`"is_pod_sandbox":false,"labels":{"io.kubernetes.pod.name":"web-1","b":"2"},"lookup_state":1,"memory_limit":0,`+
		`"metadata_deadline":0,"name":"web","port_mappings":[],"privileged":true,"swap_limit":0,"type":0}}`)
	c := func(half, ns int, begin, end []any) { w.call(version, half, 100, ns, begin, end) }
	c(153, 1000, a(-100, "conf", uint32(1), uint32(0)), a(6, -100, "conf", uint32(1|1<<12), uint32(0), uint32(0)))
	c(153, 2000, a(5, "f", uint32(1), uint32(0)), a(7, 5, "f", uint32(3|1<<2), uint32(0o640), uint32(0)))
	c(1, 3000, a("/etc/shadow", uint32(2), uint32(0)), a(-13, "/etc/shadow", uint32(2), uint32(0), uint32(0)))
	c(163, 3500, a(), a(8, -100, "two", uint32(1), uint32(0), uint32(0)))
	c(29, 3600, a(), a(8, "made", uint32(0o600), uint32(0)))
	c(150, 4000, a(), a(0, "/tmp/x"))
	c(151, 4100, a(), a(0, -100, "d", uint32(0x200)))
	c(139, 4200, a(), a(0, "d"))
	c(87, 5000, a(), a(0, "a", "b"))
	c(159, 5100, a(), a(0, 5, "a", -100, "b", uint32(1)))
	c(154, 5200, a(), a(0, "a", "/l"))
	c(89, 5300, a(), a(0, "../t", "/srv/d/l"))
	c(90, 5400, a(), a(0, "t", 5, "l"))
	c(157, 6000, a(), a(0, "a", uint32(0o4755)))
	c(158, 6100, a(), a(0, 7, uint32(0o600)))
	c(156, 6200, a(), a(0, 5, "z", uint32(0o644)))
	if version > 1 { // newer than old blocks
		c(189, 6300, a(), a(0, "a", uint32(0), uint32(0)))
		c(191, 6400, a(), a(0, 7, uint32(1), uint32(2)))
		c(192, 6500, a(), a(0, -100, "a", uint32(1), uint32(2), uint32(0)))
		c(176, 6600, a(), a(0, 0, 1, 1<<21))
		c(202, 6700, a(), a(9, "secret", uint32(1)))
		c(206, 6800, a(), a(0, 7, "", uint32(0)))
		c(193, 6900, a(), a(0, "/mnt"))
		c(213, 6950, a(), a(0, uint32(1), uint32(12)))
		c(157, 6960, a(), a(0, []byte("bad\xff\x00"), uint32(0o1)))
	}
	c(9, 7000, a(uint32(2), uint32(1), uint32(6)), a(10))
	c(10, 7100, a(10), a(0, pack(uint8(2), []byte{127, 0, 0, 1}, uint16(80))))
	c(12, 7200, a(10, uint32(5)), a(0))
	c(123, 7300, a(), a(11, pack(uint8(2), []byte{10, 0, 0, 9}, uint16(999), []byte{127, 0, 0, 1}, uint16(80)), uint8(0), uint32(0), uint32(0)))
	c(11, 7400, a(12, pack(uint8(2), []byte{1, 2, 3, 4}, uint16(443))), a(-115, pack(uint8(2), []byte{10, 0, 0, 1}, uint16(5), []byte{1, 2, 3, 4}, uint16(443))))
	c(11, 7500, a(12, pack(uint8(1), "/run/x.sock")), a(0, pack(uint8(1), 1, 2, "/run/x.sock")))
	c(11, 7600, a(12, pack(uint8(10), make([]byte, 15), uint8(1), uint16(53))), a(-111, []byte{}))
	c(99, 8000, a(uint32(0)), a(0))
	c(97, 8100, a(^uint32(0), uint32(44), ^uint32(0)), a(0))
	c(128, 8200, a(uint32(4096)), a(0, "src", "/mnt", "ext4"))
	c(129, 8300, a(uint32(2)), a(0, "/mnt"))
	c(84, 8400, a(uint16(11), 7), a(0, pack(uint8(0), 0), pack(uint8(0), 0)))
	c(148, 8500, a(5), a(pack(uint8(0), 0)))
	c(142, 8600, a(uint32(1<<7)), a(0))
	c(120, 8700, a(10, uint32(1<<4)), a(0))
	c(scapGeneric, 8800, a(uint16(1), uint16(318)), a(uint16(1)))
	fork := func(ret, tid, pid, ptid int, comm string, flags uint32) []any {
		return a(ret, "nginx", []byte("-x\x00"), tid, pid, ptid, "/srv/", 1024, 0, 0, uint32(0), uint32(0), uint32(0), comm,
			[]byte("cpu=/docker/"+testContainer+"\x00"), flags, uint32(33), uint32(34), 12, 12)
	}
	w.event(version, 2*111, 100, 9000)
	w.event(version, 2*111+1, 102, 9100, fork(0, 102, 102, 100, "nginx", 1<<23|1<<24)...)
	w.event(version, 2*111+1, 100, 9200, fork(12, 100, 100, 1, "nginx", 1<<23|1<<24)...)
	w.event(version, 2*111+1, 103, 9300, fork(0, 103, 100, 1, "nginx", 1<<13|1<<15)...)
	execed := a(0, "sh", []byte("-c\x00id\x00"), 102, 102, 100, "/srv/", 1024, 0, 0, uint32(0), uint32(0), uint32(0), "sh",
		[]byte("cpu=/docker/"+testContainer+"\x00"), []byte("A=1\x00"), uint32(0), 102, uint32(1000), uint32(scapExeUpper))
	w.event(version, 2*146, 102, 9400, "/bin/sh")
	w.event(version, 2*146+1, 102, 9500, execed...)
	w.event(version, 2*146, 102, 9600, "/none")
	w.event(version, 2*146+1, 102, 9700, append(a(-2), execed[1:]...)...)
	w.event(version, 2*scapGeneric, 102, 9750, uint16(2), uint16(231))
	w.event(version, 2*scapProcexit, 102, 9800, 3<<8, 3, uint8(0), uint8(0))
	w.event(version, 2*scapDrop, 0, 9900, uint32(8))
	w.event(version, 2*scapDrop+1, 0, 9950, uint32(8))
	w.event(version, 2*scapProcexit, 103, 9960, 0, 0, uint8(0), uint8(0))
	w.event(version, 2*118, 7, 9970, 5) // getdents, without its end
	return w.Bytes()
}

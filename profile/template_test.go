package profile

import (
	"testing"
)

func TestTemplate(t *testing.T) {
	for _, test := range []struct{ path, want string }{
		{"/etc/passwd", "/etc/passwd"},
		{"/proc/1234/status", "/proc/<n>/status"},
		{"/proc/self/fd/12", "/proc/self/fd/<n>"},
		{"/proc/1/task/7/comm", "/proc/<n>/task/<n>/comm"},
		{"/dev/pts/0", "/dev/pts/<n>"},
		{"/sys/devices/system/cpu/cpu11/online", "/sys/devices/system/cpu/cpu<n>/online"},
		{"/srv/proc/cpu11", "/srv/proc/cpu11"},
		{"/data/6F9619FF-8B86-D011-B42D-00C04FC964FF.json", "/data/<uuid>.json"},
		{"/var/lib/docker/containers/9b7c6a5e4d3f2b1a9b7c6a5e4d3f2b1a9b7c6a5e4d3f2b1a9b7c6a5e4d3f2b1a/hosts", "/var/lib/docker/containers/<hex>/hosts"},
		{"/repo/.git/objects/ab/cdef0123456789abcdef0123456789abcdef01", "/repo/.git/objects/ab/<hex>"},
		{"/cache/deadbeefcafe", "/cache/deadbeefcafe"},
		{"/cache/deadbeefcaf3", "/cache/<hex>"},
		{"/log/app-2026-01-31.log", "/log/app-<date>.log"},
		{"/log/app-20260131.log.gz", "/log/app-<date>.log.gz"},
		{"/log/2026-01-31T12:30:59Z.json", "/log/<date>.json"},
		{"/log/2026-01-31_12-30-59", "/log/<date>"},
		{"/log/9920260131", "/log/<n>"},
		{"/pg/base/16384/2619", "/pg/base/<n>/<n>"},
		{"/pg/base/16384/2619_fsm", "/pg/base/<n>/<n>_fsm"},
		{"/usr/lib/gconv/ISO8859-1.so", "/usr/lib/gconv/ISO8859-1.so"},
		{"/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6"},
		{"/usr/lib/python3.11/os.py", "/usr/lib/python3.11/os.py"},
		{"/usr/lib/tmpfiles.d/x.conf", "/usr/lib/tmpfiles.d/x.conf"},
		{"/run/worker12345.sock", "/run/worker<n>.sock"},
		{"/tmp/tmp.Xa81kdZq9P", "/tmp/tmp.<tmp>"},
		{"/tmp/tmpabcdefgh", "/tmp/tmp<tmp>"},
		{"/tmp/tmpab12_dgh.py", "/tmp/tmp<tmp>.py"},
		{"/opt/tmpreaper", "/opt/tmpreaper"},
		{"/tmp/x", "/tmp/x"},
		{"/tmp/passwords", "/tmp/passwords"},
		{"/tmp/go-build3141592653/b001", "/tmp/go-build<n>/b001"},
		{"/tmp/systemd-private-9b7c6a5e4d3f2b1a9b7c6a5e4d3f2b1a-x.service-aB3dE9/tmp", "/tmp/systemd-private-<hex>-x.service-<tmp>/tmp"},
		{"/etc/sedaB3dE9", "/etc/sed<tmp>"},
		{"/etc/passwd.aB3dE9", "/etc/passwd.<tmp>"},
		{"/etc/nginx/conf.d/default.conf", "/etc/nginx/conf.d/default.conf"},
		{"/a/../b//c/", "/a/../b//c/"},
		{"", ""},
		{"relative/1234567", "relative/<n>"},
		{"/x/\xff1", `/x/\xff1`},
	} {
		got := Template(test.path)
		if got != test.want {
			t.Errorf("Template(%q) = %q, want %q", test.path, got, test.want)
		}
		if again := Template(got); again != got {
			t.Errorf("Template(%q) = %q, not itself", got, again)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, path := range []string{"/proc/12/x", "/tmp/tmp.aB3dE9xx", "/log/2026-01-31T12:30:59.5Z", "2026-01-31-20260131", "\xff"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got := Template(path)
		if again := Template(got); again != got {
			t.Errorf("Template(%q) = %q, but Template of that is %q", path, got, again)
		}
		if got != "" && NewItem(Read, got).check() != nil {
			t.Errorf("Template(%q) = %q: not a value", path, got)
		}
	})
}

func BenchmarkTemplate(b *testing.B) {
	for b.Loop() {
		Template("/proc/1234/task/99/status")
		Template("/usr/lib/x86_64-linux-gnu/libc.so.6")
		Template("/etc/nginx/nginx.conf")
	}
}

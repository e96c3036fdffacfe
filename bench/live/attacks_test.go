package live

import (
	"fmt"
	"testing"
	"time"

	"mayfly/feature"
	"mayfly/record/dockertest"
)

// attack is something harmless that looks like a technique of MITRE ATT&CK.
type attack struct {
	name, technique string
	in              string   // web, db, cgi, worker: an attacked replica; job: a job that was tampered with
	how             []string // of docker exec; for a job what its shell does after the job itself
	redis           string   // commands sent to the database in place of a program
	query           string   // sent to the script behind the web server, likewise
}

func shell(script string) []string { return []string{"/bin/sh", "-c", script} }

// attacks: the first five are those of the end-to-end test.
var attacks = []attack{
	{name: "shell", technique: "T1059.004, T1609", in: "web", how: shell("id; uname -a; ls -la /")},
	{name: "dropped-binary", technique: "T1105", in: "web", how: shell("cp /bin/busybox /tmp/busybox.1 && chmod 755 /tmp/busybox.1 && /tmp/busybox.1 sleep 0.2")},
	{name: "read-shadow", technique: "T1003.008", in: "web", how: shell("cat /etc/shadow")},
	{name: "new-connection", technique: "T1095", in: "web", how: shell("echo hello | nc -w 1 127.0.0.1 4444")},
	{name: "mount", technique: "T1611", in: "web", how: shell("mount -t tmpfs none /mnt")},

	{name: "ptrace", technique: "T1055.008", in: "web", how: []string{"/opt/tool", "ptrace"}},
	{name: "log-deletion", technique: "T1070.002", in: "web", how: shell("rm -f /var/log/nginx/access.log")},
	{name: "authorized-keys", technique: "T1098.004", in: "db",
		redis: "CONFIG SET dir /root/.ssh\r\nCONFIG SET dbfilename authorized_keys\r\nSAVE\r\nCONFIG SET dir /data\r\nCONFIG SET dbfilename dump.rdb\r\n"},
	{name: "cron", technique: "T1053.003", in: "db",
		redis: "CONFIG SET dir /var/spool/cron\r\nCONFIG SET dbfilename root\r\nSAVE\r\nCONFIG SET dir /data\r\nCONFIG SET dbfilename dump.rdb\r\n"},
	{name: "memfd", technique: "T1620", in: "db", how: []string{"/opt/tool", "memfd"}},
	{name: "data-staging", technique: "T1560.001", in: "db", how: shell("tar -czf /tmp/.d.tgz /data")},
	{name: "miner", technique: "T1496", in: "job", how: shell("echo login | nc -w 1 127.0.0.1 3333; i=0; while [ $i -lt 2000000 ]; do i=$((i+1)); done")},
	{name: "reverse-shell", technique: "T1059.004", in: "job", how: shell("(echo id | nc -l -p 4444 >/tmp/got) & sleep 0.3; nc 127.0.0.1 4444 -e /bin/sh; sleep 0.3")},
	{name: "service-account-token", technique: "T1528", in: "job", how: shell("cat /var/run/secrets/kubernetes.io/serviceaccount/token")},
	{name: "ld-preload", technique: "T1574.006", in: "job", how: shell("echo /tmp/x.so >/etc/ld.so.preload")},
	{name: "unshare", technique: "T1611", in: "job", how: shell("unshare -U -r true; unshare -m true")},
	{name: "port-scan", technique: "T1046", in: "job", how: shell("p=20; while [ $p -lt 60 ]; do nc -w 1 127.0.0.1 $p </dev/null; p=$((p+1)); done")},
	{name: "suid-copy", technique: "T1548.001", in: "job", how: shell("cp /bin/busybox /tmp/.s; chmod 4755 /tmp/.s")},
	{name: "docker-socket", technique: "T1613", in: "job", how: shell("ls -l /var/run/docker.sock /run/docker.sock; /opt/tool socket /var/run/docker.sock")},
}

// freshAttacks are those that were written down before anything was recorded and left
// out of the recordings that the detector was made with.
var freshAttacks = []attack{
	{name: "injected-read-shadow", technique: "T1190, T1003.008", in: "cgi", query: "n=1;cat</etc/shadow"},
	{name: "injected-binary", technique: "T1190, T1105", in: "cgi", query: "n=1;cp${IFS}/bin/busybox${IFS}/tmp/w;/tmp/w${IFS}id"},
	{name: "injected-call-back", technique: "T1190, T1059.004", in: "cgi", query: "n=1;nc${IFS}127.0.0.1${IFS}5555"},
	{name: "environment", technique: "T1552.007", in: "worker", how: shell("cat /proc/1/environ")},
	{name: "hosts-file", technique: "T1565.001", in: "worker", how: shell("echo 127.0.0.9 registry >>/etc/hosts")},
	{name: "account", technique: "T1136.001", in: "worker", how: shell("echo x::0:0::/:/bin/sh >>/etc/passwd")},
	{name: "timestomp", technique: "T1070.006", in: "worker", how: shell("touch -t 200001010000 /bin/worker")},
	{name: "fork-bomb", technique: "T1499", in: "worker", how: shell("i=0; while [ $i -lt 300 ]; do /bin/true & i=$((i+1)); done; wait")},
	{name: "exfiltration", technique: "T1048", in: "worker", how: shell("tar -cf - /srv | nc -w 1 127.0.0.1 9999")},
	{name: "rogue-master", technique: "T1190", in: "db", redis: "REPLICAOF 127.0.0.1 9999\r\nPING\r\n"},
	{name: "module-drop", technique: "T1105", in: "db",
		redis: "CONFIG SET dir /tmp\r\nCONFIG SET dbfilename x.so\r\nSAVE\r\nCONFIG SET dir /data\r\nCONFIG SET dbfilename dump.rdb\r\n"},
	{name: "core-pattern", technique: "T1611", in: "job", how: shell("echo '|/tmp/x' >/proc/sys/kernel/core_pattern")},
	{name: "device", technique: "T1611", in: "job", how: shell("mknod /tmp/sda b 8 0")},
	{name: "chroot", technique: "T1611", in: "job", how: shell("chroot /proc/1/root /bin/true")},
}

// perform does one attack on a container, or in a job where that is nil, and says of
// which container and when.
func (p *place) perform(t *testing.T, a attack, c *dockertest.Container) feature.Label {
	t.Helper()
	label := feature.Label{Attack: a.name, FromNS: time.Now().UnixNano()}
	pid := ""
	if c != nil {
		label.Container = c.ID
		pid = p.docker.Docker(t, "inspect", "--format", "{{.State.Pid}}", c.ID)
		label.FromNS = time.Now().UnixNano()
	}
	switch {
	case c == nil:
		job := p.docker.RunWith(t, append(options(), p.jobOptions...), p.jobs, "/bin/sh", "-c", "/bin/job 1; "+a.how[2])
		label.Container = job.ID
		job.Wait(t)
		t.Logf("%s: %s", a.name, job.Logs(t))
	case a.redis != "":
		t.Logf("%s: %s", a.name, sent(t, pid, redisPort, a.redis+"QUIT\r\n"))
	case a.query != "":
		t.Logf("%s: %s", a.name, sent(t, pid, webPort, "GET /cgi-bin/report?"+a.query+" HTTP/1.0\r\n\r\n"))
	default:
		out, status := c.Exec(t, a.how...)
		t.Logf("%s: exit status %d %s", a.name, status, out)
	}
	label.ToNS = time.Now().UnixNano()
	return label
}

// line is the label as files of labels have it.
func line(l feature.Label) string {
	at := func(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
	return fmt.Sprintf("%s,%s,%s,%s\n", l.Container, at(l.FromNS), at(l.ToNS), l.Attack)
}

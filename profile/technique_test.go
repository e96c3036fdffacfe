package profile

import (
	"regexp"
	"testing"
)

func TestTechniqueOf(t *testing.T) {
	for item, want := range map[Item]string{
		{Exec, "/bin/sh"}:              "T1059.004",
		{Exec, "/usr/bin/python3"}:     "T1059.006",
		{Exec, "/usr/local/bin/nginx"}: "",
		{Exec, "/tmp/sh/nginx"}:        "",
		{WriteExec, "/tmp/x"}:          "T1105",
		{WriteExec, "memfd:x"}:         "T1620",
		{Read, "/etc/shadow"}:          "T1003.008",
		{Read, "/etc/shadow/x"}:        "",
		{Read, "/run/secrets/kubernetes.io/serviceaccount/token"}: "T1528",
		{Read, "/root/.ssh/id_ed25519"}:                           "T1552.004",
		{Read, "/etc/ssh/ssh_host_rsa_key.pub"}:                   "",
		{Read, "/home/a/.aws/credentials"}:                        "T1552.001",
		{Write, "/etc/cron.d/x"}:                                  "T1053.003",
		{Write, "/root/.ssh/authorized_keys"}:                     "T1098.004",
		{Write, "/etc/ld.so.preload"}:                             "T1574.006",
		{Write, "/var/www/html/x.php"}:                            "T1505.003",
		{Write, "/var/www/html/x.html"}:                           "",
		{Write, "/proc/sys/kernel/core_pattern"}:                  "T1611",
		{Connect, "unix:/var/run/docker.sock"}:                    "T1609",
		{Connect, "inet:169.254.169.254:80"}:                      "T1552.005",
		{Connect, "inet:10.0.0.1:80"}:                             "",
		{Priv, "mount"}:                                           "T1611",
		{Priv, "unshare:NEWNET"}:                                  "",
		{Priv, "ptrace"}:                                          "T1055.008",
		{Priv, "setuid:1000"}:                                     "",
		{Priv, "setuid:0"}:                                        "T1548.001",
		{Listen, "inet:0.0.0.0:80"}:                               "",
		{Called, `["/bin/busybox","nc"]`}:                         "T1105",
		{Called, `["/bin/busybox","sort"]`}:                       "",
		{Called, "no list"}:                                       "",
		{Refused, "write /proc/sys/kernel/core_pattern"}:          "T1611",
		{Refused, "refused read /etc/shadow"}:                     "",
		{Refused, "mount /mnt"}:                                   "",
	} {
		got, ok := TechniqueOf(item)
		if got.ID != want || ok != (want != "") {
			t.Errorf("%s: got %q, want %q", item, got.ID, want)
		}
		if ok && (got.Name == "" || !regexp.MustCompile(`^T\d{4}(\.\d{3})?$`).MatchString(got.ID) || !regexp.MustCompile(`^mitre_[a-z_]+$`).MatchString(got.Tactic)) {
			t.Errorf("%s: technique %+v lacks something", item, got)
		}
	}
}

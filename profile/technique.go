package profile

import (
	"path"
	"slices"
	"strings"
)

// Technique is a technique of MITRE ATT&CK for Enterprise.
type Technique struct {
	ID     string // T1059.004
	Name   string
	Tactic string // as Falco's tags write it: mitre_execution
}

// AttackVersion is the version of ATT&CK that the techniques' numbers are from.
const AttackVersion = "16.1"

var (
	unixShell    = Technique{"T1059.004", "Command and Scripting Interpreter: Unix Shell", "mitre_execution"}
	script       = Technique{"T1059", "Command and Scripting Interpreter", "mitre_execution"}
	python       = Technique{"T1059.006", "Command and Scripting Interpreter: Python", "mitre_execution"}
	transfer     = Technique{"T1105", "Ingress Tool Transfer", "mitre_command_and_control"}
	inMemory     = Technique{"T1620", "Reflective Code Loading", "mitre_defense_evasion"}
	discovery    = Technique{"T1046", "Network Service Discovery", "mitre_discovery"}
	hijack       = Technique{"T1496", "Resource Hijacking", "mitre_impact"}
	shadow       = Technique{"T1003.008", "OS Credential Dumping: /etc/passwd and /etc/shadow", "mitre_credential_access"}
	privateKeys  = Technique{"T1552.004", "Unsecured Credentials: Private Keys", "mitre_credential_access"}
	inFiles      = Technique{"T1552.001", "Unsecured Credentials: Credentials In Files", "mitre_credential_access"}
	accessToken  = Technique{"T1528", "Steal Application Access Token", "mitre_credential_access"}
	metadata     = Technique{"T1552.005", "Unsecured Credentials: Cloud Instance Metadata API", "mitre_credential_access"}
	cron         = Technique{"T1053.003", "Scheduled Task/Job: Cron", "mitre_persistence"}
	sshKeys      = Technique{"T1098.004", "Account Manipulation: SSH Authorized Keys", "mitre_persistence"}
	localAccount = Technique{"T1136.001", "Create Account: Local Account", "mitre_persistence"}
	preload      = Technique{"T1574.006", "Hijack Execution Flow: Dynamic Linker Hijacking", "mitre_persistence"}
	shellStart   = Technique{"T1546.004", "Event Triggered Execution: Unix Shell Configuration Modification", "mitre_persistence"}
	service      = Technique{"T1543.002", "Create or Modify System Process: Systemd Service", "mitre_persistence"}
	webShell     = Technique{"T1505.003", "Server Software Component: Web Shell", "mitre_persistence"}
	adminCommand = Technique{"T1609", "Container Administration Command", "mitre_execution"}
	escape       = Technique{"T1611", "Escape to Host", "mitre_privilege_escalation"}
	ptrace       = Technique{"T1055.008", "Process Injection: Ptrace System Calls", "mitre_privilege_escalation"}
	module       = Technique{"T1547.006", "Boot or Logon Autostart Execution: Kernel Modules and Extensions", "mitre_persistence"}
	setuid       = Technique{"T1548.001", "Abuse Elevation Control Mechanism: Setuid and Setgid", "mitre_privilege_escalation"}
)

// programs are those whose name alone says what they are run for, if they are
// new to a workload.
var programs = map[string]Technique{
	"sh": unixShell, "bash": unixShell, "dash": unixShell, "ash": unixShell, "ksh": unixShell, "zsh": unixShell, "busybox": unixShell,
	"perl": script, "ruby": script, "php": script, "lua": script, "node": script,
	"python": python, "python2": python, "python3": python,
	"curl": transfer, "wget": transfer, "nc": transfer, "ncat": transfer, "netcat": transfer, "socat": transfer, "scp": transfer, "tftp": transfer,
	"nmap": discovery, "masscan": discovery, "zmap": discovery,
	"xmrig": hijack, "minerd": hijack, "cpuminer": hijack,
	"nsenter": escape, "docker": adminCommand, "kubectl": adminCommand, "crictl": adminCommand, "ctr": adminCommand,
	"su": setuid, "sudo": setuid, "pkexec": setuid,
}

// TechniqueOf says which technique of ATT&CK an item that is new to a workload
// speaks for, where that is clear: a file or call that hardly serves anything
// else. A name is chosen by whoever runs the program, so what this returns is a
// hint for a reader, nothing to allow or to block by.
func TechniqueOf(item Item) (t Technique, ok bool) {
	switch item.Kind {
	case Exec:
		t, ok = programs[path.Base(item.Value)]
		return t, ok
	case WriteExec:
		if strings.HasPrefix(item.Value, "memfd:") || strings.HasPrefix(item.Value, "/memfd:") {
			return inMemory, true
		}
		return transfer, true
	case Read:
		return readTechnique(item.Value)
	case Write:
		return writeTechnique(item.Value)
	case Connect:
		return connectTechnique(item.Value)
	case Priv:
		return privTechnique(item.Value)
	case Called:
		if l := ParseList(item.Value); len(l) > 1 {
			t, ok = programs[l[1]]
		}
		return t, ok
	case Refused:
		if asked, err := ParseItem(item.Value); err == nil && asked.Kind != Refused {
			return TechniqueOf(asked)
		}
	}
	return Technique{}, false
}

func readTechnique(file string) (Technique, bool) {
	base := path.Base(file)
	switch {
	case file == "/etc/shadow" || file == "/etc/gshadow":
		return shadow, true
	case strings.Contains(file, "/secrets/kubernetes.io/serviceaccount"):
		return accessToken, true
	case strings.Contains(file, "/.ssh/id_") || strings.HasPrefix(file, "/etc/ssh/ssh_host_") && !strings.HasSuffix(file, ".pub"):
		return privateKeys, true
	case strings.HasSuffix(file, "/.aws/credentials"), strings.HasSuffix(file, "/.docker/config.json"),
		strings.HasSuffix(file, "/.kube/config"), base == ".pgpass", base == ".netrc", base == ".git-credentials", base == ".my.cnf":
		return inFiles, true
	}
	return Technique{}, false
}

func writeTechnique(file string) (Technique, bool) {
	in := func(dirs ...string) bool {
		return slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(file, dir) })
	}
	switch base := path.Base(file); {
	case in("/etc/cron", "/var/spool/cron/"):
		return cron, true
	case base == "authorized_keys":
		return sshKeys, true
	case file == "/etc/passwd" || file == "/etc/shadow":
		return localAccount, true
	case file == "/etc/ld.so.preload":
		return preload, true
	case base == ".bashrc" || base == ".profile" || base == ".bash_profile" || in("/etc/profile"):
		return shellStart, true
	case in("/etc/systemd/", "/lib/systemd/system/", "/usr/lib/systemd/system/"):
		return service, true
	case in("/var/www/", "/usr/share/nginx/", "/srv/www/") && slices.Contains([]string{".php", ".jsp", ".jspx", ".asp", ".aspx"}, path.Ext(file)):
		return webShell, true
	case strings.HasSuffix(file, "/release_agent") || file == "/proc/sys/kernel/core_pattern":
		return escape, true
	}
	return Technique{}, false
}

func connectTechnique(peer string) (Technique, bool) {
	if addr, ok := ParsePeer(peer); ok && addr.Addr().String() == "169.254.169.254" {
		return metadata, true
	}
	for _, socket := range []string{"docker.sock", "containerd.sock", "crio.sock", "podman.sock"} {
		if strings.HasPrefix(peer, "unix:") && path.Base(peer) == socket {
			return adminCommand, true
		}
	}
	return Technique{}, false
}

func privTechnique(what string) (Technique, bool) {
	switch what {
	case "mount", "setns", "unshare:NEWNS", "unshare:NEWUSER":
		return escape, true
	case "ptrace":
		return ptrace, true
	case "module_load":
		return module, true
	case "setuid:0":
		return setuid, true
	}
	return Technique{}, false
}

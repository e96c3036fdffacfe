package falco

import "strings"

// lacking are fields that Falco knows and a trace does not have, by the reason.
var lacking = map[string]string{
	"a trace does not record terminals":                         "proc.tty",
	"a trace has the host's pids only":                          "proc.vpid proc.pvpid thread.vtid",
	"a trace does not record sessions":                          "proc.sid proc.sname proc.sexe proc.sexepath proc.sid.exe proc.sid.exepath proc.is_sid_leader",
	"a trace does not record process groups":                    "proc.vpgid proc.vpgid.name proc.vpgid.exe proc.vpgid.exepath proc.is_vpgid_leader proc.pgid proc.pgid.name proc.pgid.exe proc.pgid.exepath proc.is_pgid_leader",
	"a trace does not record environments":                      "proc.env proc.aenv",
	"a trace does not record inodes and their times":            "proc.exe_ino proc.exe_ino.ctime proc.exe_ino.mtime proc.exe_ino.ctime_duration_proc_start proc.exe_ino.ctime_duration_pidns_start proc.pidns_init_start_ts fd.ino fd.dev fd.dev.major fd.dev.minor",
	"a trace does not record who may write to a file":           "proc.is_exe_writable",
	"a trace does not tell layers apart":                        "proc.is_exe_lower_layer",
	"a trace does not know probes":                              "proc.is_container_healthcheck proc.is_container_liveness_probe proc.is_container_readiness_probe container.healthcheck container.liveness_probe container.readiness_probe",
	"a trace does not record what the standard streams are":     "proc.stdin.name proc.stdin.type proc.stdout.name proc.stdout.type proc.stderr.name proc.stderr.type",
	"a trace does not record login shells":                      "proc.loginshellid",
	"a trace does not record memory and descriptors in use":     "proc.vmsize proc.vmrss proc.vmswap thread.pfmajor thread.pfminor thread.vmsize thread.vmrss proc.fdopencount proc.fdlimit proc.fdusage proc.nchilds proc.nthreads thread.nametid proc.thread_count",
	"a trace has capabilities at capset only":                   "thread.cap_permitted thread.cap_inheritable thread.cap_effective",
	"a trace does not record login users":                       "user.loginuid user.loginname",
	"a trace does not record home and shell of users":           "user.homedir user.shell",
	"a trace does not resolve names":                            "fd.sip.name fd.cip.name fd.lip.name fd.rip.name fd.sport.name fd.cport.name fd.lport.name fd.rport.name fd.lproto fd.cproto fd.rproto fd.sproto",
	"a trace has resolved paths only":                           "fd.nameraw fs.path.nameraw fs.path.sourceraw fs.path.targetraw",
	"a trace does not record it":                                "fd.types fd.l4proto.name fd.sockfamily fd.uid fd.containername fd.containerdirectory fd.proto fd.is_upper_layer fd.is_lower_layer fd.name_changed fd.dev fd.delegated",
	"a trace does not record what is read or written":           "evt.buffer evt.buflen evt.is_io_read evt.is_io_write evt.io_dir",
	"arguments as one text are not evaluated":                   "evt.args evt.info evt.rawarg evt.abspath evt.around",
	"a trace does not tell whether the file was there":          "evt.is_open_create",
	"a trace has the ends of calls only":                        "evt.latency evt.latency.s evt.latency.ns evt.deltatime evt.deltatime.s evt.deltatime.ns evt.outputtime evt.reltime evt.reltime.s evt.reltime.ns evt.wait_latency",
	"times as text are not evaluated":                           "evt.time evt.time.s evt.time.iso8601 evt.datetime evt.datetime.s evt.rawtime.s evt.rawtime.ns",
	"not evaluated":                                             "evt.is_open_exec evt.is_async evt.pluginname evt.is_io evt.cpu evt.category evt.is_wait evt.is_syslog evt.count.error evt.count.exit evt.asynctype evt.plugininfo evt.system syscall.type proc.exe_from_memfd proc.pid.ts proc.ppid.ts proc.ppid.duration proc.fdname proc.cmdlenargs.s thread.totexectime thread.exectime thread.cgroup thread.cgroups proc.cap_permitted syslog.facility syslog.severity syslog.message",
	"a trace does not record what of a container this is about": "container.ip container.cni.json container.mounts container.mount container.mount.source container.mount.dest container.mount.mode container.mount.rdwr container.mount.propagation container.duration container.start_ts container.host_pid container.host_network container.host_ipc container.labels container.full_image",
	"a trace has pod, its uid and its namespace only":           "k8s.pod.label k8s.pod.labels k8s.pod.ip k8s.pod.cni.json k8s.pod.full_sandbox_id k8s.pod.sandbox_id k8s.pod.full_id k8s.rc.name k8s.rc.id k8s.rc.label k8s.svc.name k8s.svc.id k8s.ns.id k8s.ns.label k8s.rs.name k8s.rs.id k8s.deployment.name k8s.deployment.id k8s.deployment.label",
}

// why is lacking by field.
var why = func() map[string]string {
	all := map[string]string{}
	for reason, names := range lacking {
		for name := range strings.FieldsSeq(names) {
			all[name] = reason
		}
	}
	return all
}()

// plugins begin the names of fields that come with plugins' events.
var plugins = strings.Fields("ka. jevt. json. ct. gcp. okta. github. aws. kafka. salesforce. keycloak. k8smeta. k8sres. dummy. test. proc.mesos. mesos.")

// notRecorded says why a trace has nothing for a field; "" for fields that mayfly
// does not know.
func notRecorded(name string) string {
	if reason, ok := why[name]; ok {
		return reason
	}
	for _, prefix := range plugins {
		if strings.HasPrefix(name, prefix) {
			return "it is a plugin's"
		}
	}
	return ""
}

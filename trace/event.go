package trace

// Kind says what an event is. The kinds are those that the recorder writes;
// a foreign source maps onto them or is left out.
type Kind string

// The kinds of event. Beside each: which columns carry its arguments, apart
// from those that every event has (see Event).
const (
	Exec        Kind = "exec"         // path (the file run), argv, cwd, exe_origin; ret: a failed exec has ret < 0
	Exit        Kind = "exit"         // arg: the wait status (code<<8 | signal) of the whole process
	Fork        Kind = "fork"         // target_pid (the child's pid; the child's tid for a thread), flags: clone flags
	FileOpen    Kind = "open"         // path, flags (O_*), mode, ret: descriptor or -errno
	Unlink      Kind = "unlink"       // path (unlink, unlinkat, rmdir)
	Rename      Kind = "rename"       // path → path2
	Link        Kind = "link"         // path → path2 (link, symlink; path is the existing name)
	Chmod       Kind = "chmod"        // path, mode
	Chown       Kind = "chown"        // path, arg: uid, mode: gid
	Connect     Kind = "connect"      // family, addr, port: the peer; local_addr, local_port
	Bind        Kind = "bind"         // family, local_addr, local_port
	Listen      Kind = "listen"       // family, local_addr, local_port
	Accept      Kind = "accept"       // family, addr, port: the peer; local_addr, local_port
	SetUID      Kind = "setuid"       // arg: the effective uid afterwards (setuid, setreuid, setresuid, setfsuid)
	SetGID      Kind = "setgid"       // arg: the effective gid afterwards
	CapSet      Kind = "capset"       // arg: the effective capability mask afterwards
	Mount       Kind = "mount"        // path: source, path2: target, comm-like fstype in addr; flags: MS_*
	Umount      Kind = "umount"       // path
	Ptrace      Kind = "ptrace"       // arg: request, target_pid
	ModuleLoad  Kind = "module_load"  // path where the module came from a file
	BPF         Kind = "bpf"          // arg: bpf(2) command
	MemfdCreate Kind = "memfd_create" // path: the name given
	Unshare     Kind = "unshare"      // flags: CLONE_NEW*
	Setns       Kind = "setns"        // flags: CLONE_NEW* asked for, 0 for any
	Throttle    Kind = "throttle"     // path: the class of records that a container sent too much of; arg: 1 when that begins, 0 when it ended
)

// Kinds lists every kind, in the order of the constants above.
func Kinds() []Kind {
	return []Kind{Exec, Exit, Fork, FileOpen, Unlink, Rename, Link, Chmod, Chown,
		Connect, Bind, Listen, Accept, SetUID, SetGID, CapSet, Mount, Umount,
		Ptrace, ModuleLoad, BPF, MemfdCreate, Unshare, Setns, Throttle}
}

// Class returns the class of loss that an event of the kind is counted in; ""
// for Throttle, which no program makes.
func (k Kind) Class() string {
	switch k {
	case FileOpen, Unlink, Rename, Link, Chmod, Chown, Accept, Fork, Exit:
		return LossEvents
	case Throttle:
		return ""
	}
	return LossSecurity
}

// Exe origins of an exec event.
const (
	OriginImage   = "image"   // the file was there when the container started
	OriginWritten = "written" // the file was written or changed after that
	OriginMemfd   = "memfd"   // the file has no name: memfd_create and the like
)

// Ways that a call came by, other than as an ordinary one.
const (
	ViaCompat  = "compat"   // through the 32-bit table
	ViaIOUring = "io_uring" // as an operation of io_uring
)

// Event is one row of the events table: one thing that the kernel saw.
//
// A string that is empty, and a pointer that is nil, is null on disk: not known
// or without meaning for the kind. Paths are absolute inside the container where
// the recorder could resolve them, and are raw bytes as the kernel had them.
//
// Numbers that may be null have no dictionary: parquet-go looks them up one by one,
// which was a fifth of the time a row took, for a hundredth of its bytes. They are
// written as differences (see tableWriter.open; there is no tag for it).
type Event struct {
	TimeNS      int64  `parquet:"time_ns,timestamp(nanosecond:utc),delta"` // since 1970-01-01 UTC
	BootNS      int64  `parquet:"boot_ns,delta"`                           // since boot, suspend included
	Kind        string `parquet:"kind,dict"`
	ContainerID string `parquet:"container_id,optional,dict"` // 64 hex digits; null on the host
	CgroupID    uint64 `parquet:"cgroup_id,dict"`
	PID         int32  `parquet:"pid,dict"`      // thread group, host's pid namespace
	TID         int32  `parquet:"tid,dict"`      // thread, host's pid namespace
	StartNS     int64  `parquet:"start_ns,dict"` // start of the process since boot: with pid and boot id its identity
	PPID        int32  `parquet:"ppid,dict"`
	UID         *int64 `parquet:"uid,optional"` // effective, initial user namespace
	GID         *int64 `parquet:"gid,optional"`
	Comm        string `parquet:"comm,optional,dict"`
	Exe         string `parquet:"exe,optional,dict"` // path of the running binary at the time of the event
	Ret         *int64 `parquet:"ret,optional"`      // what the call returned: -errno when it failed

	Path      string   `parquet:"path,optional,dict"`
	Path2     string   `parquet:"path2,optional,dict"`
	Argv      []string `parquet:"argv,list" parquet-element:",dict"` // may be cut: see argv_cut
	ArgvCut   bool     `parquet:"argv_cut"`
	Cwd       string   `parquet:"cwd,optional,dict"`
	ExeOrigin string   `parquet:"exe_origin,optional,dict"` // OriginImage, OriginWritten, OriginMemfd
	Flags     *int64   `parquet:"flags,optional"`
	Mode      *int64   `parquet:"mode,optional"`
	Arg       *int64   `parquet:"arg,optional"`
	TargetPID *int64   `parquet:"target_pid,optional"`
	Family    string   `parquet:"family,optional,dict"` // unix, inet, inet6, netlink …
	Addr      string   `parquet:"addr,optional,dict"`   // IP in text, or the path of a unix socket; fstype of a mount
	Port      *int64   `parquet:"port,optional"`
	LocalAddr string   `parquet:"local_addr,optional,dict"`
	LocalPort *int64   `parquet:"local_port,optional"`

	CPU *int64 `parquet:"cpu,optional"` // where the record was made
	Seq *int64 `parquet:"seq,optional"` // its number among the container's records of its class (see Loss) on that CPU; a gap is a loss

	Via     string `parquet:"via,optional,dict"`     // ViaCompat, ViaIOUring; null: an ordinary call
	Claimed string `parquet:"claimed,optional,dict"` // path or address that the caller's memory said, where the kernel used another

	Escaped bool `parquet:"escaped"` // texts of the row have bytes that are no UTF-8: see FORMAT.md; the Writer sets it
}

// Sequence is one row of the sequences table: a run of system calls that one
// thread made, in order. A call stands where it ended. Two runs of a thread
// follow each other without a gap when their Chunk numbers do.
type Sequence struct {
	TimeNS      int64    `parquet:"time_ns,timestamp(nanosecond:utc),delta"` // of the first call's end
	BootNS      int64    `parquet:"boot_ns,delta"`                           // of the first call's end
	SpanNS      int64    `parquet:"span_ns,delta"`                           // from there to the end of the run
	ContainerID string   `parquet:"container_id,optional,dict"`
	CgroupID    uint64   `parquet:"cgroup_id,dict"`
	PID         int32    `parquet:"pid,dict"`
	TID         int32    `parquet:"tid,dict"`
	StartNS     int64    `parquet:"start_ns,dict"`
	Comm        string   `parquet:"comm,optional,dict"`
	Chunk       int64    `parquet:"chunk,delta"`                        // 0, 1, 2 … within the thread; a jump is a loss
	Calls       []uint16 `parquet:"calls,list" parquet-element:",dict"` // numbers of the recording machine; CompatCall is set on 32-bit calls
	CPU         *int64   `parquet:"cpu,optional"`                       // as in Event
	Seq         *int64   `parquet:"seq,optional"`

	Escaped bool `parquet:"escaped"` // texts of the row have bytes that are no UTF-8: see FORMAT.md; the Writer sets it
}

// CompatCall marks a call of a sequence that was made through the 32-bit table.
const CompatCall = 0x8000

// Process is one row of the processes table: one program run by one process,
// from its exec (or fork, when it never execs) to its end.
type Process struct {
	TimeNS        int64    `parquet:"time_ns,timestamp(nanosecond:utc),delta"` // when this program began
	BootNS        int64    `parquet:"boot_ns,delta"`
	ContainerID   string   `parquet:"container_id,optional,dict"`
	CgroupID      uint64   `parquet:"cgroup_id,dict"`
	PID           int32    `parquet:"pid,dict"`
	StartNS       int64    `parquet:"start_ns"` // since boot; survives exec
	PPID          int32    `parquet:"ppid,dict"`
	ParentStartNS int64    `parquet:"parent_start_ns"`
	UID           *int64   `parquet:"uid,optional"`
	GID           *int64   `parquet:"gid,optional"`
	Comm          string   `parquet:"comm,optional,dict"`
	Exe           string   `parquet:"exe,optional,dict"`
	Argv          []string `parquet:"argv,list" parquet-element:",dict"`
	Cwd           string   `parquet:"cwd,optional,dict"`
	ExeOrigin     string   `parquet:"exe_origin,optional,dict"`
	EndTimeNS     *int64   `parquet:"end_time_ns,optional"` // null while it runs
	ExitStatus    *int64   `parquet:"exit_status,optional"` // wait status; null when it ended by another exec

	Escaped bool `parquet:"escaped"` // texts of the row have bytes that are no UTF-8: see FORMAT.md; the Writer sets it
}

// Container is one row of the containers table: what was known of a container
// at a time. A container may have several rows; the last one knows most.
type Container struct {
	TimeNS       int64    `parquet:"time_ns,timestamp(nanosecond:utc),delta"` // when this was learned
	ContainerID  string   `parquet:"container_id"`
	CgroupID     uint64   `parquet:"cgroup_id"`
	CgroupName   string   `parquet:"cgroup_name,optional"`
	Runtime      string   `parquet:"runtime,optional,dict"` // docker, containerd …; null when only the cgroup told
	Name         string   `parquet:"name,optional"`
	Image        string   `parquet:"image,optional,dict"`                 // reference as the user wrote it: repo[:tag][@digest]
	ImageID      string   `parquet:"image_id,optional,dict"`              // sha256 of the image configuration
	ImageDigest  string   `parquet:"image_digest,optional,dict"`          // repo digest; null for images never pushed
	Labels       []string `parquet:"labels,list" parquet-element:",dict"` // key=value, sorted
	Pod          string   `parquet:"pod,optional"`
	PodNamespace string   `parquet:"pod_namespace,optional,dict"`
	Privileged   *bool    `parquet:"privileged,optional"`
	CapAdd       []string `parquet:"cap_add,list" parquet-element:",dict"`
	CapDrop      []string `parquet:"cap_drop,list" parquet-element:",dict"`
	Mounts       []string `parquet:"mounts,list" parquet-element:",dict"` // source:destination:mode, sorted
	User         string   `parquet:"user,optional,dict"`
	Seccomp      string   `parquet:"seccomp,optional,dict"`
	AppArmor     string   `parquet:"apparmor,optional,dict"`
	NetworkMode  string   `parquet:"network_mode,optional,dict"`
	PIDMode      string   `parquet:"pid_mode,optional,dict"`
	Entrypoint   []string `parquet:"entrypoint,list" parquet-element:",dict"`
	Cmd          []string `parquet:"cmd,list" parquet-element:",dict"`
	Ports        []string `parquet:"ports,list" parquet-element:",dict"` // exposed: 80/tcp
	StartedNS    *int64   `parquet:"started_ns,optional"`                // since 1970-01-01 UTC
	FinishedNS   *int64   `parquet:"finished_ns,optional"`               // null while it runs

	Facts        string   `parquet:"facts,optional,dict"` // FactsFull, FactsPartial, FactsUnknown
	CgroupPath   string   `parquet:"cgroup_path,optional,dict"`
	NestedIn     []string `parquet:"nested_in,list" parquet-element:",dict"` // ids of the containers around it, innermost first
	PodUID       string   `parquet:"pod_uid,optional,dict"`
	Sandbox      string   `parquet:"sandbox,optional,dict"` // container id of the pod's sandbox
	Owner        string   `parquet:"owner,optional,dict"`   // what made the pod: Deployment/web
	ReadonlyRoot *bool    `parquet:"readonly_root,optional"`
	NoNewPrivs   *bool    `parquet:"no_new_privs,optional"`
	SELinux      string   `parquet:"selinux,optional,dict"` // label of its processes
	IPCMode      string   `parquet:"ipc_mode,optional,dict"`
	UTSMode      string   `parquet:"uts_mode,optional,dict"`
	UserNSMode   string   `parquet:"userns_mode,optional,dict"`
	RestartCount *int64   `parquet:"restart_count,optional"`

	Escaped bool `parquet:"escaped"` // texts of the row have bytes that are no UTF-8: see FORMAT.md; the Writer sets it
}

// How much the facts of a container are worth.
const (
	FactsFull    = "full"    // its runtime described it
	FactsPartial = "partial" // its runtime named it, and had forgotten it before it could be asked for more
	FactsUnknown = "unknown" // no runtime knew it: what there is came from its cgroup
)

// Classes of loss.
const (
	LossSecurity   = "security"   // records of the kinds that are rare and tell most: all but those of LossEvents
	LossEvents     = "events"     // records of open, unlink, rename, link, chmod, chown, accept, fork, exit
	LossSequences  = "sequences"  // sequence records, and calls that found no chunk
	LossProcesses  = "processes"  // rows of the table that could not be written
	LossContainers = "containers" // the same

	// LossGap is no count (produced and lost are 0) but a time, of the whole host:
	// the recorder did not stop in good order, and nothing was recorded, or what was
	// not acknowledged before it may be missing.
	LossGap = "gap"
	// LossRetention counts rows of the host, of all tables, that were deleted by quota.
	LossRetention = "retention"

	// LossDeselected is none: records of any class that were left out because their
	// container is not selected. Produced counts them, Lost is 0.
	LossDeselected = "deselected"
)

// Loss is one row of the losses table: what one container produced in one
// class within one interval, and how much of it is not in the trace.
// Produced counts ring records of the class; a sequence record holds many calls.
type Loss struct {
	FromNS      int64  `parquet:"from_ns,timestamp(nanosecond:utc),delta"`
	ToNS        int64  `parquet:"to_ns,timestamp(nanosecond:utc),delta"`
	ContainerID string `parquet:"container_id,optional,dict"`
	CgroupID    uint64 `parquet:"cgroup_id,dict"`
	Class       string `parquet:"class,dict"`
	Produced    int64  `parquet:"produced"`
	Lost        int64  `parquet:"lost"`
}

package deploy

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mayfly/record/dockertest"
)

var slurmInside = flag.String("slurm-inside", "", "folder of TestSlurm, within the namespaces that it makes")

// slurmAddress is the cluster's, in a network that has nothing else.
const slurmAddress = "10.99.0.1"

// slurmNodes are the nodes of the cluster, each a slurmd on a port of its own.
const slurmNodes = 3

// TestSlurm runs deploy/slurm on a cluster of three nodes on this machine: a fleet is
// ingested, learned from and scored as arrays, one node dies with all its processes in
// the middle of a task, and the results are, byte for byte, those of the commands
// without shards. The cluster lives in namespaces of its own (network, mounts,
// processes), so that nothing outside sees it and nothing of it stays.
func TestSlurm(t *testing.T) {
	if *slurmInside != "" {
		insideSlurm(t, *slurmInside)
		return
	}
	if os.Geteuid() != 0 {
		dockertest.Cannot(t, "a cluster of its own wants root")
	}
	for _, program := range []string{"munged", "slurmctld", "slurmd", "sbatch", "unshare", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			dockertest.Cannot(t, program+": not installed (munge, slurm-wlm, util-linux, iproute2)")
		}
	}
	dir := t.TempDir()
	for name, source := range map[string]string{"mayfly": "../cmd/mayfly", "fleet": "../bench/fleet"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc",
		self, "-test.run=^TestSlurm$", "-test.v", "-test.timeout=4m", "-slurm-inside="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// cluster is Slurm in a folder.
type cluster struct {
	t   *testing.T
	dir string
}

func insideSlurm(t *testing.T, dir string) {
	c := &cluster{t, dir}
	c.run("ip", "link", "set", "lo", "up")
	c.run("ip", "link", "add", "cluster", "type", "bridge") // getaddrinfo finds nothing where loopback is all there is
	c.run("ip", "addr", "add", slurmAddress+"/24", "dev", "cluster")
	c.run("ip", "link", "set", "cluster", "up")
	c.run("hostname", "mayfly-cluster")
	c.write("hosts", slurmAddress+" mayfly-cluster\n")
	c.run("mount", "--make-rprivate", "/")
	c.run("mount", "--bind", filepath.Join(dir, "hosts"), "/etc/hosts")
	c.start()

	fleet := filepath.Join(dir, "trace")
	c.run(filepath.Join(dir, "fleet"), "-o", fleet, "-hosts", "7", "-containers", "3", "-minutes", "2", "-rotate", "1", "-attacked", "2")
	c.mayfly("ingest", fleet, "-o", "features.parquet", "--trusted")
	c.mayfly("train", "features.parquet", "-o", "web.mayfly", "--max-workload-windows", "400")
	c.mayfly("replay", "web.mayfly", fleet, "-o", "findings.jsonl")

	// In the middle of the first try of task 2, the node that it is on dies.
	c.write("program", fmt.Sprintf(`#!/bin/bash
if [ "${SLURM_ARRAY_TASK_ID:-}" = 2 ] && [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
	%[1]s/mayfly "$@" &
	while kill -0 $! 2>/dev/null && ! ls -d %[1]s/parts/.shard-00002* >/dev/null 2>&1; do :; done
	kill -STOP $! 2>/dev/null
	echo "$SLURMD_NODENAME" >%[1]s/halfway.tmp && mv %[1]s/halfway.tmp %[1]s/halfway
	sleep 1000
fi
exec %[1]s/mayfly "$@"
`, dir))
	last := c.submit("program", "4", "parts", "merged.parquet", "ingest", fleet, "--trusted")
	node := c.halfway()
	c.kill(node)
	c.wait(last)
	c.same("merged.parquet", "features.parquet")
	if got := c.output("scontrol", "show", "node", node); !strings.Contains(got, "DOWN") {
		t.Errorf("node %s was killed, and is said to be\n%s", node, got)
	}
	if got := c.output("scontrol", "show", "job"); !strings.Contains(got, "Restarts=1") {
		t.Errorf("no task was begun again:\n%s", got)
	}

	c.wait(c.submit("mayfly", "3", "learn", "merged.mayfly", "train", filepath.Join(dir, "features.parquet"), "--max-workload-windows", "400"))
	c.same("merged.mayfly", "web.mayfly")
	c.wait(c.submit("mayfly", "5", "scored", "merged.jsonl", "replay", filepath.Join(dir, "web.mayfly"), fleet))
	c.same("merged.jsonl", "findings.jsonl")
	if c.read("findings.jsonl") == "" {
		t.Error("no findings: the comparison says nothing")
	}
}

// start begins a key service, a controller and the nodes.
func (c *cluster) start() {
	c.t.Helper()
	c.write("munge.key", strings.Repeat("k", 128))
	for _, name := range []string{"state", "munge"} {
		if err := os.Mkdir(filepath.Join(c.dir, name), 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
	socket := filepath.Join(c.dir, "munge", "socket")
	var nodes strings.Builder
	for i := range slurmNodes {
		fmt.Fprintf(&nodes, "NodeName=n%d NodeHostname=mayfly-cluster NodeAddr=%s Port=%d CPUs=1 RealMemory=4096\n", i, slurmAddress, 17010+i)
	}
	// cred_expire is how long a task whose node died waits before it begins again.
	c.write("slurm.conf", fmt.Sprintf(`ClusterName=mayfly
SlurmctldHost=mayfly-cluster(%[4]s)
SlurmctldPort=17001
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=%[2]s,cred_expire=5
CredType=cred/munge
StateSaveLocation=%[1]s/state
SlurmdSpoolDir=%[1]s/spool-%%n
SlurmctldPidFile=%[1]s/slurmctld.pid
SlurmdPidFile=%[1]s/slurmd-%%n.pid
SlurmctldLogFile=%[1]s/slurmctld.log
SlurmdLogFile=%[1]s/slurmd-%%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdTimeout=6
SlurmctldTimeout=10
InactiveLimit=0
KillWait=2
MinJobAge=300
ReturnToService=1
SlurmdParameters=config_overrides
JobRequeue=1
SchedulerParameters=batch_sched_delay=0,sched_interval=2
%[3]sPartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`, c.dir, socket, nodes.String(), slurmAddress))
	if err := os.Setenv("SLURM_CONF", filepath.Join(c.dir, "slurm.conf")); err != nil {
		c.t.Fatal(err)
	}
	c.daemon("munged", "--foreground", "--force", "--socket="+socket, "--key-file="+filepath.Join(c.dir, "munge.key"),
		"--pid-file="+filepath.Join(c.dir, "munged.pid"), "--seed-file="+filepath.Join(c.dir, "munge", "seed"), "--log-file="+filepath.Join(c.dir, "munge", "log"))
	c.until("munged's socket", func() bool { _, err := os.Stat(socket); return err == nil })
	c.daemon("slurmctld", "-D", "-c")
	for i := range slurmNodes {
		if err := os.Mkdir(filepath.Join(c.dir, fmt.Sprintf("spool-n%d", i)), 0o755); err != nil {
			c.t.Fatal(err)
		}
		c.daemon("slurmd", "-D", "-N", fmt.Sprintf("n%d", i))
	}
	c.until("all nodes idle", func() bool {
		return strings.Count(c.output("sinfo", "--noheader", "--Node", "--format=%T"), "idle\n") == slurmNodes
	})
}

// daemon starts a program in a session of its own, which is what dies as one node does.
func (c *cluster) daemon(name string, args ...string) {
	c.t.Helper()
	cmd := exec.Command(name, args...)
	log, err := os.Create(filepath.Join(c.dir, name+strings.Join(args[len(args)-1:], "")[:min(3, len(args[len(args)-1]))]+".out"))
	if err != nil {
		c.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if c.t.Failed() {
			c.tail(log.Name())
		}
		_ = log.Close()
	})
}

func (c *cluster) submit(program, shards, folder, output string, args ...string) (job string) {
	c.t.Helper()
	if err := os.Chmod(filepath.Join(c.dir, program), 0o755); err != nil {
		c.t.Fatal(err)
	}
	script, err := filepath.Abs("slurm/submit.sh")
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(script, append([]string{shards, filepath.Join(c.dir, folder), filepath.Join(c.dir, output)}, args...)...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "MAYFLY="+filepath.Join(c.dir, program), "SBATCH_MEM_PER_CPU=512")
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("submit.sh: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// halfway waits for the task that is to be lost, and says which node it is on.
func (c *cluster) halfway() string {
	c.t.Helper()
	path := filepath.Join(c.dir, "halfway")
	c.until("a task halfway through", func() bool { _, err := os.Stat(path); return err == nil })
	return strings.TrimSpace(c.read("halfway"))
}

// kill ends a node as a power cut does: its slurmd and everything that runs on it.
// A power cut leaves nobody who could tell of it: those that watch over others end
// before whom they watch, as a slurmstepd that sees its task die says that it failed.
func (c *cluster) kill(node string) {
	c.t.Helper()
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		c.t.Fatal(err)
	}
	var daemons, steps, tasks []int
	for _, folder := range folders {
		environ, _ := os.ReadFile(filepath.Join(folder, "environ")) // what is gone is not asked for
		cmdline, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		pid, _ := strconv.Atoi(filepath.Base(folder))
		switch {
		case bytes.Contains(environ, []byte("SLURMD_NODENAME="+node+"\x00")):
			tasks = append(tasks, pid)
			if parent := parentOf(folder); commandOf(parent) == "slurmstepd" {
				steps = append(steps, parent)
			}
		case bytes.Contains(cmdline, []byte("slurmd\x00-D\x00-N\x00"+node+"\x00")):
			daemons = append(daemons, pid)
		}
	}
	if len(daemons) == 0 || len(steps) == 0 || len(tasks) == 0 { // mayfly itself may have been faster than the one that stops it
		c.t.Fatalf("node %s has %d slurmd, %d slurmstepd and %d processes of the task, want some of each", node, len(daemons), len(steps), len(tasks))
	}
	for _, pids := range [][]int{daemons, steps, tasks} {
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				c.t.Errorf("process %d of node %s: %v", pid, node, err)
			}
		}
		c.until("processes gone that were killed", func() bool { return !slices.ContainsFunc(pids, alive) })
	}
}

// parentOf is the process that a folder of /proc has as its process's parent, 0 where it is gone.
func parentOf(folder string) (pid int) {
	stat, _ := os.ReadFile(filepath.Join(folder, "stat"))
	if _, rest, ok := bytes.Cut(stat, []byte(") ")); ok {
		var state string
		_, _ = fmt.Sscan(string(rest), &state, &pid)
	}
	return pid
}

func commandOf(pid int) string {
	comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(comm))
}

// alive says whether a process may still do something: a zombie may not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}

// wait waits until a job has ended, and well.
func (c *cluster) wait(job string) {
	c.t.Helper()
	var state string
	c.until("job "+job+" done", func() bool {
		_, rest, _ := strings.Cut(c.output("scontrol", "show", "job", job), "JobState=")
		state, _, _ = strings.Cut(rest, " ")
		return state != "" && state != "PENDING" && state != "RUNNING" && state != "COMPLETING" && state != "CONFIGURING"
	})
	if state == "COMPLETED" {
		return
	}
	c.t.Errorf("job %s: %s\n%s", job, state, c.output("scontrol", "show", "job"))
	logs, _ := filepath.Glob(filepath.Join(c.dir, "slurm-*.out"))
	for _, log := range logs {
		c.tail(log)
	}
	c.t.FailNow()
}

func (c *cluster) until(what string, done func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if done() {
			return
		}
	}
	for _, name := range []string{"slurmctld.log", "slurmd-n0.log"} {
		c.tail(filepath.Join(c.dir, name))
	}
	c.t.Fatalf("not there after a minute: %s\n%s", what, c.output("scontrol", "show", "job"))
}

func (c *cluster) tail(path string) {
	content, _ := os.ReadFile(path) // the failure has been told
	c.t.Logf("%s:\n%s", filepath.Base(path), content[max(0, len(content)-4000):])
}

func (c *cluster) same(got, want string) {
	c.t.Helper()
	if c.read(got) != c.read(want) {
		c.t.Errorf("%s and %s differ", got, want)
	}
}

func (c *cluster) read(name string) string {
	c.t.Helper()
	content, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(content)
}

func (c *cluster) write(name, content string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) mayfly(args ...string) {
	c.t.Helper()
	for i, a := range args {
		if strings.HasPrefix(a, "features") || strings.HasPrefix(a, "web") || strings.HasPrefix(a, "findings") {
			args[i] = filepath.Join(c.dir, a)
		}
	}
	c.run(filepath.Join(c.dir, "mayfly"), args...)
}

func (c *cluster) run(name string, args ...string) {
	c.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		c.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func (c *cluster) output(name string, args ...string) string {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v\n%s", err, out)
	}
	return string(out)
}

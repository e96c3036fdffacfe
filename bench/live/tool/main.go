// Tool does in a container what a shell cannot, harmlessly: tool ptrace attaches to
// process 1 and lets go of it; tool memfd runs itself from a file without a name; tool socket PATH asks a
// daemon at a Unix socket who it is.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "tool: want ptrace, memfd or socket PATH")
		os.Exit(2)
	}
	var err error
	switch os.Args[1] {
	case "ptrace":
		err = ptrace()
	case "memfd":
		err = memfd()
	case "socket":
		err = ask(os.Args[len(os.Args)-1])
	case "nothing":
	default:
		err = fmt.Errorf("%q: want ptrace, memfd or socket PATH", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tool:", err)
		os.Exit(1)
	}
}

func ask(path string) error {
	c, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	_, err = c.Write([]byte("GET /info HTTP/1.0\r\n\r\n"))
	return errors.Join(err, c.Close())
}

func ptrace() error {
	runtime.LockOSThread()
	if err := unix.PtraceAttach(1); err != nil {
		return fmt.Errorf("ptrace: %w", err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(1, &status, unix.WALL, nil); err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	return unix.PtraceDetach(1)
}

func memfd() error {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	fd, err := unix.MemfdCreate("kworker", 0)
	if err != nil {
		return fmt.Errorf("memfd: %w", err)
	}
	file := os.NewFile(uintptr(fd), "memfd")
	defer func() { _ = file.Close() }()
	if _, err := file.Write(self); err != nil {
		return err
	}
	return exec.Command(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd), "nothing").Run()
}

package dockertest

import (
	"errors"
	"os/exec"
	"testing"
)

// Container is a container that Run started; it is removed when the test ends.
type Container struct {
	ID     string // 64 hex digits
	daemon *Daemon
}

// Run starts a container of an image in the background, without network.
func (d *Daemon) Run(t testing.TB, image string, args ...string) *Container {
	t.Helper()
	return d.RunWith(t, []string{"--network", "none"}, image, args...)
}

// RunWith is Run with options of docker run, as --name, --network host,
// --security-opt seccomp=FILE, --user.
func (d *Daemon) RunWith(t testing.TB, options []string, image string, args ...string) *Container {
	t.Helper()
	command := append([]string{"run", "--detach"}, options...)
	id := d.Docker(t, append(append(command, image), args...)...)
	t.Cleanup(func() { _, _ = d.Try("rm", "--force", "--volumes", id) })
	return &Container{ID: id, daemon: d}
}

// Exec runs a command in the container and returns its output and exit status.
func (c *Container) Exec(t testing.TB, args ...string) (output string, status int) {
	t.Helper()
	out, err := c.daemon.Try(append([]string{"exec", c.ID}, args...)...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out, exit.ExitCode()
	}
	if err != nil {
		t.Fatalf("docker exec %q: %v", args, err)
	}
	return out, 0
}

// Wait waits until the container's program ends and returns its exit status, as text.
func (c *Container) Wait(t testing.TB) string {
	t.Helper()
	return c.daemon.Docker(t, "wait", c.ID)
}

// Logs returns what the container printed on standard output.
func (c *Container) Logs(t testing.TB) string {
	t.Helper()
	return c.daemon.Docker(t, "logs", c.ID)
}

// Remove ends and removes the container now.
func (c *Container) Remove(t testing.TB) {
	t.Helper()
	c.daemon.Docker(t, "rm", "--force", "--volumes", c.ID)
}

// Signal sends a signal to the container's first program.
func (c *Container) Signal(t testing.TB, name string) {
	t.Helper()
	c.daemon.Docker(t, "kill", "--signal", name, c.ID)
}

package dockertest

import "testing"

// TestContainers goes through the package once.
func TestContainers(t *testing.T) {
	d := StartDaemon(t)
	c := d.Run(t, d.BusyboxImage(t), "sleep", "60")
	if out, status := c.Exec(t, "cat", "/etc/group"); out != "root:x:0:\nnogroup:x:65534:" || status != 0 {
		t.Errorf("cat /etc/group: got %q, status %d", out, status)
	}
	if _, status := c.Exec(t, "false"); status != 1 {
		t.Errorf("false: got status %d, want 1", status)
	}
	image := d.StaticGoImage(t, "mayfly-test/hello:1", "/hello", "package main\n\nfunc main() { println(1); print() }\n", nil)
	if status := d.Run(t, image).Wait(t); status != "0" {
		t.Errorf("hello: got status %s, want 0", status)
	}
}

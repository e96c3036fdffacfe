// Package dockertest gives end-to-end tests real Docker containers, on a machine
// that can reach no registry: it finds or starts a daemon, builds images on the
// spot from static binaries, and runs containers that are gone after the test.
//
//	d := dockertest.StartDaemon(t) // skips where there is no Docker
//	image := d.BusyboxImage(t)
//	c := d.Run(t, image, "sh", "-c", "while :; do sleep 1; done")
//	out, status := c.Exec(t, "cat", "/etc/passwd")
//
// Containers have no network of their own (--network none) unless RunWith says
// otherwise: the daemon that it starts has no bridge.
package dockertest

// Package deploy holds the files that put a recorder on hosts: a systemd unit, a
// Kubernetes DaemonSet, a Dockerfile. There is no code in it but their tests.
package deploy

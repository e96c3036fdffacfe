// Package record measures what recording costs the programs in containers, and
// what others that see the same cost them. Everything is in its test:
//
//	go test ./bench/record -v -timeout 0 -rounds 5
//
// It needs root, Docker and, of Debian, redis-server, redis-tools, nginx-light,
// apache2-utils, busybox-static; strace, bpftrace, linux-perf and sysdig are
// measured where they are installed and can run. A tool that cannot is in the
// table with its reason. record/BENCHMARKS.md has the figures.
package record

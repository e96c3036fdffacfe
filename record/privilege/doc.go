// Package privilege knows what a process may do, and gives up what it does not need.
//
// A recorder needs capabilities to load and attach its programs and next to none
// afterwards. Missing names those that are missing before it begins; Without finds
// out by trial which ones are needed later; Confine gives up the rest on every
// thread, forbids new privileges, installs a filter of system calls, and reads
// back that all of it is so.
//
//	keep, err := privilege.Needed(probes)          // what works without any is not kept
//	err = privilege.Confine(keep, privilege.Calls{})
//
// It works on all threads through syscall.AllThreadsSyscall, which a binary that
// was built with cgo does not have: Confine then returns ErrCgo.
package privilege

//go:build amd64

package record

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// narrow makes calls of the 32-bit table from a 64-bit program. Its page lies where
// 32 bits reach: code, then six registers, then texts.
type narrow struct {
	page []byte
	code [1]uintptr // a Go function value points at this, the address of the code
	free int
}

func newNarrow() (*narrow, error) {
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_32BIT)
	if err != nil {
		return nil, err
	}
	n := &narrow{page: page, free: 512}
	at := uint32(uintptr(unsafe.Pointer(&page[256])))
	code := []byte{0x53, 0x55, 0x56, 0x57}                                   // push rbx, rbp, rsi, rdi
	for i, modrm := range []byte{0x04, 0x1c, 0x0c, 0x14, 0x34, 0x3c, 0x2c} { // mov eax, ebx, ecx, edx, esi, edi, ebp
		code = binary.LittleEndian.AppendUint32(append(code, 0x8b, modrm, 0x25), at+uint32(4*i))
	}
	code = append(code, 0xcd, 0x80)                                             // int 0x80
	code = binary.LittleEndian.AppendUint32(append(code, 0x89, 0x04, 0x25), at) // mov [at], eax
	code = append(code, 0x5f, 0x5e, 0x5d, 0x5b, 0xc3)                           // pop, ret
	copy(page, code)
	n.code[0] = uintptr(unsafe.Pointer(&page[0]))
	return n, nil
}

// do makes a call and returns its result.
func (n *narrow) do(nr uint32, args ...uint32) int32 {
	registers := n.page[256:284]
	clear(registers)
	binary.LittleEndian.PutUint32(registers, nr)
	for i, a := range args {
		binary.LittleEndian.PutUint32(registers[4+4*i:], a)
	}
	value := unsafe.Pointer(&n.code)
	(*(*func())(unsafe.Pointer(&value)))()
	return int32(binary.LittleEndian.Uint32(registers))
}

// put copies bytes to where 32 bits reach.
func (n *narrow) put(b []byte) uint32 {
	at := n.free
	n.free += copy(n.page[at:], b)
	n.free = (n.free + 7) &^ 7
	return uint32(uintptr(unsafe.Pointer(&n.page[at])))
}

func (n *narrow) text(s string) uint32 { return n.put(append([]byte(s), 0)) }

// childCompat makes calls of the 32-bit table, and runs a 32-bit program.
func childCompat(dir string) error {
	n, err := newNarrow()
	if err != nil {
		return err
	}
	made, moved := filepath.Join(dir, "made"), filepath.Join(dir, "moved")
	fd := n.do(295, uint32(0xffffff9c), n.text(made), unix.O_CREAT|unix.O_RDWR, 0o600) // openat
	if fd < 0 {
		return fmt.Errorf("openat: %d", fd)
	}
	n.do(15, n.text(made), 0o640)                                           // chmod
	n.do(207, uint32(fd), 1, 2)                                             // fchown32
	n.do(38, n.text(made), n.text(moved))                                   // rename
	n.do(10, n.text(moved))                                                 // unlink
	n.do(10, n.text("none"))                                                // unlink, which fails
	socket := n.do(102, 1, n.put(words(unix.AF_INET, unix.SOCK_STREAM, 0))) // socketcall: socket
	address := n.put([]byte{unix.AF_INET, 0, 0, 9, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	n.do(102, 3, n.put(words(uint32(socket), address, 16))) // socketcall: connect
	n.do(20)                                                // getpid
	program := filepath.Join(dir, "narrow")
	if err := os.WriteFile(program, narrowProgram(), 0o700); err != nil {
		return err
	}
	_ = os.Remove(made)
	argv := append([]byte{}, words(n.text(program), 0)...)
	n.do(11, n.text(program), n.put(argv), 0) // execve
	return fmt.Errorf("%s did not run", program)
}

func words(w ...uint32) (b []byte) {
	for _, v := range w {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// narrowProgram is a 32-bit program: getpid, then exit(9).
func narrowProgram() []byte {
	code := []byte{0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xbb, 9, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0xcd, 0x80}
	const base, head = 0x08048000, 52 + 32
	b := append([]byte("\x7fELF\x01\x01\x01"), make([]byte, 9)...)
	b = append(b, 2, 0, 3, 0) // executable, of an i386
	b = append(b, words(1, base+head, 52, 0, 0)...)
	b = append(b, 52, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, words(1, 0, base, base, uint32(head+len(code)), uint32(head+len(code)), 5, 4096)...)
	return append(b, code...)
}

package ingest

import (
	"bytes"
	"strings"
)

// splitArguments splits the arguments of a call as strace prints them, of which b
// begins behind the opening parenthesis: at commas outside of strings, braces,
// brackets and what -y adds to descriptors. rest is what follows the closing
// parenthesis; false where there is none.
func splitArguments(b []byte, args [][]byte) (_ [][]byte, rest []byte, ok bool) {
	args = args[:0]
	depth, from := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			if i = endOfString(b, i); i < 0 {
				return args, nil, false
			}
		case '(', '[', '{':
			depth++
		case ']', '}':
			depth--
		case '<':
			i = endOfDescription(b, i)
		case '/':
			if i+1 < len(b) && b[i+1] == '*' {
				end := bytes.Index(b[i:], []byte("*/"))
				if end < 0 {
					return args, nil, false
				}
				i += end + 1
			}
		case ',':
			if depth == 0 {
				args = append(args, bytes.TrimSpace(b[from:i]))
				from = i + 1
			}
		case ')':
			if depth == 0 {
				if last := bytes.TrimSpace(b[from:i]); len(last) > 0 || len(args) > 0 {
					args = append(args, last)
				}
				return args, b[i+1:], true
			}
			depth--
		}
		if len(args) > maxArguments {
			return args, nil, false
		}
	}
	return args, nil, false
}

// maxArguments is more than any call has; strace prints each element of a
// struct inside of braces.
const maxArguments = 64

// endOfString returns the place of the closing quote of the string that begins
// at b[i], -1 where there is none.
func endOfString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// endOfDescription returns the place of the > that ends what -y says of a
// descriptor, 3<TCP:[127.0.0.1:5->127.0.0.1:6]>; i itself where the < at b[i] is
// none of those.
func endOfDescription(b []byte, i int) int {
	if i == 0 || b[i-1] == '<' || i+1 < len(b) && b[i+1] == '<' {
		return i // 1<<CAP_CHOWN
	}
	for j := i + 1; j < len(b); j++ {
		if b[j] == '>' && b[j-1] != '-' {
			return j
		}
	}
	return i
}

// unquote reads a string that strace printed, of which arg begins with the
// quote. cut says that strace left out its end.
func unquote(arg []byte) (text string, cut, ok bool) {
	if len(arg) < 2 || arg[0] != '"' {
		return "", false, false
	}
	end := endOfString(arg, 0)
	if end < 0 {
		return "", false, false
	}
	return unescape(arg[1:end]), bytes.HasPrefix(arg[end+1:], []byte("...")), true
}

// unescape undoes strace's escapes: \n and its like, octal, and \x with -x.
func unescape(b []byte) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b)
	}
	var out strings.Builder
	out.Grow(len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			out.WriteByte(b[i])
			continue
		}
		i++
		switch c := b[i]; {
		case c >= '0' && c <= '7':
			n := 0
			for j := 0; j < 3 && i < len(b) && b[i] >= '0' && b[i] <= '7'; j++ {
				n = n<<3 | int(b[i]-'0')
				i++
			}
			i--
			out.WriteByte(byte(n))
		case c == 'x' && i+2 < len(b) && hexDigit(b[i+1]) >= 0 && hexDigit(b[i+2]) >= 0:
			out.WriteByte(byte(hexDigit(b[i+1])<<4 | hexDigit(b[i+2])))
			i += 2
		default:
			if j := strings.IndexByte("tnvfra", c); j >= 0 {
				c = "\t\n\v\f\r\a"[j]
			}
			out.WriteByte(c)
		}
	}
	return out.String()
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// stringList reads ["sh", "-c", "x"...]; cut says that something is left out.
func stringList(arg []byte) (list []string, cut, ok bool) {
	if len(arg) < 2 || arg[0] != '[' {
		return nil, false, false
	}
	for i := 1; i < len(arg); {
		switch arg[i] {
		case '"':
			end := endOfString(arg, i)
			if end < 0 {
				return nil, false, false
			}
			list = append(list, unescape(arg[i+1:end]))
			i = end + 1
		case ']':
			return list, cut, true
		case ',', ' ':
			i++
		default: // dots, an address that could not be read, a comment
			cut, i = true, i+1
		}
	}
	return nil, false, false
}

// descriptor reads a file descriptor with what -y says of it: 3</etc/passwd>,
// AT_FDCWD</root>. file is "" where it does not say.
func descriptor(arg []byte) (fd int64, file string, ok bool) {
	text := arg
	if i := bytes.IndexByte(arg, '<'); i >= 0 {
		text = arg[:i]
		if end := endOfDescription(arg, i); end > i {
			file = unescape(arg[i+1 : end])
			file = strings.TrimSuffix(file, " (deleted)")
		}
	}
	if string(text) == "AT_FDCWD" {
		return -100, file, true
	}
	fd, ok = number(string(text))
	return fd, file, ok
}

// field returns the value of name=value among the arguments, or inside of a
// struct printed in braces; nil where it is not there.
func field(args [][]byte, name string) []byte {
	for _, a := range args {
		if v, ok := bytes.CutPrefix(a, []byte(name)); ok && len(v) > 0 && v[0] == '=' {
			return v[1:]
		}
	}
	return nil
}

// members splits a struct printed in braces into its members; nil where it is
// none. fields is room for them.
func members(arg []byte, fields [][]byte) [][]byte {
	if len(arg) < 2 || arg[0] != '{' {
		return nil
	}
	end := bytes.LastIndexByte(arg, '}')
	if end < 0 {
		return nil
	}
	inside := append(append(make([]byte, 0, end), arg[1:end]...), ')')
	fields, _, ok := splitArguments(inside, fields)
	if !ok {
		return nil
	}
	return fields
}

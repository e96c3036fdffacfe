// Package hostile holds values that an attacker may choose for a path, a name, an
// argument or a label, for tests of everything that writes them somewhere:
//
//	for _, value := range hostile.Values() {
//		// write value, read it back with a parser of the sink, compare
//	}
package hostile

import (
	"slices"
	"strings"
)

// sinks are values that mean something to one reader or another.
var sinks = []string{
	// Falco's conditions and outputs.
	"/tmp/%proc.name", "/tmp/%%", "%evt.args", "/tmp/<NA>", "<NA>", `") or (evt.type=open`, `" or "a"="a`, "x) or (y",
	"/tmp/ shell_binaries ", "(shell_binaries)", "a,mayfly_nginx_programs,b", " mayfly_nginx_programs ", "/tmp/c,d", "/tmp/e=f", "/tmp/(g)", "=",
	// Quotes and backslashes.
	`/tmp/q"q`, `/tmp/q'q`, `/tmp/b\b`, "\\", `\"`, `"`, "'", `\\"`, "/a\\n", `/a\x41`, "/tmp/`w`", `/tmp/\\\`, `/tmp/'"'"'`,
	// Lines, blanks and controls.
	"/tmp/a b", "/tmp/h\ni", "/tmp/j\tk", "/tmp/\r\nl", "/tmp/\x01\x02", "/tmp/\x7f", "/tmp/\x00nul", " ", "/tmp/ ", "/tmp/\n", "/tmp/\v\f", "/tmp/\x1f",
	// A terminal: colours, titles, links, the 8-bit forms, cursor movement, erasing.
	"/tmp/\x1b[31mred", "/tmp/\x1b]0;title\a", "/tmp/\x1b]8;;http://x/\x1b\\link", "/tmp/\u009b31m", "/tmp/\u009d0;t\u009c", "/tmp/\x1b[2J\x1b[H", "/tmp/\x08\x08\x08", "/tmp/\x1bc",
	// YAML.
	"true", "null", "~", "0x10", "1e3", "yes", "@at", "- r", "/tmp/: q", "/tmp/- r", "/tmp/#p", " #c", "--- !!binary x", "...", "&anchor", "*alias", "!!python/object:os.system",
	"{a: b}", "[a, b]", "? k", "|", ">", "%YAML 1.2", "<<", "0o17", "12:30:45", "2001-01-01",
	// JSON.
	`{"a":1}`, `"},{"x":"`, `\u0000`, "]}", "/tmp/\u2028m", "/tmp/\u2029m", "/tmp/\u0085n",
	// HTML, SVG, URLs.
	"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</style>", "&lt;b&gt;", "javascript:alert(1)", "<!--", "]]>", "</svg><script>",
	// Templates and shells.
	"{{.}}", `{{template "x"}}`, "${HOME}", "$(reboot)", "`reboot`", "; reboot", "/tmp/|", "/tmp/&y", "%s%n%d", "/tmp/$x", "a\n$(x)",
	// A spreadsheet's formulas.
	"=1+1", "=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", `=HYPERLINK("http://x","y")`, "a\",=1",
	// Patterns of paths: AppArmor, shells, SQL, regular expressions.
	"/tmp/*s", "/tmp/**", "/tmp/?t", "/tmp/[u]", "/tmp/[!u-z]", "/tmp/{v,w}", "/tmp/@{HOME}", "/tmp/^z", "/tmp/!z", "/tmp/.*", "/tmp/a|b", "/tmp/$", "/tmp/%", "/tmp/_",
	`/x" rwklix, "/`, "/x rix,\n  /** rwklix,", "} profile evil { /** rwklix, }", "#include <abstractions/base>", "/tmp/../etc/shadow", "//tmp//x", "/tmp/", "/",
	// Letters that are not what they seem, or turn the line round.
	"/tmp/é☃", "/tmp/\u202eexe.gpj", "/tmp/\u2066x\u2069", "/tmp/\u200bzero", "/tmp/\ufeffbom", "/tmp/\U0001f600", "/usr/bin/nginх", "/tmp/\u0301", "/tmp/\ufffd", "/tmp/\U000e0041",
	// Not UTF-8, and long.
	"/tmp/\xff\xfe", "/tmp/\xc3", "\x80", "/tmp/\xed\xa0\x80", strings.Repeat("/long", 900), strings.Repeat("x", 4096), "/" + strings.Repeat("*", 300), "/" + strings.Repeat(`"`, 128),
	// Labels, names of images and containers.
	"app=web,tier=x", "a: b", "nginx", "/usr/sbin/NGINX", "library/nginx@sha256:0", "evil\nspec: {}", "x'; DROP TABLE", "/bin/x",
}

// Values returns some hundreds of values, the same ones each time. The empty one is
// not among them.
func Values() []string {
	all := slices.Clone(sinks)
	for i, a := range sinks {
		all = append(all, "/p/"+a+sinks[(i*7+3)%len(sinks)], a+`"`, `\`+a, a+" ", a+"\n# "+a)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

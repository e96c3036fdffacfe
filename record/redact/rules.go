package redact

import (
	"regexp"
	"strings"
)

// secretNames are the words that make the name of an option or a variable the
// name of a secret, and the letters that they begin with.
const secretNames = `(?:pass(?:word|wd|phrase|code)?|pwd|secrets?(?:[-_.]?(?:access[-_.]?)?keys?)?|tokens?|` +
	`(?:api|access|private|account|encryption|signing|master|auth|shared)[-_.]?keys?|masterauth|` +
	`credentials?|creds|bearer|cookies?|auth|psk|jwt)(?:[-_.]?(?:b64|base64|value|text|plain|string|[0-9]{1,3}))?`

var nameTriggers = []string{"pass", "pwd", "secret", "token", "api", "access", "private", "account", "encryption",
	"signing", "master", "shared", "cred", "bearer", "cookie", "auth", "psk", "jwt"}

// nameEnd is what stands from a trigger to the end of a name that says that its
// value is a secret: --db-password, PGPASSWORD, redis.auth-token, tokenB64.
var nameEnd = regexp.MustCompile(`(?i)^` + secretNames + `$`)

// switches are options about secrets that take no value as the next word.
var switches = regexp.MustCompile(`(?i)^(?:no|disable|enable|skip|allow|require|use|with|without|ask|reset|change|show)[-_.]`)

// assignment treats a word that is an option or an assignment: name=value, where
// the value is replaced, or --name, whose value is the next word (next).
func assignment(word string) (text string, next bool) {
	name, value, has := strings.Cut(word, "=")
	bare := strings.TrimLeft(name, "-")
	if bare == "" || len(bare) > 128 || strings.ContainsAny(bare, " \t\n/'\"@?&;|()<>") {
		return word, false
	}
	secret := false
	triggersAt(bare, func(at int, t *trigger) int {
		secret = secret || t.name && nameEnd.MatchString(bare[at:])
		return at
	})
	switch {
	case !secret:
		return word, false
	case has:
		return name + "=" + wholeWord(value), false
	}
	return word, len(bare) > 1 && len(name) > len(bare) && !switches.MatchString(bare)
}

// shape is something that is known by its letters wherever it stands in a word,
// and so in the text of sh -c too. The first group that takes part is the secret.
type shape struct {
	triggers []string
	begins   bool   // no letter or digit stands before it
	option   bool   // it ends the name of an option: a dash and letters stand before it, and a space before that
	segment  bool   // it is looked for up to the end of a shell's command
	sep      string // the first byte that is neither letter, digit, dash nor dot is one of these; "" any
	re       *regexp.Regexp
}

func re(expr string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + expr + `)`) }

// inText are names after which a space is enough, in the text of a shell.
const inText = `(?i)(?:password|passwd|passphrase|secret|token|api-?key|access-?key|secret-?key)\s+`

var shapes = []shape{
	// user:password of an address
	{triggers: []string{"://"}, re: re(`://[^\s:/@?#'"]*:([^\s/'"]+)@`)},
	// headers
	{triggers: []string{"authorization"}, sep: ":= \"'", re: re(`(?i)authorization["']?\s*[:=]\s*["']?(?:bearer|basic|token|digest|negotiate|aws4-hmac-sha256|apikey)\s+([^\s'"][^'"\n]*)`)},
	{triggers: []string{"authorization"}, sep: ": ", re: re(`(?i)authorization\s*:\s*([^\s'"]+)\s*(?:$|['"])`)},
	{triggers: []string{"bearer"}, begins: true, sep: " \t", re: re(`(?i)bearer\s+([a-z0-9._~+/=-]{8,})`)},
	{triggers: []string{"api", "token", "secret", "auth", "password", "csrf"},
		sep: ": ", re: re(`(?i)(?:api-?key|token|secret|auth-key|auth|password|csrf)\s*:\s+["']?([^\s'"]+)`)},
	{triggers: []string{"cookie"}, sep: ": ", re: re(`(?i)cookie\s*:\s*([^'"\n]+)`)},
	// name=value, "name": "value" and --name value: a query, JSON, a shell's command
	{triggers: nameTriggers, sep: "=:\"' \t", re: re(`(?i)` + secretNames + `(?:["']?\s*(?:=|:=|=>)\s*(?:"([^"]+)|'([^']+))|=([^\s'"&;|,<>(){}$]+)|"\s*:\s*"([^"]+))`)},
	{triggers: []string{"pass", "secret", "token", "api", "access"}, option: true,
		sep: " \t\n", re: re(inText + `(?:"([^"]+)|'([^']+)|([^\s'"&;|<>-][^\s'"&;|<>]*))`)},
	// programs with a short option for it, in the text of a shell
	{triggers: []string{"mysql", "mariadb"}, segment: true, re: re(`(?:mysql|mariadb)[a-z-]*\s(?:.*?\s)?-p([^\s'"]+)`)},
	{triggers: []string{"sshpass"}, segment: true, re: re(`sshpass\s+-p\s*([^\s'"]+)`)},
	{triggers: []string{"curl"}, segment: true, re: re(`curl\s(?:.*?\s)?(?:-u|--user|-U|--proxy-user)[\s=]*['"]?[^\s:'"]+:([^\s'"]+)`)},
	{triggers: []string{"redis-cli"}, segment: true, re: re(`redis-cli\s(?:.*?\s)?-a\s+([^\s'"]+)`)},
	{triggers: []string{"pass:"}, begins: true, re: re(`(?i)pass:([^\s'"]+)`)}, // openssl -passin pass:…
	// by their own letters, whatever names them
	{triggers: []string{"akia", "asia", "abia", "acca"}, begins: true, re: re(`((?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})\b`)},
	{triggers: []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, begins: true, re: re(`(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})`)},
	{triggers: []string{"glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glsoat-"}, begins: true, re: re(`(gl(?:pat|dt|rt|cbt|ptt|soat)-[A-Za-z0-9_-]{16,})`)},
	{triggers: []string{"xox"}, begins: true, re: re(`(xox[abeoprs]-[A-Za-z0-9-]{10,})`)},
	{triggers: []string{"aiza"}, begins: true, re: re(`(AIza[A-Za-z0-9_-]{35})`)},
	{triggers: []string{"sk_", "rk_"}, begins: true, re: re(`([sr]k_(?:live|test)_[A-Za-z0-9]{10,})`)},
	{triggers: []string{"sk-"}, begins: true, re: re(`(sk-[A-Za-z0-9_-]{20,})`)},
	{triggers: []string{"npm_", "pypi-", "dckr_", "hf_", "hvs.", "hvb.", "dop_v1_", "doo_v1_", "sg."}, begins: true,
		re: re(`(npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}|dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}|hv[sb]\.[A-Za-z0-9_-]{20,}|do[op]_v1_[a-f0-9]{40,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})`)},
	{triggers: []string{"eyj"}, begins: true, re: re(`(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,3})`)},
	{triggers: []string{"-----begin"}, re: re(`(?s)-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(.+?)(?:-----END|$)`)},
	{triggers: []string{"age-secret-key-"}, begins: true, re: re(`(AGE-SECRET-KEY-1[A-Z0-9]{20,})`)},
}

// find returns where the shapes' secrets stand in s.
func find(s string) (spans []span) {
	var later map[*shape]int // a shape was looked for as far as this
	triggersAt(s, func(at int, t *trigger) (next int) {
		for _, sh := range t.shapes {
			if at < later[sh] || !sh.mayBegin(s, at) {
				continue
			}
			text := s[at:]
			if sh.segment {
				if end := strings.IndexAny(text, "|;&\n"); end >= 0 {
					text = text[:end]
				}
				if later == nil {
					later = map[*shape]int{}
				}
				later[sh] = at + len(text) // from a later start it would find no other
			}
			if found, ok := sh.match(text); ok {
				spans = append(spans, span{at + found.from, at + found.to})
				next = max(next, at+found.to)
			}
		}
		return next
	})
	return spans
}

// window is how much of a text is tried first: the time that regexp takes grows with
// the text even when it matches at once.
const window = 256

// match looks for the shape at the beginning of text. What reaches the end of the
// window, and an address or a web token, which may have its @ or dot behind it, is
// tried on all of text.
func (sh *shape) match(text string) (span, bool) {
	cut := text
	if !sh.segment {
		cut = text[:min(len(text), window)]
	}
	found, ok := firstGroup(sh.re.FindStringSubmatchIndex(cut))
	if len(cut) < len(text) && (ok && found.to > len(cut)-16 || !ok && (cut[0] == ':' || cut[0] == 'e')) {
		return firstGroup(sh.re.FindStringSubmatchIndex(text))
	}
	return found, ok
}

// mayBegin looks at what stands before.
func (sh *shape) mayBegin(s string, at int) bool {
	if sh.sep != "" {
		end := at
		for end < len(s) && end-at < 64 && (isWordByte(s[end]) || s[end] == '-' || s[end] == '.') {
			end++
		}
		if end == len(s) || strings.IndexByte(sh.sep, s[end]) < 0 {
			return false
		}
	}
	if sh.begins {
		return at == 0 || !isWordByte(s[at-1])
	}
	if !sh.option {
		return true
	}
	i := at
	for i > 0 && at-i < 64 && (isWordByte(s[i-1]) || s[i-1] == '-' || s[i-1] == '.') {
		i--
	}
	return i < at && s[i] == '-' && i > 0 && (s[i-1] == ' ' || s[i-1] == '\t' || s[i-1] == '\n')
}

func isWordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

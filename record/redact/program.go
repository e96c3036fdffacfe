package redact

import (
	"slices"
	"strings"
)

// program is what is known of a program's own options for secrets. It holds for
// the words after its name, wherever that stands: sudo, env, docker exec and the
// like put words before it.
type program struct {
	next     []string            // options whose value is the next word
	attached []string            // options whose value follows in the same word
	pairs    []string            // options whose value is user and secret, in the next word or the same
	sep      string              // what stands between those two
	sub      map[string]*program // of a command of the program
}

var (
	mysql  = &program{attached: []string{"-p"}}
	ldap   = &program{next: []string{"-w"}, attached: []string{"-w"}}
	login  = &program{sub: map[string]*program{"login": {next: []string{"-p"}, attached: []string{"-p"}}}}
	mongo  = &program{next: []string{"-p"}}
	sql    = &program{next: []string{"-P"}, attached: []string{"-P"}}
	zip    = &program{next: []string{"-P"}, attached: []string{"-P"}}
	sevenZ = &program{attached: []string{"-p", "-hp"}}
	samba  = &program{pairs: []string{"-U", "--user"}, sep: "%"}
	snmp   = &program{next: []string{"-A", "-X", "-c"}}
	user   = &program{next: []string{"-p"}}
)

var programs = map[string]*program{
	"mysql": mysql, "mysqldump": mysql, "mysqladmin": mysql, "mysqlimport": mysql, "mysqlshow": mysql,
	"mariadb": mysql, "mariadb-dump": mysql, "mariadb-admin": mysql, "mysqlcheck": mysql, "mysqlpump": mysql,
	"sshpass":   {next: []string{"-p"}, attached: []string{"-p"}},
	"curl":      {pairs: []string{"-u", "-U", "--user", "--proxy-user"}, sep: ":", next: []string{"-b", "--cookie"}},
	"http":      {pairs: []string{"-a", "--auth"}, sep: ":"},
	"https":     {pairs: []string{"-a", "--auth"}, sep: ":"},
	"etcdctl":   {pairs: []string{"--user"}, sep: ":"},
	"lftp":      {pairs: []string{"-u"}, sep: ","},
	"redis-cli": {next: []string{"-a"}}, "valkey-cli": {next: []string{"-a"}},
	"mongo": mongo, "mongosh": mongo, "mongodump": mongo, "mongorestore": mongo, "mongoexport": mongo, "mongoimport": mongo,
	"ldapsearch": ldap, "ldapadd": ldap, "ldapmodify": ldap, "ldapdelete": ldap, "ldapwhoami": ldap, "ldappasswd": ldap,
	"docker": login, "podman": login, "nerdctl": login, "buildah": login, "skopeo": login, "helm": login, "oc": login, "az": login,
	"smbclient": samba, "smbget": samba, "rpcclient": samba, "net": samba,
	"7z": sevenZ, "7za": sevenZ, "7zz": sevenZ, "7zr": sevenZ, "rar": sevenZ, "unrar": sevenZ, "zip": zip, "unzip": zip,
	"sqlcmd": sql, "bcp": sql, "tsql": sql, "freebcp": sql, "ipmitool": sql,
	"snmpget": snmp, "snmpset": snmp, "snmpwalk": snmp, "snmpbulkwalk": snmp, "snmptrap": snmp,
	"useradd": user, "usermod": user, "rdesktop": user,
	"openssl":  {next: []string{"-k", "-K"}},
	"xfreerdp": {attached: []string{"/p:"}}, "wlfreerdp": {attached: []string{"/p:"}},
}

// programOf returns what is known of the program that a word names, by its path or not.
func programOf(word string) *program {
	name := word[strings.LastIndexByte(word, '/')+1:]
	if len(name) < 2 || len(name) > 16 {
		return nil
	}
	return programs[name]
}

// after returns what holds for the words after a word: p, or what the word names.
func (p *program) after(word string) *program {
	if p != nil && p.sub[word] != nil {
		return p.sub[word]
	}
	if named := programOf(word); named != nil {
		return named
	}
	return p
}

// word treats a word after the program's name. next says what to do with the word
// after it; nil is nothing.
func (p *program) word(word string) (text string, next func(string) string) {
	if p == nil {
		return word, nil
	}
	if slices.Contains(p.next, word) {
		return word, wholeWord
	}
	if slices.Contains(p.pairs, word) {
		return word, p.pair
	}
	for _, option := range p.attached {
		if value, ok := strings.CutPrefix(word, option); ok && value != "" && value[0] != '-' {
			return option + wholeWord(value), nil
		}
	}
	for _, option := range p.pairs {
		if value, ok := strings.CutPrefix(word, option); ok && value != "" {
			return option + p.pair(value), nil
		}
	}
	return word, nil
}

// pair replaces what follows the separator.
func (p *program) pair(value string) string {
	name, secret, ok := strings.Cut(value, p.sep)
	if !ok {
		return value
	}
	return name + p.sep + wholeWord(secret)
}

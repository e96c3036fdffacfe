// Package sink takes findings to where people look: lines of JSON in Falco's shape,
// a table, OCSF events, a SARIF log, and a webhook.
//
// A detector.Finding comes in; bytes of a form go out, one finding after the other:
//
//	enc, err := sink.NewEncoder(sink.OCSF, version)
//	out = enc.Begin(out)
//	out, err = enc.Append(out, finding)
//	out = enc.End(out)
//
// What an attacker named (processes, paths, containers) stays text in each form: JSON
// escapes it, and the table shows what is not printable as an escape.
package sink

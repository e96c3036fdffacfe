// Package rule owns what is deployed: one representation of a rule, a renderer
// for each target, and an evaluator that runs rules over recorded traces before
// anybody deploys them.
//
// A profile's workload comes in, with the items of findings where there are any;
// a Set goes out, which renders itself:
//
//	set, err := rule.Build(w, nil, rule.DefaultOptions)
//	yaml, err := set.Falco()
//	json, err := set.Seccomp()
//	files, refusals, err := rule.Render(dir, []*rule.Set{set}, rule.Targets())
//	report, err := rule.Test(ctx, []*rule.Set{set}, traces, labels, time.Minute)
//
// A workload of which too little is known gives no rule but a Refusal, unless
// Options.Force is set, which writes the risk into the output.
//
// Every path, name and address of a profile was chosen by whoever ran in the
// container. Falco splices list items into conditions as text, so quote.go quotes
// all of them, and leaves out what quoting cannot make safe; the output says so.
package rule

// Package falco reads Falco rules and runs them over recorded events: lists,
// macros, exceptions, overrides and the conditions of libsinsp, as Falco takes
// them. It says what of a rule a trace cannot tell, rather than taking it for
// false.
//
//	rules, err := falco.Read(falco.Source{Name: "web.yaml", Content: content})
//	program, err := rules.Compile()
//	watch := falco.NewWatch(program)
//	scope := watch.Scope(&container)
//	for row, err := range trace.Merge(ctx, t) {
//		if row.Event != nil {
//			for _, hit := range watch.Row(&row, scope) {
//				fmt.Println(program.Rules[hit.Rule].Name)
//			}
//		}
//	}
//
// Package rule counts what fires: false alarms by container-hour, and attacks.
// TESTING.md beside it says what is evaluated.
package falco

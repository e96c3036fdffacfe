// Package replay scores recordings with a detector.
//
// A *detector.Detector and traces come in; findings go out, one JSON line for each
// attack (detector.Finding): windows above the threshold that belong together
// (detector/FORMAT.md), with the features that carried them and the event rows behind. A state file remembers what has been
// scored, so that the same command in cron takes each window once:
//
//	report, err := replay.Run(ctx, d, traces, replay.Options{StatePath: "web.state", OutputPath: "findings.jsonl"})
package replay

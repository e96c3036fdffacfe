// Package replay scores recordings with a detector.
//
// A *detector.Detector and traces come in; findings go out, one JSON line for
// each window above the threshold that is no echo of another (detector.Finding), with the features that
// carried it and the event rows behind it. A state file remembers what has been
// scored, so that the same command in cron takes each window once:
//
//	report, err := replay.Run(ctx, d, traces, replay.Options{StatePath: "web.state", OutputPath: "findings.jsonl"})
package replay

package evaluate

import "mayfly/detector"

// findings merges the alarms of each container into episodes, those of normal time
// and those of attacks and what follows them apart: what a person would read.
func (r *Report) findings(w *Windows, classes []class, gapNS int64) {
	var usual, attack []detector.Alarm
	for i := range w.Rows {
		row := &w.Rows[i]
		if !(row.Score > w.Threshold) || classes[i] == trained {
			continue
		}
		c := &w.Containers[row.Container]
		a := detector.Alarm{Host: c.Host, ContainerID: c.ID, FromNS: row.StartNS, ToNS: row.EndNS(), Score: row.Score}
		if classes[i] == normal {
			usual = append(usual, a)
		} else {
			attack = append(attack, a)
		}
	}
	r.AtThreshold.NormalFindings = len(detector.Episodes(usual, gapNS))
	r.AtThreshold.AttackFindings = len(detector.Episodes(attack, gapNS))
}

package evaluate

import "math"

// Calibration says whether probabilities are what they claim to be.
type Calibration struct {
	Brier float64 `json:"brier"` // mean squared error of the probabilities, [0,1]
	// BaseBrier is that of a constant: the share of attacks.
	BaseBrier float64          `json:"base_brier"`
	Bins      []ReliabilityBin `json:"reliability"` // ten of equal width, those without traces left out
}

// ReliabilityBin compares what was said with what was.
type ReliabilityBin struct {
	From     float64 `json:"from"`
	To       float64 `json:"to"`
	Count    int     `json:"count"`
	Said     float64 `json:"said"`     // mean probability
	Observed float64 `json:"observed"` // share of attacks
}

// measureCalibration compares probabilities with the truth: Brier, Verification of
// Forecasts Expressed in Terms of Probability, Monthly Weather Review 78, 1950.
func measureCalibration(probability []float64, truth []bool) Calibration {
	const bins = 10
	var out Calibration
	all := make([]ReliabilityBin, bins)
	share := 0.0
	for i, p := range probability {
		b := &all[min(int(p*bins), bins-1)]
		y := 0.0
		if truth[i] {
			y = 1
		}
		share += y / float64(len(truth))
		out.Brier += (p - y) * (p - y) / float64(len(truth))
		b.Count++
		b.Said += p
		b.Observed += y
	}
	out.BaseBrier = share * (1 - share)
	for i, b := range all {
		if b.Count > 0 {
			b.From, b.To = float64(i)/bins, float64(i+1)/bins
			b.Said, b.Observed = b.Said/float64(b.Count), b.Observed/float64(b.Count)
			out.Bins = append(out.Bins, b)
		}
	}
	return out
}

// platt is a sigmoid over the log odds of a score in [0,1]: Platt, Probabilistic
// Outputs for Support Vector Machines, 1999.
type platt struct{ slope, offset float64 }

func logOdds(p float64) float64 {
	const least = 1e-4
	p = min(max(p, least), 1-least)
	return math.Log(p / (1 - p))
}

func (s *platt) of(score float64) float64 {
	return 1 / (1 + math.Exp(-(s.slope*logOdds(score) + s.offset)))
}

// fitPlatt maximises the likelihood by Newton's method, with Platt's targets,
// which keep it finite where a score tells the classes apart. The slope is kept
// from falling below 0: a higher score never means less. Each score that is not of
// an attack stands for so many: normal ones are sampled, attacks are not.
func fitPlatt(scores []float64, truth []bool, normals float64) *platt {
	positives, negatives := 0.0, 0.0
	for _, y := range truth {
		if y {
			positives++
		} else {
			negatives += normals
		}
	}
	high, low := (positives+1)/(positives+2), 1/(negatives+2)
	s := &platt{slope: 1}
	for range 50 {
		var g0, g1, h00, h01, h11 float64
		for i, score := range scores {
			x, target, stands := logOdds(score), low, normals
			if truth[i] {
				target, stands = high, 1
			}
			p := s.of(score)
			weight := stands * max(p*(1-p), 1e-6)
			g0, g1 = g0+stands*(p-target)*x, g1+stands*(p-target)
			h00, h01, h11 = h00+weight*x*x, h01+weight*x, h11+weight
		}
		h00, h11 = h00+1e-6, h11+1e-6
		det := h00*h11 - h01*h01
		stepA, stepB := (h11*g0-h01*g1)/det, (h00*g1-h01*g0)/det
		if math.IsNaN(stepA + stepB) {
			break
		}
		// A step is kept short: far from the optimum Newton's overshoots.
		limit := max(1, math.Abs(stepA), math.Abs(stepB))
		s.slope, s.offset = max(0, s.slope-stepA/limit), s.offset-stepB/limit
		if math.Abs(stepA)+math.Abs(stepB) < 1e-9 {
			break
		}
	}
	return s
}

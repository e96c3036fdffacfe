package forest

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"
)

// readCSV returns the columns of a file under testdata, without its header.
func readCSV(t testing.TB, name string) [][]float32 {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	cols := make([][]float32, len(rows[0]))
	for i, row := range rows[1:] {
		for c, cell := range row {
			v, err := strconv.ParseFloat(cell, 32)
			if err != nil {
				t.Fatalf("%s: line %d: %v", name, i+2, err)
			}
			cols[c] = append(cols[c], float32(v))
		}
	}
	return cols
}

// table returns the features and labels of testdata/table.csv.
func table(t testing.TB) (x [][]float32, y []uint8) {
	cols := readCSV(t, "table.csv")
	x = cols[:len(cols)-1]
	for _, v := range cols[len(cols)-1] {
		y = append(y, uint8(v))
	}
	return x, y
}

// area returns the AUROC of scores.
func area(scores []float32, y []uint8) float64 {
	v := make([]vote, len(y))
	for i, s := range scores {
		v[i] = vote{float64(s), y[i]}
	}
	return auroc(v)
}

func rowsOf(x [][]float32, from, to int) [][]float32 {
	out := make([][]float32, len(x))
	for f := range x {
		out[f] = x[f][from:to]
	}
	return out
}

// TestSameScoresAsScikitLearn scores with trees that scikit-learn grew.
func TestSameScoresAsScikitLearn(t *testing.T) {
	x, _ := table(t)
	want := readCSV(t, "scores.csv")
	var iso Isolation
	var rnd Random
	for i, c := range []struct {
		file string
		f    interface {
			UnmarshalBinary([]byte) error
			Score([][]float32, []float32, int) error
		}
	}{{"isolation.forest", &iso}, {"random.forest", &rnd}} {
		b, err := os.ReadFile("testdata/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.f.UnmarshalBinary(b); err != nil {
			t.Fatalf("%s: %v", c.file, err)
		}
		got := make([]float32, len(x[0]))
		if err := c.f.Score(x, got, 0); err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for r := range got {
			diff := math.Abs(float64(got[r]) - float64(want[i][r]))
			worst = max(worst, diff)
			if !(diff <= 1e-6) {
				t.Fatalf("%s: row %d: got %v, want %v", c.file, r, got[r], want[i][r])
			}
		}
		t.Logf("%s: largest difference %.2g", c.file, worst)
	}
}

// TestSameAUROCAsScikitLearn compares forests that both sides grow themselves.
func TestSameAUROCAsScikitLearn(t *testing.T) {
	type figure struct{ Mean, SD float64 }
	var want struct {
		Seeds             int
		TrainRows         int `json:"train_rows"`
		Isolation, Random figure
	}
	b, err := os.ReadFile("testdata/auroc.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	x, y := table(t)
	train, test := rowsOf(x, 0, want.TrainRows), rowsOf(x, want.TrainRows, len(y))
	var iso, rnd float64
	for seed := range want.Seeds {
		opts := DefaultIsolationOptions()
		opts.Seed = uint64(seed)
		f, err := FitIsolation(x, opts)
		if err != nil {
			t.Fatal(err)
		}
		scores := make([]float32, len(y))
		if err := f.Score(x, scores, 0); err != nil {
			t.Fatal(err)
		}
		iso += area(scores, y) / float64(want.Seeds)

		ropts := DefaultRandomOptions()
		ropts.Seed = uint64(seed)
		r, err := FitRandom(train, y[:want.TrainRows], ropts)
		if err != nil {
			t.Fatal(err)
		}
		scores = scores[:len(test[0])]
		if err := r.Score(test, scores, 0); err != nil {
			t.Fatal(err)
		}
		rnd += area(scores, y[want.TrainRows:]) / float64(want.Seeds)
	}
	for _, c := range []struct {
		name string
		got  float64
		want figure
	}{{"isolation", iso, want.Isolation}, {"random", rnd, want.Random}} {
		t.Logf("%s: mean AUROC %.4f, scikit-learn's %.4f (sd %.4f)", c.name, c.got, c.want.Mean, c.want.SD)
		if math.Abs(c.got-c.want.Mean) > 0.005 {
			t.Errorf("%s: mean AUROC over %d seeds: got %.4f, want %.4f within 0.005", c.name, want.Seeds, c.got, c.want.Mean)
		}
	}
}

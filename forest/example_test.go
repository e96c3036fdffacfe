package forest_test

import (
	"fmt"

	"mayfly/forest"
)

func Example() {
	// Two columns; the last row departs from the others.
	x := [][]float32{
		{1, 2, 1, 3, 2, 1, 2, 3, 2, 40},
		{7, 7, 8, 6, 7, 8, 6, 7, 7, 7},
	}
	f, err := forest.FitIsolation(x, forest.DefaultIsolationOptions())
	if err != nil {
		fmt.Println(err)
		return
	}
	scores := make([]float32, len(x[0]))
	if err := f.Score(x, scores, 0); err != nil {
		fmt.Println(err)
		return
	}
	strangest := 0
	for i := range scores {
		if scores[i] > scores[strangest] {
			strangest = i
		}
	}
	shortened := make([]float64, len(x))
	if _, err := f.Contributions([]float32{40, 7}, shortened); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("strangest row:", strangest)
	fmt.Println("column 0 shortened its path more:", shortened[0] < shortened[1])
	// Output:
	// strangest row: 9
	// column 0 shortened its path more: true
}

package caddymodule

import (
	"slices"
	"strings"
)

// suggestion ends an error about an unknown word: with the word that was
// probably meant, else with all there are.
func suggestion(word string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), k); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return "; did you mean " + best + "?"
	}
	if len(known) == 0 {
		return "; there are none"
	}
	sorted := slices.Sorted(slices.Values(known))
	return "; there are: " + strings.Join(sorted, ", ")
}

// editDistance counts the letters to insert, remove or replace between a and b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

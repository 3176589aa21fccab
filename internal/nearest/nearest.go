// Package nearest finds the word that somebody meant and misspelt.
package nearest

// Word returns the word of a list that differs from s by at most two letters,
// "" when there is none.
func Word(s string, list []string) string {
	best, distance := "", 3
	for _, word := range list {
		// In short words two letters are too much of them.
		if d := edits(s, word); d < distance && d < len(word)-1 {
			best, distance = word, d
		}
	}
	return best
}

// edits is the Levenshtein distance, 3 when it is more than two.
func edits(a, b string) int {
	if len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return 3
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return min(row[len(b)], 3)
}

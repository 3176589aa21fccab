package guest

import "testing"

func TestAvailable(t *testing.T) {
	for _, test := range []struct {
		wanted int
		uidMap string
		want   int
	}{
		{uidBase + 7, "         0          0 4294967295\n", uidBase + 7},
		{12345, "0 0 4294967295\n", 12345},
		{uidBase + 7, "0 1000 1\n", none},                        // a person's lab
		{12345, "0 1000 1\n", none},                              //
		{uidBase + 7, "0 1000 1\n1 100000 65536\n", overflowUID}, // a container
		{12345, "0 100000 10000\n10000 200000 10000\n", 12345},   // in the second line
		{65534, "0 100000 65536\n", 65534},                       //
		{uidBase + 7, "nonsense\n0 100000 65536\n", overflowUID}, //
		{70000, "0 100000 65536\n", 70000},                       // asked for, and not there: an error later
	} {
		if got := available(test.wanted, test.uidMap); got != test.want {
			t.Errorf("available(%d, %q) = %d, want %d", test.wanted, test.uidMap, got, test.want)
		}
	}
}

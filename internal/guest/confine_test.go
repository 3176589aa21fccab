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

// The child's uid is no one else's.
func TestUIDs(t *testing.T) {
	const maxPid = 1 << 22 // proc(5), pid_max
	for name, taken := range map[string][2]int64{
		"systemd's containers":       {524288, 1879048191},     // systemd's UIDS-GIDS.md
		"systemd's foreign uids":     {2147352576, 2147418111}, //
		"users of a domain, by sssd": {200000, 2000200000},     // sssd-ldap(5), ldap_idmap_range_max
		"what some take for no uid":  {1<<31 - 1, 1<<32 - 1},
	} {
		if uidBase <= taken[1] && taken[0] <= uidBase+maxPid {
			t.Errorf("%s may have one of %d to %d", name, uidBase, uidBase+maxPid)
		}
	}
}

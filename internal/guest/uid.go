package guest

import "os"

// UnusedUID is a uid that nothing else has, for a program that this process
// runs on what a guest controls; 0 where this user namespace has none but its
// own.
func UnusedUID() (int, error) {
	uidMap, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return 0, err
	}
	if uid := available(nobodyBase+os.Getpid(), string(uidMap)); uid != none {
		return uid, nil
	}
	return 0, nil
}

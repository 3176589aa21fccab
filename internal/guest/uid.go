package guest

import "os"

// UnusedUID is a uid that nothing else has, for a program that this process
// runs on what a guest controls; 0 where this user namespace has none but its
// own.
func UnusedUID() (int, error) {
	uid, err := availableUID(uidBase + os.Getpid())
	if err != nil || uid == none {
		return 0, err
	}
	return uid, nil
}

package grub

// A menu is what menuentry and submenu add to.
type menu struct{ entries []*entry }

type entry struct {
	Position
	title, id  string
	submenu    bool
	restricted bool // only for users, where there are superusers
	args       []string
	body       []statement
	source     string // --source: the body as text
}

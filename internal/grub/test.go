package grub

import (
	"errors"
	"strconv"
	"strings"
)

// test is the command of that name, and [ (commands/test.c). An expression is
// read from left to right, as far as there is one; nothing at all is true.
func test(m *machine, args []string, _ *block) *failure {
	args = args[1:]
	if n := len(args); n > 0 && args[n-1] == "]" {
		args = args[:n-1]
	}
	if !m.expression(&args, 0) {
		return errFalse
	}
	return nil
}

// expression takes an expression off args, up to its end or a ).
func (m *machine) expression(args *[]string, depth int) bool {
	or, and, invert := false, true, false
	for len(*args) > 0 {
		a := *args
		value, known := false, false
		if len(a) > 2 {
			if value, known = compare(a[0], a[1], a[2]); known {
				a = a[3:]
			}
		}
		if !known && len(a) > 1 {
			if value, known = m.unary(a[0], a[1]); known {
				a = a[2:]
			}
		}
		if !known {
			word := a[0]
			*args = a[1:]
			switch {
			case word == ")":
				return or || and
			case word == "(" && depth < maxDepth:
				value = m.expression(args, depth+1)
			case word == "!":
				invert = !invert
				continue
			case word == "-a":
				continue
			case word == "-o":
				or, and = or || and, true
				continue
			default:
				value = word != ""
			}
			a = *args
		}
		and = and && value != invert
		invert, *args = false, a
	}
	return or || and
}

// compare is a test of three arguments. Files on a network have no time.
func compare(a, operator, b string) (value, known bool) {
	switch operator {
	case "=", "==":
		return a == b, true
	case "!=":
		return a != b, true
	case "<":
		return a < b, true
	case "<=":
		return a <= b, true
	case ">":
		return a > b, true
	case ">=":
		return a >= b, true
	case "-eq":
		return number(a) == number(b), true
	case "-ne":
		return number(a) != number(b), true
	case "-lt":
		return number(a) < number(b), true
	case "-le":
		return number(a) <= number(b), true
	case "-gt":
		return number(a) > number(b), true
	case "-ge":
		return number(a) >= number(b), true
	case "-pgt", "-plt":
		i := 0
		for i < len(a) && i < len(b) && a[i] == b[i] {
			i++
		}
		for i > 1 && isDigit(a[i-1]) {
			i--
		}
		if operator == "-pgt" {
			return number(a[i:]) > number(b[i:]), true
		}
		return number(a[i:]) < number(b[i:]), true
	}
	return false, strings.HasPrefix(operator, "-nt") || strings.HasPrefix(operator, "-ot")
}

// unary is a test of two arguments. -d, -e and -f list a directory, which
// cannot be done over a network; -s opens the file.
func (m *machine) unary(operator, arg string) (value, known bool) {
	switch operator {
	case "-d", "-e", "-f":
		m.url(arg) // which notes that a disk is meant
		return false, true
	case "-s":
		return m.isThere(arg), true
	case "-n":
		return arg != "", true
	case "-z":
		return arg == "", true
	}
	return false, false
}

// isThere says whether a file is there and not empty.
func (m *machine) isThere(name string) bool {
	if url, failure := m.url(name); failure == nil && !strings.HasPrefix(url, memdisk) {
		if _, err := m.files.read(m.ctx, url); errors.Is(err, ErrTooLarge) {
			return true
		}
	}
	_, text, failure := m.read(name)
	return failure == nil && text != ""
}

// number is grub_strtoul with base 0: what s begins with.
func number(s string) int64 {
	n, _ := leading(s)
	return n
}

// leading takes the number that s begins with, as 10, 010 or 0x10; 08 and 0X10
// are decimal (kern/misc.c, grub_strtoull). Without one rest is s.
func leading(s string) (n int64, rest string) {
	digits := strings.TrimLeftFunc(s, isSpace)
	negative := strings.HasPrefix(digits, "-")
	digits = strings.TrimPrefix(digits, "-")
	base := 10
	switch {
	case strings.HasPrefix(digits, "0x"):
		base, digits = 16, digits[2:]
	case len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '7':
		base = 8
	}
	i := 0
	for i < len(digits) {
		if _, err := strconv.ParseUint(digits[i:i+1], base, 8); err != nil {
			break
		}
		i++
	}
	if i == 0 {
		return 0, s
	}
	u, err := strconv.ParseUint(digits[:i], base, 62)
	if err != nil {
		u = 1 << 62
	}
	if n = int64(u); negative {
		n = -n
	}
	return n, digits[i:]
}

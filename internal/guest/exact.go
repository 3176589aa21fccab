package guest

import (
	"reflect"
	"strings"
	"unicode/utf8"
)

// JSON is text, and an encoder replaces what is no UTF-8: APPEND's caf\xe9, a
// label, a file's name. So each byte of a string goes over the pipes as the
// character of that number, as if it were ISO 8859-1, and every byte arrives.

// toText returns a copy of a message whose strings JSON does not change.
func toText(message any) any {
	return recoder{latin1, true}.of(reflect.ValueOf(message)).Interface()
}

// fromText makes toText's strings what they were, in a message that the
// pointer leads to.
func fromText(message any) {
	recoder{bytesOf, false}.of(reflect.ValueOf(message))
}

func latin1(s string) string {
	if isASCII(s) {
		return s
	}
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		b = utf8.AppendRune(b, rune(s[i]))
	}
	return string(b)
}

func bytesOf(s string) string {
	if isASCII(s) {
		return s
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r <= 0xff {
			b = append(b, byte(r))
		} else { // latin1 makes none
			b = utf8.AppendRune(b, r)
		}
	}
	return string(b)
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// recoder changes all strings of a message that JSON would write: in a copy of
// it or, as what a child sent may be large, where they are.
type recoder struct {
	convert func(string) string
	copies  bool
}

func (r recoder) of(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		return reflect.ValueOf(r.convert(v.String())).Convert(v.Type())
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		p := v
		if r.copies {
			p = reflect.New(v.Type().Elem())
		}
		p.Elem().Set(r.of(v.Elem()))
		return p
	case reflect.Slice:
		if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 { // base64
			return v
		}
		s := v
		if r.copies {
			s = reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		}
		for i := range v.Len() {
			s.Index(i).Set(r.of(v.Index(i)))
		}
		return s
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		m := reflect.MakeMap(v.Type())
		for entry := v.MapRange(); entry.Next(); {
			m.SetMapIndex(r.of(entry.Key()), r.of(entry.Value()))
		}
		return m
	case reflect.Struct:
		s := reflect.New(v.Type()).Elem()
		s.Set(v) // with the fields that JSON does not see
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
				s.Field(i).Set(r.of(v.Field(i)))
			}
		}
		return s
	}
	return v
}

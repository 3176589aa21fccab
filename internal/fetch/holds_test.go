package fetch

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A transfer that has waited for long is not gone on with: its server may have given up.
func TestHoldsOld(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "0123456789") }))
	defer server.Close()
	var s Holds
	s.Begin()
	for link, old := range map[string]bool{server.URL + "/new": false, server.URL + "/old": true} {
		head, _, err := s.ReadHead(t.Context(), new(Client), link, 4, nil, 0, func([]byte) bool { return true })
		if string(head) != "0123" || err != nil {
			t.Fatalf("%q, %v", head, err)
		}
		if h := s.files[link]; old {
			h.since = h.since.Add(-heldFor)
			s.files[link] = h
		}
		f := s.Take(t.Context(), link)
		if (f == nil) != old || len(s.files) > 0 {
			t.Errorf("%s: %v, and %v is held", link, f, s.files)
		}
		if f != nil {
			f.Close()
		}
	}
}

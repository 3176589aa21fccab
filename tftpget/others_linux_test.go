//go:build !portable

package tftpget

import (
	"bytes"
	"testing"
	"time"
)

// What a request began that was sent again too soon is told so, while the file
// comes and afterwards.
func TestOthers(t *testing.T) {
	t.Parallel()
	told := make(chan []byte, 2)
	unwanted := func(s *session) {
		s.oack("tsize", "2000", "blksize", "1468")
		p, err := s.next()
		if err != nil {
			t.Error(err)
		}
		told <- p
	}
	second, after := make(chan bool), make(chan bool)
	content, _, err := get(t, Client{BlockSize: 1468, Timeout: 50 * time.Millisecond}, func(s *session) {
		switch s.nth {
		case 0: // has been waited for too long
			<-second
			unwanted(s)
			<-after
			unwanted(s)
		case 1:
			s.oack("tsize", "2000", "blksize", "1468")
			s.expect(0)
			close(second)
			told <- <-told
			s.data(1, pattern(2000)[:1468])
			s.expect(1)
			s.data(2, pattern(2000)[1468:])
		}
	})
	if err != nil || !bytes.Equal(content, pattern(2000)) {
		t.Fatalf("%d bytes, %v", len(content), err)
	}
	close(after)
	for range 2 {
		if p := <-told; !bytes.Equal(p, errorPacket(5, "unknown transfer ID")) {
			t.Errorf("the other transfer got %q", p)
		}
	}
}

// A server that may yet answer is not asked each second.
func TestRarely(t *testing.T) {
	d := &download{options: options{timeout: time.Second}}
	var sum time.Duration
	for try := range 30 {
		pause := d.pause(try)
		if try <= DefaultRetries && pause > time.Second || pause > longestPause {
			t.Errorf("%v after request %d", pause, try)
		}
		sum += pause
	}
	if sum < 100*time.Second {
		t.Errorf("30 requests in %v", sum)
	}
}

package check

import (
	"net/netip"
	"strings"
	"testing"
)

func TestTooLate(t *testing.T) {
	other := netip.MustParseAddr("192.168.1.9")
	late := func(after float64, proxy bool, values ...Value) func(*Facts) {
		return func(f *Facts) {
			setBoot(ValueBootFile, "", "", "")(f)
			noServerStep(f)
			f.Waited, f.Offers[0].Values = 2001, nil
			f.Offers = append(f.Offers, Offer{After: after, Server: other, ServerMAC: "aa:bb:cc:00:11:22", Proxy: proxy, Values: values})
			if !proxy {
				f.Offers[1].Address = netip.MustParsePrefix("192.168.1.77/24")
			}
		}
	}
	file := Value{Name: ValueBootFile, Value: "pxelinux.0"}
	for _, test := range []struct {
		name   string
		change func(*Facts)
		code   Code
		says   []string
		never  string
	}{
		{"a server", late(3012, false, file), AnswerTooLate, []string{"192.168.1.9 says boot file pxelinux.0 3.0 s after", "taken after 2.0 s", "--proxy-wait 5s", "dnsmasq:   no-ping", "ping-check false;"}, ""},
		{"later still", late(9000, false, file), AnswerTooLate, []string{"--proxy-wait 10s"}, ""},
		{"a proxy", late(3500, true, file), AnswerTooLate, []string{"192.168.1.9 says boot file pxelinux.0 3.5 s after", "MAC aa:bb:cc:00:11:22"}, "ping"},
		{"a proxy with a menu", late(3500, true, Value{Name: ValueMenu, Value: "Install"}), AnswerTooLate, []string{"says Install"}, ""},
		{"in time, and not taken", late(1500, false, file), RogueServer, nil, "--proxy-wait"},
		{"late, and with nothing either", late(3012, false), NoFilename, nil, "--proxy-wait"},
		{"late, and not needed", func(f *Facts) {
			f.Waited = 10
			f.Offers = append(f.Offers, Offer{After: 3000, Server: other, Proxy: true, Values: []Value{file}})
		}, Fine, nil, ""},
		{"another architecture's, and this one's late", func(f *Facts) {
			late(3012, false, file)(f)
			f.Variants = []Variant{{Name: AskedArch, Arch: 7, Answered: true, Server: f.Offers[0].Server, BootFile: "pxelinux.0"}}
		}, AnswerTooLate, nil, "architecture"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := example(t, "healthy")
			test.change(&f)
			v := Diagnose(f).Verdict
			text := v.Evidence + v.Hint
			if v.Code != test.code || test.never != "" && strings.Contains(text, test.never) {
				t.Errorf("%+v", v)
			}
			for _, words := range test.says {
				if !strings.Contains(text, words) {
					t.Errorf("%q is not in %s", words, text)
				}
			}
		})
	}
}

package check

import (
	"testing"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
)

func TestOrigin(t *testing.T) {
	for _, test := range []struct {
		origin      Origin
		text, label string
	}{
		{Origin{}, "", ""},
		{Origin{Option: 67}, "67", "option 67"},
		{Origin{Option: 67, In: dhcpclient.FieldFile}, "67 in file", "option 67 in file"},
		{Origin{Option: 43, Inside: 6}, "43.6", "option 43.6"},
		{Origin{Field: dhcpclient.FieldSIAddr}, "siaddr", "siaddr"},
		{Origin{Field: dhcpclient.FieldSource}, "source address", "source address"},
		{Origin{Field: OurServer}, "--server", "--server"},
	} {
		if got := test.origin.String(); got != test.text {
			t.Errorf("%#v is %q, want %q", test.origin, got, test.text)
		}
		if got := test.origin.Label(); got != test.label {
			t.Errorf("%#v is called %q, want %q", test.origin, got, test.label)
		}
		var got Origin
		if err := got.UnmarshalText([]byte(test.text)); err != nil || got != test.origin {
			t.Errorf("%q is %#v (%v)", test.text, got, err)
		}
	}
}

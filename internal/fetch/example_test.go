package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
)

func ExampleClient_ReadAll() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/pxelinux.cfg/default" {
			http.NotFound(w, r)
			return
		}
		// PXELINUX over HTTP says which machine it is.
		mac, _ := r.Cookie("_Syslinux_BOOTIF")
		io.WriteString(w, "DEFAULT linux-for-"+mac.Value)
	}))
	defer server.Close()

	client := &fetch.Client{SysAppend: []string{"BOOTIF=01-00-16-3e-72-79-e3"}}
	for _, name := range []string{"C0A801C7", "default"} {
		config, err := client.ReadAll(context.Background(), server.URL+"/pxelinux.cfg/"+name, 1<<20)
		if errors.Is(err, fetch.ErrNotFound) {
			fmt.Println(name, "is not there")
			continue
		}
		fmt.Printf("%s %v\n", config, err)
	}
	// Output:
	// C0A801C7 is not there
	// DEFAULT linux-for-01-00-16-3e-72-79-e3 <nil>
}

package downloads

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// origin is a web server behind a cache, which counts what it is asked.
const origin = "192.168.1.100"

func startOrigin(t *testing.T, l *lab.Lab, kernel []byte) (asked *atomic.Int64) {
	t.Helper()
	host, err := l.AddHost(t.Context(), lab.HostConfig{Name: "origin", Address: netip.MustParsePrefix(origin + "/24")})
	labtest.Check(t, err)
	var listener net.Listener
	labtest.Check(t, host.Do(func() (err error) {
		listener, err = net.Listen("tcp4", origin+":80")
		return err
	}))
	asked = new(atomic.Int64)
	changed := time.Now().Add(-time.Hour)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Cache-Control", "max-age=3600")
		http.ServeContent(w, r, "kernel", changed, bytes.NewReader(kernel))
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return asked
}

// TestCaches has 64 guests at once get a file through the caches that sites have:
// the origin is asked once.
func TestCaches(t *testing.T) {
	for _, c := range []struct {
		name  string
		start func(t *testing.T, l *lab.Lab, dir string)
		proxy string
		url   string
	}{
		{"squid as --proxy", squid, "http://" + server + ":3128", "http://" + origin + "/kernel"},
		{"nginx in front", nginxInFront, "", "http://" + server + "/kernel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			dir, sum := newTree(t)
			kernel, err := os.ReadFile(filepath.Join(dir, "boot/kernel"))
			labtest.Check(t, err)
			asked := startOrigin(t, l, kernel)
			labtest.Check(t, os.Chmod(dir, 0o777)) // it leaves root
			c.start(t, l, dir)
			var guests sync.WaitGroup
			for range 64 {
				guests.Go(func() {
					files := client()
					files.Timeout, files.Servers = 10*time.Second, new(fetch.Servers)
					if c.proxy != "" {
						files.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(c.proxy) }
					}
					wantKernel(t, files, c.url, sum)
				})
			}
			guests.Wait()
			if n := asked.Load(); n != 1 {
				t.Errorf("the origin was asked %d times", n)
			}
		})
	}
}

func squid(t *testing.T, l *lab.Lab, dir string) {
	t.Helper()
	conf := filepath.Join(dir, "squid.conf")
	cmd := labtest.Program(t, "squid", "-N", "-f", conf)
	usr := strings.TrimSuffix(cmd.Path, "/sbin/squid")
	writeFile(t, conf, fmt.Sprintf(`http_port 3128
http_access allow all
collapsed_forwarding on
cache_mem 64 MB
maximum_object_size_in_memory 32 MB
access_log none
cache_log stdio:%[1]s/cache.log
coredump_dir %[1]s
pid_filename none
visible_hostname lab
dns_nameservers 127.0.0.1
pinger_enable off
shutdown_lifetime 1 seconds
unlinkd_program %[2]s/lib/squid/unlinkd
mime_table %[2]s/share/squid/mime.conf
icon_directory %[2]s/share/squid/icons
error_directory %[2]s/share/squid/errors/templates
`, dir, usr))
	_, err := real.StartListening(t.Context(), l.Servers, cmd, 3128)
	labtest.Check(t, err)
}

func nginxInFront(t *testing.T, l *lab.Lab, dir string) {
	t.Helper()
	conf := filepath.Join(dir, "nginx.conf")
	writeFile(t, conf, fmt.Sprintf(`daemon off; master_process off; user root root; pid %[1]s/pid; error_log stderr; events {}
http {
	access_log off;
	client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
	proxy_cache_path %[1]s/cache keys_zone=boot:1m max_size=1g;
	server {
		listen 80;
		location / { proxy_pass http://%[2]s; proxy_cache boot; proxy_cache_lock on; proxy_cache_lock_timeout 60s; proxy_cache_lock_age 60s; }
	}
}
`, dir, origin))
	_, err := real.StartListening(t.Context(), l.Servers, labtest.Program(t, "nginx", "-p", dir, "-c", conf, "-e", "stderr"), 80)
	labtest.Check(t, err)
}

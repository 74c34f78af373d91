package bare

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// Serve listens on addr until it fails; with the files of a certificate and its
// key, by TLS. SIGUSR2 asks for a garbage collection.
func Serve(addr string, certificate []string) error {
	collect := make(chan os.Signal, 1)
	signal.Notify(collect, syscall.SIGUSR2)
	go func() {
		for range collect {
			runtime.GC()
		}
	}()
	s := &http.Server{Addr: addr, Handler: New(), ReadHeaderTimeout: 10 * time.Second}
	switch len(certificate) {
	case 0:
		return s.ListenAndServe()
	case 2:
		return s.ListenAndServeTLS(certificate[0], certificate[1])
	}
	return fmt.Errorf("want a certificate and its key, not %v", certificate)
}

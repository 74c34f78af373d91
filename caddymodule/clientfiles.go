package caddymodule

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// clientFiles are the files of the JavaScript client by name, read once: they are
// few and small, and so a request can name no other file. It is immutable; nil
// serves none.
type clientFiles struct{ files map[string]clientFile }

type clientFile struct {
	content []byte
	etag    string
}

// clientNames are the builds of the client that the reference server serves;
// each may have a source map.
var clientNames = [...]string{"socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"}

// openClientFiles reads those of the files that a directory holds: older clients
// lack some of them.
func openClientFiles(dir string) (*clientFiles, error) {
	if dir == "" {
		return nil, nil
	}
	c := &clientFiles{map[string]clientFile{}}
	for _, build := range clientNames {
		for _, name := range []string{build, build + ".map"} {
			content, err := os.ReadFile(filepath.Join(dir, name))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, wrong("serve_client", "%v; make the file readable", err)
			}
			sum := sha256.Sum256(content)
			c.files[name] = clientFile{content, `"` + hex.EncodeToString(sum[:12]) + `"`}
		}
	}
	if len(c.files) == 0 {
		return nil, wrong("serve_client", "%s holds none of the client's files, such as socket.io.js; "+
			"give the folder dist of the npm package socket.io-client", filepath.Clean(dir))
	}
	return c, nil
}

// serve answers a request for one of the files; false means that it is none.
func (c *clientFiles) serve(w http.ResponseWriter, r *http.Request, name string) bool {
	if c == nil {
		return false
	}
	f, ok := c.files[name]
	if !ok {
		return false
	}
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return true
	}
	mime := "text/javascript; charset=utf-8"
	if strings.HasSuffix(name, ".map") {
		mime = "application/json"
	}
	h.Set("Content-Type", mime)
	h.Set("Etag", f.etag)
	// The names carry no version: caches have to ask, by the ETag.
	h.Set("Cache-Control", "public, max-age=0")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(f.content))
	return true
}

package socketio

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A client that has given up its poll may post for a moment, but is sent nothing:
// recovery has it all.
func TestWhatIsSentAfterAPollIsGivenUpIsRecovered(t *testing.T) {
	for name, back := range map[string]time.Duration{"while it may still post": 0, "later": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			settings := Settings{Namespaces: namespaces("/", silent), Recovery: time.Minute}
			inBubble(t, settings, func(t *testing.T, w *world) {
				transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return w.pipes.dial() }}
				t.Cleanup(transport.CloseIdleConnections)
				url := "http://pipe/socket.io/?EIO=4&transport=polling"
				ask := func(ctx context.Context, method, body string) string {
					r, _ := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
					res, err := transport.RoundTrip(r)
					if err != nil {
						return "aborted"
					}
					defer res.Body.Close()
					text, _ := io.ReadAll(res.Body)
					return string(text)
				}
				_, rest, _ := strings.Cut(ask(t.Context(), "GET", ""), `"sid":"`)
				sid, _, _ := strings.Cut(rest, `"`)
				url += "&sid=" + sid
				ask(t.Context(), "POST", "40")
				var id told
				if err := json.Unmarshal([]byte(strings.TrimPrefix(ask(t.Context(), "GET", ""), "40")), &id); err != nil || id.Pid == "" {
					t.Fatalf("got %+v, %v", id, err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				polled := make(chan string)
				go func() { polled <- ask(ctx, "GET", "") }()
				synctest.Wait()
				cancel()
				if got := <-polled; got != "aborted" {
					t.Fatal(got)
				}
				synctest.Wait()
				ns := w.server.Namespace("/")
				s := ns.Socket(id.Sid)
				if s == nil {
					t.Fatal("the socket is gone already")
				}
				if err := s.Emit("own"); err != nil {
					t.Fatal(err)
				}
				if err := ns.Emit("all"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(back)
				c := w.dial()
				if again := c.connect(`{"pid":"` + id.Pid + `"}`); again != id {
					t.Fatalf("got %v, want %v", again, id)
				}
				c.want(`2["own",*`, `2["all",*`)
				synctest.Wait()
				if n := w.engine.Len(); n != 1 {
					t.Errorf("%d sessions", n)
				}
			})
		})
	}
}

package engineio

import (
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
)

// A page that is left may send its last words while an earlier POST is under way.
func TestAPostWaitsForTheOneBeforeIt(t *testing.T) {
	beside := func(test func(t *testing.T, st *site, query string, r *recorder, first net.Conn, second <-chan answer)) func(*testing.T) {
		return func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newPipeSite(t, settings3())
				query, r := st.open()
				conn, err := st.dial()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if _, err := fmt.Fprintf(conn, "POST /?%s HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n4fir", query); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				second := st.later("POST", query, "4second")
				synctest.Wait()
				if len(second) > 0 {
					t.Fatalf("at once: %+v", <-second)
				}
				test(t, st, query, r, conn, second)
			})
		}
	}
	t.Run("which ends", beside(func(t *testing.T, st *site, query string, r *recorder, first net.Conn, second <-chan answer) {
		go func() { _, _ = io.WriteString(first, "st!") }()
		if a := receive(t, second); a.status != 200 || a.body != "ok" {
			t.Fatalf("%+v", a)
		}
		for _, want := range []string{"first!", "second"} {
			if got := receive(t, r.got); got.data != want {
				t.Errorf("got %q, want %q", got.data, want)
			}
		}
		if a := st.do("POST", query, "4third"); a.status != 200 {
			t.Errorf("the next: %+v", a)
		}
	}))
	t.Run("which is given up", beside(func(t *testing.T, _ *site, _ string, r *recorder, first net.Conn, second <-chan answer) {
		_ = first.Close()
		if a := receive(t, second); a.status != 200 || a.body != "ok" {
			t.Fatalf("%+v", a)
		}
		if got := receive(t, r.got); got.data != "second" {
			t.Errorf("got %q", got.data)
		}
		if len(r.closed) > 0 {
			t.Error("closed at once")
		}
		r.wantClosed(t, reasonError)
	}))
	t.Run("which never ends", beside(func(t *testing.T, _ *site, _ string, r *recorder, _ net.Conn, second <-chan answer) {
		if a := receive(t, second); a.status != 400 {
			t.Fatalf("%+v", a)
		}
		r.wantClosed(t, reasonError)
	}))
}

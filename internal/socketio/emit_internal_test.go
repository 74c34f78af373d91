package socketio

import "testing"

// TestWhatWaitsGoesFirst: as long as a recovered socket has not been sent all that it
// has missed, nobody may send past that.
func TestWhatWaitsGoesFirst(t *testing.T) {
	s, session := new(Socket), new(scriptedSession)
	session.onSend = func() {
		if s.phase.Load() == phaseConnected {
			t.Error("others could send before this")
		}
	}
	s.conn = &conn{session: session}
	s.phase.Store(phaseOpening)
	m := payload{[]byte(`["e"]`), nil}.frame(kindEvent, "/", nil)
	s.held.missed = []message{m, m}
	if err := s.send(m, false); err != nil {
		t.Fatal(err)
	}
	if !s.begin() || session.sent.Load() != 3 || s.phase.Load() != phaseConnected {
		t.Fatalf("%d were sent", session.sent.Load())
	}
	if s.phase.Store(phaseClosed); s.begin() {
		t.Fatal("it has begun after its end")
	}
}

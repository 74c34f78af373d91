package signaling

import (
	"errors"
	"fmt"
	"time"
)

// Options are the settings of a [Service].
type Options struct {
	// RoomCapacity is the most peers of one room, away ones included.
	RoomCapacity int
	// DepartureGrace is how long an away peer keeps its place. Zero: not at all.
	DepartureGrace time.Duration
	// EmptyTimeout is how long a room outlives its last peer.
	EmptyTimeout time.Duration
	// PresenceAbove is the number of peers above which a room's presence comes
	// in batches, PresenceInterval the time from the first change to its batch.
	PresenceAbove    int
	PresenceInterval time.Duration
	// DuplicateUser says what becomes of a user's second peer in a room.
	DuplicateUser DuplicateUser
	// Host says who is host.
	Host HostRule
	// DirectMessages allows messages to users by their id.
	DirectMessages bool
	// MaxDescription bounds a description, MaxMessage all else that is relayed
	// or kept: data, candidates, state and a room's metadata. In bytes.
	MaxDescription int
	MaxMessage     int
	// ICE are servers without credentials or with lasting ones, TURN those with
	// credentials made for each peer.
	ICE  []ICEServer
	TURN []TURNServer
}

// DuplicateUser is what becomes of a user's second peer in a room.
type DuplicateUser string

// The zero value counts as DuplicateAllow.
const (
	DuplicateAllow   DuplicateUser = "allow"
	DuplicateReplace DuplicateUser = "replace"
	DuplicateReject  DuplicateUser = "reject"
)

// HostRule says who is host of a room.
type HostRule struct {
	Mode HostMode
	// Claim and Value are for HostClaim.
	Claim, Value string
}

// HostMode is a way to choose hosts.
type HostMode string

// The zero value counts as HostNone.
const (
	HostNone  HostMode = "none"
	HostFirst HostMode = "first"
	HostClaim HostMode = "claim"
)

// ICEServer is an entry of a browser's RTCConfiguration.iceServers.
type ICEServer struct {
	URLs                 []string
	Username, Credential string
}

// TURNServer is a TURN server that shares a secret with this server (coturn's
// use-auth-secret).
type TURNServer struct {
	URLs   []string
	Secret string
	// TTL is how long a credential is good for.
	TTL time.Duration
}

// DefaultOptions returns the options of a configuration that names none.
func DefaultOptions() Options {
	return Options{
		RoomCapacity:     16,
		DepartureGrace:   10 * time.Second,
		EmptyTimeout:     30 * time.Second,
		PresenceAbove:    50,
		PresenceInterval: 2 * time.Second,
		DuplicateUser:    DuplicateAllow,
		Host:             HostRule{Mode: HostNone},
		MaxDescription:   64_000,
		MaxMessage:       32_000,
	}
}

// Validate reports what cannot work.
func (o *Options) Validate() error {
	switch {
	case o.RoomCapacity < 1:
		return errors.New("the capacity of a room must be at least 1")
	case o.DepartureGrace < 0 || o.EmptyTimeout < 0:
		return errors.New("times must not be negative")
	case o.PresenceAbove < 1 || o.PresenceInterval < time.Millisecond:
		return errors.New("presence needs at least 1 peer and 1ms")
	case o.MaxDescription < 1 || o.MaxMessage < 1:
		return errors.New("sizes must be at least 1 byte")
	}
	switch o.DuplicateUser {
	case "", DuplicateAllow, DuplicateReplace, DuplicateReject:
	default:
		return fmt.Errorf("unknown treatment of duplicate users %q", o.DuplicateUser)
	}
	switch o.Host.Mode {
	case "", HostNone, HostFirst:
	case HostClaim:
		if o.Host.Claim == "" || o.Host.Value == "" {
			return errors.New("hosts by claim need its name and value")
		}
	default:
		return fmt.Errorf("unknown host rule %q", o.Host.Mode)
	}
	for _, t := range o.TURN {
		if t.Secret == "" || t.TTL < time.Second || len(t.URLs) == 0 {
			return errors.New("a TURN server needs addresses, a secret, and at least 1s of ttl")
		}
	}
	return nil
}

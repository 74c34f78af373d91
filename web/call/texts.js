/** What each code of the gateway means to the person in the call, and what to do about it. */
const CODES = {
  "invalid-payload": "The server did not understand the request. Check the room name: it may have 128 bytes at most.",
  "too-large": "That was too long to send. Try a shorter text.",
  "unknown-event": "This server does not offer that. It may be older than this page.",
  "not-in-room": "You are no longer in this room. Join again.",
  "peer-unavailable": "That person has just left or cannot be reached.",
  "room-full": "The room is full. Try again when somebody has left.",
  "room-locked": "The host has locked the room. Ask to be let in.",
  "too-many-rooms": "You are in too many rooms. Leave one of them first.",
  "duplicate-user": "You are in this room already, perhaps in another tab or on another device.",
  forbidden: "You are not allowed to do that.",
  conflict: "Somebody else changed this at the same time. Try again.",
  "lock-held": "Somebody else is doing this at the moment. Try again shortly.",
  unavailable: "The servers cannot reach each other at the moment. Try again shortly.",
  "rate-limited": "That was too fast. Wait a moment and try again.",
  unauthorized: "Please sign in to join.",
  "token-expired": "Your sign-in has expired. Please sign in again.",
  disconnected: "The server has ended your connection. You can join again.",
  refused: "The server does not let you in at the moment. Try again later.",
  internal: "Something went wrong on the server. Try again.",
  timeout: "The server did not answer. Check your connection and try again.",
  offline: "There is no connection to the server. Check your network and try again.",
};

/** Why somebody is no longer in a room. */
const REASONS = {
  left: "You have left the call.",
  kicked: "The host has removed you from the call.",
  replaced: "You joined from another tab or device, so this one has left the call.",
  closed: "The host has ended the call.",
  timeout: "The connection was lost for too long. Join again.",
};

/** Why the browser gives no camera, microphone or screen. */
const MEDIA = {
  NotAllowedError: "The browser may not use your camera and microphone. Allow it in the address bar, or join without.",
  NotFoundError: "No camera or microphone was found. You can join without.",
  NotReadableError: "Another program is using your camera or microphone. You can join without.",
  OverconstrainedError: "That device is gone. Choose another one.",
  InsecureContextError: "Browsers allow camera and microphone only over https. You can join without.",
};

const unknown = (what) => `Something unexpected happened (${what}). Try again.`;

/** A sentence for an error of signaling or of the browser's devices. */
export function explain(error) {
  return CODES[error.code] ?? MEDIA[error.name] ?? unknown(error.message);
}

/** A sentence for the end of a call: the reason of the `left` event, or the error that ended it. */
export function explainEnd({ reason, error }) {
  return REASONS[reason] ?? (error ? explain(error) : unknown(reason));
}

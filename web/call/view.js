/** The longest name that is shown, in characters. */
const NAME = 40;

/**
 * What is shown of a peer. Its `state` comes from a stranger's browser, so nothing in it is taken for granted;
 * and a name that the server vouches for (`user`) goes before one that a peer gave itself.
 *
 * @param {import("../signaling.js").PeerInfo} peer
 */
export function viewOf(peer) {
  const { name, audio, video, screen } = peer.state ?? {};
  return {
    name: text(peer.user?.name).slice(0, NAME) || text(name).slice(0, NAME) || "Guest",
    audio: audio === true,
    video: video === true,
    screen: text(screen),
    host: peer.role === "host",
    away: Boolean(peer.away),
  };
}

/** At most two letters that stand for a name. */
export function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  return words.slice(0, 2).map((word) => [...word][0].toUpperCase()).join("");
}

/** A colour of the circle for a peer, the same in every browser. */
export function hue(id) {
  return [...id].reduce((sum, character) => (sum * 31 + character.codePointAt(0)) % 360, 7);
}

function text(value) {
  return typeof value === "string" ? value.trim() : "";
}

// Caddyfiles for the tests.

/**
 * The socketio options for settings named as the reference server's are, so that
 * a suite can ask for the same server twice.
 */
export function options(settings = {}) {
  const ms = (v) => `${v}ms`;
  const line = {
    pingInterval: (v) => `ping_interval ${ms(v)}`,
    pingTimeout: (v) => `ping_timeout ${ms(v)}`,
    connectTimeout: (v) => `connect_timeout ${ms(v)}`,
    upgradeTimeout: (v) => `upgrade_timeout ${ms(v)}`,
    maxHttpBufferSize: (v) => `max_payload ${v}`,
    transports: (v) => `transports ${v.join(" ")}`,
    allowEIO3: (v) => (v ? "allow_eio3" : ""),
    cookie: (v) => `session_cookie ${v.name}`,
    recovery: (v) => `recovery ${ms(v)}`,
  };
  return Object.entries(settings).map(([name, value]) => line[name](value));
}

/** The namespaces of all suites. */
export const NAMESPACES = [
  "namespace / {\n gateway e2e\n}",
  "namespace /custom {\n gateway e2e\n}",
  "namespace /\\/dyn-[0-9]+/ {\n gateway e2e\n}",
  "namespace /webrtc {\n gateway webrtc\n}",
];

/** A socketio directive. */
export function directive({ settings, extra = [], namespaces = NAMESPACES } = {}) {
  return `socketio {\n${indent([...options(settings), ...extra, ...namespaces])}\n}`;
}

/**
 * A whole Caddyfile: the admin API on a unix socket, one site.
 *
 * @param {object} o
 * @param {number} o.port port of the site
 * @param {string} o.admin path of the admin API's socket
 * @param {string} [o.site] directives of the site
 * @param {string} [o.address] address of the site; default plain HTTP on every host name
 * @param {string[]} [o.globals] further global options
 * @param {(port: number) => string} [o.whole] the Caddyfile to use in place of a
 *   site: one of the documentation's, which gets the admin API's socket and no more
 */
export function caddyfile({ port, admin, site = directive(), address = `http://:${port}`, globals = [], whole }) {
  if (whole) return withAdmin(whole(port), admin);
  const global = [
    `admin unix/${admin}`,
    "persist_config off",
    "skip_install_trust",
    "auto_https disable_redirects",
    "log {\n level DEBUG\n}",
    ...globals,
  ];
  return `{\n${indent(global)}\n}\n\n${address} {\n${indent([site])}\n}\n`;
}

/** Adds the global options to those of a Caddyfile, or before its sites. */
function withAdmin(text, admin) {
  const options = `admin unix/${admin}\npersist_config off\n`;
  return /^\{$/m.test(text) ? text.replace(/^\{$/m, `{\n${options}`) : `{\n${options}}\n${text}`;
}

function indent(blocks) {
  return blocks.flatMap((block) => block.split("\n")).map((line) => `\t${line}`).join("\n");
}

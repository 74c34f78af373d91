/** How many lines the log keeps: an afternoon of pings must not grow the page. */
const KEPT = 200;

/**
 * Adds a line to the log. It is written as text, never as HTML, since what
 * arrives from a socket comes from strangers.
 *
 * @param {HTMLElement} list inside an element with `role="log"`
 * @param {"in"|"out"|"connect"|"disconnect"|"error"} kind what the line tells of
 * @param {string} text
 */
export function addLine(list, kind, text) {
  const line = document.createElement("li");
  line.dataset.kind = kind;
  const time = document.createElement("time");
  const now = new Date();
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString();
  const words = document.createElement("span");
  words.textContent = text;
  line.append(time, words);

  // Follow the newest line, unless the reader has scrolled up to an older one.
  const following = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(line);
  while (list.childElementCount > KEPT) list.firstElementChild.remove();
  if (following) list.scrollTop = list.scrollHeight;
}

/**
 * Shows the arguments of an event as one line.
 *
 * @param {unknown[]} args
 * @returns {string}
 */
export function describe(args) {
  return args
    .map((arg) => {
      if (arg instanceof ArrayBuffer) return `${arg.byteLength} bytes`;
      return typeof arg === "string" ? arg : JSON.stringify(arg);
    })
    .join(", ");
}

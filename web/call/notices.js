/** How long a notice stays, in ms: long enough to read two lines twice. */
const SHOWN = 6_000;

const byId = (id) => document.getElementById(id);

/** Shows a short notice, which screen readers read out as well. */
export function notify(text) {
  const notice = document.createElement("p");
  notice.textContent = text;
  byId("toasts").append(notice);
  setTimeout(() => notice.remove(), SHOWN);
}

/** Takes back all notices, since what they tell of is over. */
export function clearNotices() {
  byId("toasts").replaceChildren();
}

/** Shows a state that lasts, such as a lost connection; an empty text ends it. */
export function setBanner(text) {
  byId("banner").textContent = text;
  byId("banner").hidden = !text;
}

/** Shows in the lobby why the call has ended or cannot begin; an empty text removes it. */
export function setProblem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

/**
 * Asks before something that cannot be undone.
 *
 * @param {string} text the question
 * @param {string} yes what the button that does it says
 * @returns {Promise<boolean>}
 */
export function confirm(text, yes) {
  const dialog = byId("confirm");
  byId("confirm-text").textContent = text;
  byId("confirm-yes").textContent = yes;
  dialog.returnValue = "no"; // what Escape leaves
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      if (dialog.open) return; // that of the question before, which comes late
      resolve(dialog.returnValue === "yes");
    };
  });
}

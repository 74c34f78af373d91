const byId = (id) => document.getElementById(id);
/** Alt and a letter: single letters would collide with those of screen readers. */
const SHORTCUTS = { KeyM: "mic", KeyV: "cam", KeyC: "chat-open", KeyP: "people-open" };

/**
 * Binds the buttons of the toolbar to the own media.
 *
 * @param {import("./media.js").LocalMedia} media
 * @param {(step: () => Promise<void>|void) => void} attempt runs a step and tells of its failure
 */
export function bindControls(media, attempt) {
  byId("mic").addEventListener("click", () => attempt(() => media.setAudio(!media.audio)));
  byId("cam").addEventListener("click", () => attempt(() => media.setVideo(!media.video)));
  byId("screen").addEventListener("click", () =>
    attempt(() => (media.screen ? media.stopScreen() : media.shareScreen())),
  );
  // Phones cannot share their screen from a page.
  byId("screen").hidden = !navigator.mediaDevices?.getDisplayMedia;

  const show = () => {
    byId("mic").setAttribute("aria-pressed", media.audio);
    byId("cam").setAttribute("aria-pressed", media.video);
    byId("screen").setAttribute("aria-pressed", Boolean(media.screen));
  };
  media.addEventListener("change", show);
  show();

  document.addEventListener("keydown", (event) => {
    const id = event.altKey && !event.ctrlKey && !event.metaKey && SHORTCUTS[event.code];
    if (!id || byId("call").hidden) return;
    event.preventDefault();
    byId(id).click();
  });
  moveByArrows(document.querySelector(".toolbar"));
}

/** In a toolbar one button takes part in the Tab order, and the arrow keys move between them. */
function moveByArrows(toolbar) {
  const steps = { ArrowRight: 1, ArrowLeft: -1 };
  const buttons = () => [...toolbar.querySelectorAll("button:not([hidden])")];
  const only = (chosen) => buttons().forEach((button) => (button.tabIndex = button === chosen ? 0 : -1));
  toolbar.addEventListener("focusin", ({ target }) => only(target.closest("button")));
  toolbar.addEventListener("keydown", (event) => {
    const all = buttons();
    const at = all.indexOf(document.activeElement);
    const next = event.key === "Home" ? 0 : event.key === "End" ? all.length - 1 : at + (steps[event.key] ?? 0);
    if (at < 0 || next === at) return;
    event.preventDefault();
    all.at(next % all.length).focus();
  });
  only(buttons()[0]);
}

// @ts-check
/* Keys that are pressed before the page's modules listen; they ask for them once they do. The only script that a page
   waits for, because modules run after everything else is there. */
(() => {
  /** @type {KeyboardEvent[]} */
  const keys = [];
  /** @param {KeyboardEvent} event */
  const keep = (event) => {
    // what has the focus takes its own keys: a field its letters, a button Enter
    const free = !(/** @type {HTMLElement} */ (event.target).closest?.("input, textarea, select, button, a, summary"));
    if (free && !event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat) keys.push(event);
  };
  document.addEventListener("keydown", keep);
  /** @type {any} */ (window).keptKeys = () => {
    document.removeEventListener("keydown", keep);
    return keys.splice(0);
  };
})();

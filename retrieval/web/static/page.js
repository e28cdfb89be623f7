// @ts-check
/** What every page has: how far comparing is, toasts, and the token for whatever changes something. */

const state = document.getElementById("state");
const token = document.querySelector('meta[name="csrf"]')?.getAttribute("content") ?? "";
let since = Date.now() / 1000;

/**
 * Say something that goes away by itself, unless it is a failure.
 * @param {string} text
 * @param {"" | "bad" | "wait"} [kind]
 */
export function toast(text, kind = "") {
  const box = document.createElement("div");
  box.className = `toast ${kind}`;
  box.textContent = text;
  if (kind === "bad") box.setAttribute("role", "alert");
  const toasts = document.getElementById("toasts");
  if (!toasts) return;
  while (toasts.children.length > 2) toasts.firstElementChild?.remove();
  toasts.append(box);
  setTimeout(() => box.remove(), kind === "bad" ? 15000 : 5000);
}

/**
 * Ask the server to change something. Rejects with the server's sentence.
 * @param {string} path
 * @param {Record<string, unknown>} fields
 * @returns {Promise<any>}
 */
export async function post(path, fields) {
  const answered = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json", "x-csrf": token },
    body: JSON.stringify(fields),
    keepalive: true,
  });
  const read = await answered.json().catch(() => ({ error: answered.statusText }));
  if (!answered.ok) throw Object.assign(new Error(read.error ?? answered.statusText), { status: answered.status });
  return read;
}

/**
 * Take keys over: those that were pressed while the page loaded first, then whatever comes; and tell that it listens.
 * @param {(event: KeyboardEvent) => void} handle
 */
export function listen(handle) {
  document.addEventListener("keydown", handle);
  const kept = /** @type {any} */ (window).keptKeys;
  for (const event of kept ? kept() : []) handle(event);
  document.documentElement.dataset.ready = "yes";
}

/** @param {string} words @param {Record<string, unknown>} values */
export function filled(words, values) {
  return words.replace(/%\((\w+)\)[sd]/g, (_, name) => String(values[name] ?? ""));
}

async function look() {
  if (!state) return;
  try {
    const now = await (await fetch(`/state?since=${since}`, { headers: { accept: "application/json" } })).json();
    if (now.waiting) state.textContent = filled(state.dataset.busy ?? "", { n: now.waiting });
    else if (now.loading) state.textContent = state.dataset.loading ?? "";
    else if (!now.complete) state.textContent = filled(state.dataset.comparing ?? "", now);
    else if (state.textContent && !state.dataset.kept) state.textContent = "";
    for (const one of now.news) {
      since = Math.max(since, one.at);
      if (one.refused) toast(one.refused, "bad");
    }
    document.dispatchEvent(new CustomEvent("state", { detail: now }));
    setTimeout(look, now.complete && !now.waiting ? 5000 : 1500);
  } catch {
    setTimeout(look, 5000);
  }
}

setTimeout(look, 1200);

const again = /** @type {HTMLElement | null} */ (document.querySelector("[data-reload]"));
if (again) setTimeout(() => location.reload(), 1000 * Number(again.dataset.reload));

for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll("form[data-timed]"))) {
  const begun = performance.now();
  form.addEventListener("submit", () => {
    const seconds = /** @type {HTMLInputElement} */ (form.elements.namedItem("seconds"));
    seconds.value = ((performance.now() - begun) / 1000).toFixed(1);
  });
}

for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll("form[data-live]"))) {
  let waiting = 0;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const query = new URLSearchParams(/** @type {any} */ (new FormData(form)));
      const text = await (await fetch(`${form.action}?${query}`)).text();
      const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("results");
      if (fresh) document.getElementById("results")?.replaceWith(fresh);
    }, 200);
  });
}

// the grid of an import: fill a value down, paste columns from a spreadsheet, count what is ticked
const sheet = /** @type {HTMLFormElement | null} */ (document.querySelector("form.sheet"));
if (sheet) {
  /** @param {string} name */
  const column = (name) => [...sheet.querySelectorAll(`[name="${name}"]`)].map((one) => /** @type {HTMLInputElement} */ (one));
  const names = ["turtle", "side", "day", "encounter", "site"];
  sheet.addEventListener("keydown", (event) => {
    const at = /** @type {HTMLInputElement} */ (event.target);
    if (!(event.ctrlKey && event.key.toLowerCase() === "d") || !names.includes(at.name)) return;
    event.preventDefault();
    const cells = column(at.name);
    for (const cell of cells.slice(cells.indexOf(at) + 1)) cell.value = at.value;
  });
  sheet.addEventListener("paste", (event) => {
    const at = /** @type {HTMLInputElement} */ (event.target);
    const text = event.clipboardData?.getData("text") ?? "";
    if (!names.includes(at.name) || !/[\t\n]/.test(text.trim())) return;
    event.preventDefault();
    const first = column(at.name).indexOf(at);
    text.trimEnd().split(/\r?\n/).forEach((line, down) =>
      line.split("\t").forEach((value, across) => {
        const name = names[names.indexOf(at.name) + across];
        const cell = name ? column(name)[first + down] : undefined;
        if (cell) cell.value = value.trim();
      }),
    );
  });
  const button = sheet.querySelector('button[value="import"]');
  sheet.addEventListener("change", () => {
    const ticks = column("take");
    const count = ticks.filter((one) => one.checked).length;
    if (button?.firstChild) button.firstChild.textContent = (button.textContent ?? "").replace(/\d+/, String(count));
  });
}

// files dropped anywhere on the import card
const drop = /** @type {HTMLFormElement | null} */ (document.querySelector("form.drop"));
if (drop) {
  drop.addEventListener("dragover", (event) => event.preventDefault());
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    const input = /** @type {HTMLInputElement} */ (drop.querySelector('input[type="file"]'));
    if (event.dataTransfer?.files.length) {
      input.files = event.dataTransfer.files;
      drop.requestSubmit();
    }
  });
}

// the box around a head: dragged on the frame or typed, both show the same
const frame = /** @type {HTMLElement | null} */ (document.querySelector("form.head-box .frame"));
if (frame) {
  const drawn = /** @type {HTMLElement} */ (frame.querySelector(".drawn"));
  const fields = ["x", "y", "w", "h"].map((name) => /** @type {HTMLInputElement | null} */ (document.querySelector(`form.head-box [name="${name}"]`)));
  const [width, height] = [Number(frame.dataset.width), Number(frame.dataset.height)];
  const show = () => {
    const [x, y, w, h] = fields.map((one) => Number(one?.value || NaN));
    drawn.hidden = !(w > 0 && h > 0);
    Object.assign(drawn.style, { left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%`, width: `${(100 * w) / width}%`, height: `${(100 * h) / height}%` });
  };
  /** @param {PointerEvent} event */
  const at = (event) => {
    const area = frame.getBoundingClientRect();
    const inside = (/** @type {number} */ value) => Math.min(1, Math.max(0, value));
    return [inside((event.clientX - area.left) / area.width) * width, inside((event.clientY - area.top) / area.height) * height];
  };
  /** @type {number[] | null} */
  let begun = null;
  frame.addEventListener("pointerdown", (event) => {
    if (!fields[0]) return;
    begun = at(event);
    frame.setPointerCapture(event.pointerId);
  });
  frame.addEventListener("pointermove", (event) => {
    if (!begun) return;
    const [x, y] = at(event);
    const box = [Math.min(x, begun[0]), Math.min(y, begun[1]), Math.abs(x - begun[0]), Math.abs(y - begun[1])];
    fields.forEach((one, number) => one && (one.value = String(Math.round(box[number]))));
    show();
  });
  frame.addEventListener("pointerup", () => (begun = null));
  frame.addEventListener("pointercancel", () => (begun = null));
  for (const one of fields) one?.addEventListener("input", show);
  show();
}

// Enter confirms a page of known ones wherever the focus is
if (!document.body.classList.contains("page-compare")) {
  const confirm = /** @type {HTMLButtonElement | null} */ (document.querySelector("button[data-enter]"));
  listen((event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const free = !event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat && !event.defaultPrevented;
    if (!confirm || event.key !== "Enter" || !free || target.closest?.("input:not([type=checkbox]), textarea, select, button, a, summary")) return;
    event.preventDefault();
    confirm.click();
  });
}

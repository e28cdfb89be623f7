// @ts-check
/**
 * The pair on the screen: two photos whose zoom is linked by the map that their matches speak for, keys, and answers.
 *
 * Positions are pixels of the working images; the layers that hold the photos are scaled to the panes.
 */
import { filled, listen, post, toast } from "./page.js";

/** @typedef {{number: number, side: string | null, day: string | null, site: string | null, file: string, path: string}} Photo */
/** @typedef {{turtle: string, encounter: number | null, query: number, photo: number, photos: Photo[], rejected: boolean}} Candidate */
/** @typedef {{key: number, encounters: number[], photos: Photo[], lead: number, verdict: string, newId: string, candidates: Candidate[], next: number[], previous: number | null, planted: boolean, order: string}} Item */
/** @typedef {{query: number, other: number, sizes: number[][], affine: number[], mapped: boolean, dots: number[][], numbered: number[]}} Pair */

const COLOURS = ["#ffd23f", "#56b4e9", "#ff8c42", "#7bd389", "#f49ac2", "#ffffff", "#c3a6ff", "#e6e675", "#7fe0e0", "#ff6f61"];
const MOST_ZOOM = 24;
const store = window.sessionStorage;
/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");
const here = store.getItem("window") ?? random();
store.setItem("window", here);
const keysOn = document.documentElement.dataset.keys !== "off";

/** @type {Map<number, string>} pages of groups that come next */
const fetched = new Map();
/** groups that were answered in this window: pages that were fetched before may still name them */
const settled = new Set();
/** what was asked for while the next group was on its way; null while a group is there to be answered
 * @type {(() => void)[] | null} */
let postponed = null;
/** the last answer on its way */
let sending = Promise.resolve();
/** @type {Item} */
let item;
/** @type {Record<string, string>} */
let words;
let chosen = 0;
let ours = 0;
let theirs = 0;
/** @type {Pair | null} */
let pair = null;
let begun = performance.now();
let dots = "numbered";
let linked = true;
const shown = { heat: false, flip: false, contrast: false };
/** where the panes look: the middle in working pixels, and how many times larger than fitted */
let views = [{ x: 0, y: 0, zoom: 1 }, { x: 0, y: 0, zoom: 1 }];

/** @param {string} path */
const addressed = (path) => `${path}${path.includes("?") ? "&" : "?"}window=${here}${item && item.order !== "worth" ? `&order=${item.order}` : ""}`;
const panes = () => ["ours", "theirs"].map((id) => /** @type {HTMLElement} */ (document.querySelector(`#${id} .view`)));
const candidate = () => item.candidates[chosen];
/** @param {number} number @param {string} size */
const picture = (number, size) => `/photo/${number}/${size}.jpg`;

function begin() {
  item = JSON.parse(byId("item").textContent ?? "{}");
  words = JSON.parse(byId("words").textContent ?? "{}");
  item.next = item.next.filter((key) => !settled.has(key));
  document.body.dataset.next = String(item.next.length);
  chosen = 0;
  ours = item.candidates[0]?.query ?? item.lead;
  theirs = item.candidates[0]?.photo ?? 0;
  begun = performance.now();
  document.body.dataset.group = String(item.key);
  byId("content").addEventListener("click", clicked);
  for (const [number, pane] of panes().entries()) watch(pane, number);
  choose(0);
  if (item.key > 0 && document.querySelector(".answers")) {
    post("/lease", { group: item.key, window: here }).then((lease) => {
      const banner = byId("leased");
      banner.hidden = lease.mine;
      banner.textContent = filled(banner.dataset.words ?? "", lease);
    }, () => {});
  }
  setTimeout(prefetch, 60);
}

async function prefetch() {
  const wished = item.next.slice(0, 2);
  for (const key of [...fetched.keys()]) if (!wished.includes(key)) fetched.delete(key);
  for (const key of wished) {
    if (fetched.has(key)) continue;
    const answered = await fetch(addressed(`/compare/${key}`));
    if (!answered.ok) continue;
    const text = await answered.text();
    fetched.set(key, text);
    const page = new DOMParser().parseFromString(text, "text/html");
    const next = JSON.parse(page.getElementById("item")?.textContent ?? "{}");
    const first = next.candidates?.[0];
    for (const number of [first?.query ?? next.lead, first?.photo]) if (number) new Image().src = picture(number, "large");
    // so that the server has it ready; an answer that nobody reads stays open
    if (first) fetch(`/pair?query=${first.query}&other=${first.photo}`).then((told) => told.text()).catch(() => {});
  }
}

/**
 * On to a group; where it is gone, to what the server has instead, unless this is only a try.
 * @param {number | null | undefined} key @param {boolean} [trying]
 */
async function go(key, trying = false) {
  postponed ??= [];
  if (!(await bring(key, trying))) return; // the browser leaves this page: nothing is here to be answered
  const waiting = postponed ?? [];
  postponed = null;
  for (const wish of waiting) inTurn(wish);
}

/** The page of a group; nothing where it is gone. @param {number} key */
async function pageOf(key) {
  const kept = fetched.get(key);
  fetched.delete(key);
  if (kept) return kept;
  const answered = await fetch(addressed(`/compare/${key}`)).catch(() => null);
  return answered?.ok ? answered.text() : "";
}

/** @param {number | null | undefined} key @param {boolean} trying */
async function bring(key, trying) {
  if (key === null || key === undefined) {
    location.assign("/queue");
    return false;
  }
  const others = item.next.filter((one) => one !== key && !settled.has(one));
  let text = await pageOf(key);
  if (!text && trying) return true;
  while (!text && others.length) text = await pageOf(/** @type {number} */ (others.shift())); // answered or joined meanwhile
  if (!text) {
    location.assign("/queue");
    return false;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  const fresh = page.getElementById("content");
  if (!fresh || !page.getElementById("item")) {
    location.assign("/queue");
    return false;
  }
  byId("content").replaceWith(document.adoptNode(fresh));
  begin();
  history.replaceState(null, "", addressed(`/compare/${item.key}`).replace(/([?&])window=[^&]*/, "").replace(/[?&]$/, ""));
  byId("content").focus({ preventScroll: true });
  return true;
}

/** @param {number} index */
function choose(index) {
  if (item.candidates.length) {
    chosen = Math.max(0, Math.min(index, item.candidates.length - 1));
    ours = candidate().query;
    theirs = candidate().photo;
    const strip = byId("their-photos");
    strip.replaceChildren(...candidate().photos.map((one) => thumb(one, true)));
    for (const one of document.querySelectorAll("[data-candidate]")) one.setAttribute("aria-pressed", String(Number(one.getAttribute("data-candidate")) === chosen + 1));
    const label = document.getElementById("same-label");
    if (label) label.textContent = filled(label.dataset.words ?? "", { turtle: candidate().turtle });
  }
  look();
}

/** @param {Photo} one @param {boolean} dated */
function thumb(one, dated) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "thumb";
  made.dataset.photo = String(one.number);
  const image = document.createElement("img");
  image.src = picture(one.number, "thumb");
  image.alt = `${one.side ?? ""} ${one.day ?? ""}`;
  const small = document.createElement("small");
  small.textContent = `${one.side ?? "?"} ${dated ? one.day ?? "" : ""}`;
  made.append(image, small);
  return made;
}

/** Show the chosen two photos. */
async function look() {
  pair = null;
  views = [{ x: 0, y: 0, zoom: 1 }, { x: 0, y: 0, zoom: 1 }];
  /** @type {[string, number, Photo[]][]} */
  const both = [["ours", ours, item.photos], ["theirs", theirs, candidate()?.photos ?? []]];
  for (const [id, number, photos] of both) {
    const photo = photos.find((one) => one.number === number);
    const image = /** @type {HTMLImageElement | null} */ (document.querySelector(`#${id} .base`));
    if (!photo || !image) continue;
    if (!image.src.includes(`/photo/${number}/`)) image.src = picture(number, "large");
    image.onload = () => place();
    label(id, image, photo);
    const caption = document.querySelector(`#${id} .caption`);
    if (caption) caption.textContent = [photo.side ?? "?", photo.day, photo.site, photo.file].filter(Boolean).join(" · ");
    const name = document.querySelector(`#${id} figcaption b`);
    if (name && id === "theirs") name.textContent = candidate().turtle;
    const strip = byId(id === "ours" ? "our-photos" : "their-photos");
    for (const one of strip.querySelectorAll("[data-photo]")) one.setAttribute("aria-pressed", String(Number(one.getAttribute("data-photo")) === number));
  }
  place();
  if (!candidate()) return;
  const wanted = `${ours},${theirs}`;
  const answered = await fetch(`/pair?query=${ours}&other=${theirs}`).catch(() => null);
  const read = answered && answered.ok ? await answered.json() : null;
  if (wanted !== `${ours},${theirs}`) return;
  if (!read || read.waiting) {
    if (!answered || answered.status === 503) setTimeout(() => wanted === `${ours},${theirs}` && look(), 1500);
    return;
  }
  pair = read;
  byId("map-note").textContent = read.mapped ? "" : words.no_map;
  draw();
  crops();
  place();
  document.body.dataset.compared = wanted;
}

/**
 * Say where what is shown is not the original.
 * @param {string} id @param {HTMLImageElement} image @param {Photo} photo
 */
async function label(id, image, photo) {
  const view = /** @type {HTMLElement} */ (image.closest(".view"));
  view.classList.remove("missing");
  const answered = await fetch(picture(photo.number, "large"), { method: "HEAD" }).catch(() => null);
  if (answered?.headers.get("x-original") !== "missing" || photo.number !== (id === "ours" ? ours : theirs)) return;
  await image.decode().catch(() => {});
  view.dataset.missing = filled(words.missing, { size: Math.max(image.naturalWidth, image.naturalHeight), path: photo.path });
  view.classList.add("missing");
}

/** @param {number} number the size of a photo's working image, or of what the browser has of it */
function size(number) {
  if (pair) return pair.sizes[number];
  const image = /** @type {HTMLImageElement | null} */ (panes()[number]?.querySelector(".base"));
  const [width, height] = image?.naturalWidth ? [image.naturalWidth, image.naturalHeight] : [320, 256];
  const factor = 320 / Math.max(width, height);
  return [width * factor, height * factor];
}

/** @param {number} number how many screen pixels a working pixel takes where the photo just fits */
function fitted(number) {
  const pane = panes()[number];
  const [width, height] = size(number);
  return Math.min(pane.clientWidth / width, pane.clientHeight / height);
}

/** @param {number[]} m @param {number} x @param {number} y */
const mapped = (m, x, y) => [m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]];
/** @param {number[]} m */
function inverse(m) {
  const det = m[0] * m[3] - m[1] * m[2];
  const [a, b, c, d] = [m[3] / det, -m[1] / det, -m[2] / det, m[0] / det];
  return [a, b, c, d, -(a * m[4] + c * m[5]), -(b * m[4] + d * m[5])];
}

/** Where each pane looks now: scale and middle. Linked, the second follows the first by the map, once zoomed in. */
function looking() {
  const found = [0, 1].map((number) => {
    const [width, height] = size(number);
    const view = views[number];
    return { scale: fitted(number) * view.zoom, x: width / 2 + view.x, y: height / 2 + view.y };
  });
  if (linked && pair) {
    const weight = Math.min(1, (views[0].zoom - 1) / 0.5);
    const [x, y] = mapped(pair.affine, found[0].x, found[0].y);
    const [a, b, c, d] = pair.affine;
    const scale = found[0].scale / Math.sqrt(Math.abs(a * d - b * c));
    found[1] = {
      scale: fitted(1) ** (1 - weight) * scale ** weight,
      x: (1 - weight) * (size(1)[0] / 2) + weight * x,
      y: (1 - weight) * (size(1)[1] / 2) + weight * y,
    };
  }
  return found;
}

/** Put both layers where they belong. */
function place() {
  const found = looking();
  for (const [number, pane] of panes().entries()) {
    const layer = /** @type {HTMLElement | null} */ (pane?.querySelector(".layer"));
    if (!layer) continue;
    const { scale, x, y } = found[number];
    const [width, height] = size(number);
    layer.style.transform = `translate(${pane.clientWidth / 2 - scale * x}px, ${pane.clientHeight / 2 - scale * y}px) scale(${scale})`;
    const image = /** @type {HTMLImageElement} */ (layer.querySelector(".base"));
    image.style.width = `${width}px`;
    image.style.height = `${height}px`;
    if (scale * width > 1800 && !image.src.includes("/full.jpg")) sharpen(image, number === 0 ? ours : theirs);
    for (const mark of layer.querySelectorAll("[data-at]")) mark.setAttribute("transform", `translate(${mark.getAttribute("data-at")}) scale(${1 / scale})`);
    for (const [name, on] of Object.entries(shown)) pane.classList.toggle(name, on);
  }
  const ghost = /** @type {HTMLImageElement | null} */ (document.querySelector(".ghost"));
  if (ghost) {
    ghost.hidden = !(shown.flip && pair);
    if (shown.flip && pair) {
      if (!ghost.src.includes(`/photo/${theirs}/`)) ghost.src = picture(theirs, "large");
      ghost.style.width = `${pair.sizes[1][0]}px`;
      ghost.style.height = `${pair.sizes[1][1]}px`;
      ghost.style.transform = `matrix(${inverse(pair.affine).join(",")})`;
    }
  }
}

/** @param {HTMLImageElement} image @param {number} number */
function sharpen(image, number) {
  const full = new Image();
  full.onload = () => {
    if (image.src.includes(`/photo/${number}/`)) image.src = full.src;
  };
  full.src = picture(number, "full");
}

const SVG = "http://www.w3.org/2000/svg";
/** @param {string} name @param {Record<string, string | number>} attributes @param {string} [text] */
function svg(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text) made.textContent = text;
  return made;
}

/** Draw the matches: rings beside which the number stands, so that the pattern stays free. */
function draw() {
  const note = document.getElementById("second-note");
  if (note) note.hidden = dots === "off" || !pair?.dots.some((dot) => dot[5]);
  for (const [number, pane] of panes().entries()) {
    const layer = pane?.querySelector("svg");
    if (!layer || !pair) continue;
    layer.replaceChildren();
    const at = (/** @type {number[]} */ dot) => `${dot[2 * number]} ${dot[2 * number + 1]}`;
    if (shown.heat) {
      for (const dot of pair.dots) {
        const glow = svg("g", { "data-at": at(dot), class: "glow" });
        glow.append(svg("circle", { r: 26, fill: "#ffb000", opacity: 0.1 + 0.25 * dot[4] }));
        layer.append(glow);
      }
    }
    if (dots === "off") continue;
    const rows = dots === "all" ? pair.dots.map((_, row) => row) : pair.numbered;
    for (const row of [...rows].reverse()) {
      const place = pair.numbered.indexOf(row);
      const colour = place < 0 ? "#cfe8ff" : COLOURS[place % COLOURS.length];
      const mark = svg("g", { "data-at": at(pair.dots[row]), class: pair.dots[row][5] ? "second" : "first" });
      const r = place < 0 ? 4 : 9;
      mark.append(svg("circle", { r, class: "ring-under" }), svg("circle", { r, class: "ring", stroke: colour }));
      if (place >= 0) mark.append(svg("text", { x: 11, y: -8, class: "tag" }, String(place + 1)));
      layer.append(mark);
    }
  }
}

/** The six strongest matches cut out of both photos, the second turned and scaled as the first. */
function crops() {
  const box = byId("crops");
  if (!pair) return;
  const back = inverse(pair.affine);
  const across = 0.17 * pair.sizes[0][1];
  const best = pair.numbered.slice(0, 6);
  const made = best.map((row, place) => {
    const [x, y, u, v] = /** @type {Pair} */ (pair).dots[row];
    const crop = document.createElement("button");
    crop.type = "button";
    crop.className = "crop";
    crop.style.borderColor = COLOURS[place];
    crop.dataset.at = `${x},${y}`;
    crop.setAttribute("aria-label", `${place + 1}`);
    for (const number of [0, 1]) {
      const cut = document.createElement("div");
      cut.className = "cut";
      const image = document.createElement("img");
      image.alt = "";
      image.src = picture(number === 0 ? ours : theirs, "large");
      const [width, height] = /** @type {Pair} */ (pair).sizes[number];
      image.style.width = `${width}px`;
      image.style.height = `${height}px`;
      image.dataset.cut = JSON.stringify(number === 0 ? [1, 0, 0, 1, x, y] : [back[0], back[1], back[2], back[3], u, v]);
      cut.append(image);
      crop.append(cut);
    }
    const name = document.createElement("b");
    name.textContent = String(place + 1);
    crop.append(name);
    return crop;
  });
  box.replaceChildren(...made);
  for (const image of /** @type {NodeListOf<HTMLImageElement>} */ (box.querySelectorAll("img"))) {
    const half = (image.parentElement?.clientWidth ?? 50) / 2;
    const [a, b, c, d, x, y] = JSON.parse(image.dataset.cut ?? "[]");
    image.style.transform = `translate(${half}px, ${half}px) scale(${(2 * half) / across}) matrix(${a},${b},${c},${d},0,0) translate(${-x}px, ${-y}px)`;
  }
}

/**
 * Zoom about a point of a pane, or move; where linked, both panes follow.
 * @param {number} number @param {number} factor @param {number} dx @param {number} dy screen pixels @param {number[]} [about]
 */
function move(number, factor, dx, dy, about) {
  const found = looking();
  const pane = panes()[number];
  const at = about ?? [pane.clientWidth / 2, pane.clientHeight / 2];
  let { scale, x, y } = found[number];
  const point = [x + (at[0] - pane.clientWidth / 2) / scale, y + (at[1] - pane.clientHeight / 2) / scale];
  const zoomed = scale * factor;
  x = point[0] - (at[0] - pane.clientWidth / 2) / zoomed - dx / zoomed;
  y = point[1] - (at[1] - pane.clientHeight / 2) / zoomed - dy / zoomed;
  let target = number;
  let [nx, ny, ns] = [x, y, zoomed];
  if (linked && pair && number === 1) {
    const [a, b, c, d] = pair.affine;
    [nx, ny] = mapped(inverse(pair.affine), x, y);
    ns = views[0].zoom * factor * fitted(0);
    if (views[0].zoom * factor <= 1 && factor < 1) [nx, ny] = [size(0)[0] / 2, size(0)[1] / 2];
    void [a, b, c, d];
    target = 0;
  }
  const zoom = Math.max(1, Math.min(MOST_ZOOM, ns / fitted(target)));
  const [width, height] = size(target);
  views[target] = zoom === 1 ? { x: 0, y: 0, zoom } : {
    x: Math.max(-width / 2, Math.min(width / 2, nx - width / 2)),
    y: Math.max(-height / 2, Math.min(height / 2, ny - height / 2)),
    zoom,
  };
  if (linked && !pair && target === 0) views[1] = { ...views[0] };
  place();
}

/** @param {HTMLElement | null} pane @param {number} number */
function watch(pane, number) {
  if (!pane) return;
  /** @type {Map<number, number[]>} */
  const held = new Map();
  pane.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = pane.getBoundingClientRect();
    move(number, Math.exp(-event.deltaY / 400), 0, 0, [event.clientX - box.left, event.clientY - box.top]);
  }, { passive: false });
  pane.addEventListener("pointerdown", (event) => {
    held.set(event.pointerId, [event.clientX, event.clientY]);
    pane.setPointerCapture(event.pointerId);
  });
  pane.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    const other = [...held.entries()].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const factor = Math.hypot(now[0] - other[0], now[1] - other[1]) / Math.max(1, Math.hypot(before[0] - other[0], before[1] - other[1]));
      const box = pane.getBoundingClientRect();
      move(number, factor, 0, 0, [(now[0] + other[0]) / 2 - box.left, (now[1] + other[1]) / 2 - box.top]);
    } else move(number, 1, now[0] - before[0], now[1] - before[1]);
    held.set(event.pointerId, now);
  });
  for (const end of ["pointerup", "pointercancel"]) pane.addEventListener(end, (event) => held.delete(/** @type {PointerEvent} */ (event).pointerId));
  pane.addEventListener("dblclick", () => act("fit"));
}

/** what Z takes back, by its event or, where it waited to be written, by the answer's key
 * @returns {{event?: number, key?: string, group: number}[]} */
const done = () => JSON.parse(store.getItem("done") ?? "[]");
/** @param {unknown[]} list @param {string} [name] */
const keep = (list, name = "done") => store.setItem(name, JSON.stringify(list.slice(-200)));

/** @param {"same" | "new" | "unsure" | "not"} said */
async function answer(said) {
  const at = candidate();
  if ((said === "same" || said === "not") && !at) {
    toast(words.no_candidate, "bad");
    return;
  }
  const answered = item;
  const why = /** @type {HTMLTextAreaElement | null} */ (document.getElementById("why"))?.value ?? "";
  const fields = {
    key: random(), group: item.key, said, why,
    encounters: item.encounters, photos: item.photos.map((one) => one.number),
    turtle: said === "same" || said === "not" ? at.turtle : null,
    other: said === "same" ? at.encounter : null,
    seen: at ? at.photos.map((one) => one.number) : [],
    seconds: (performance.now() - begun) / 1000,
  };
  let going = Promise.resolve();
  const what = filled(words[said], { turtle: at?.turtle, id: item.newId });
  if (said === "not") {
    at.rejected = true;
    document.querySelector(`[data-candidate="${chosen + 1}"]`)?.classList.add("ruled-out");
    const rest = item.candidates.findIndex((one, index) => index > chosen && !one.rejected);
    if (rest >= 0) choose(rest);
  } else {
    settled.add(answered.key);
    if (!answered.next.length) postponed = []; // the page is left in a moment
    else going = go(answered.next[0]);
  }
  try {
    const told = await post("/answer", fields);
    if (told.planted && told.right === null) toast(what);
    else if (told.planted) toast(filled(told.right ? words.check_right : words.check_wrong, { turtle: told.turtle, right: told.rights, all: told.all }), told.right ? "" : "wait");
    else if (told.waits) {
      keep([...done(), { key: fields.key, group: answered.key }]);
      keep([], "undone");
      toast(words.waits, "wait");
    }
    else {
      keep([...done(), { event: told.event, group: answered.key }]);
      keep([], "undone");
      fetched.clear(); // what comes next may have changed: a new turtle is among its candidates now
      prefetch();
      const fresh = document.querySelector('[data-do="new"] span');
      if (fresh && told.newId) {
        fresh.textContent = (fresh.textContent ?? "").replace(item.newId, told.newId);
        item.newId = told.newId;
      }
      toast(filled(words.saved, { what: said === "new" && told.turtle ? filled(words.new, { id: told.turtle }) : what }));
    }
    if (said !== "not" && !answered.next.length) setTimeout(() => location.assign("/queue"), 700);
  } catch (error) {
    const sentence = error instanceof TypeError ? words.offline : /** @type {Error} */ (error).message;
    toast(filled(words.failed, { why: sentence }), "bad");
    settled.delete(answered.key);
    if (!answered.next.length) postponed = null;
    if (said !== "not") going = going.then(() => (item === answered ? undefined : go(answered.key, true)));
  }
  await going;
  document.body.dataset.answered = String(Number(document.body.dataset.answered ?? 0) + 1);
}

/** @param {"done" | "undone"} from */
async function takeBack(from) {
  await sending; // what is taken back is the last answer, also one that is still on its way
  const list = JSON.parse(store.getItem(from) ?? "[]");
  const last = list.pop();
  if (!last) {
    toast(words.nothing);
    return;
  }
  try {
    const told = await post("/undo", last.key ? { key: last.key } : { event: last.event });
    keep(list, from);
    const other = from === "done" ? "undone" : "done";
    if (told.event) keep([...JSON.parse(store.getItem(other) ?? "[]"), { event: told.event, group: last.group }], other);
    toast(!told.event ? words.withdrawn : from === "done" ? words.undone : words.redone);
    fetched.clear();
    if (from === "done") settled.delete(last.group);
    else settled.add(last.group);
    await go(from === "done" ? last.group : item.key === last.group ? item.next[0] : item.key);
  } catch (error) {
    if (/** @type {{status?: number}} */ (error).status === 404) keep(list, from); // it is not there to be taken back
    toast(filled(words.failed, { why: /** @type {Error} */ (error).message }), "bad");
  }
  document.body.dataset.undone = String(Number(document.body.dataset.undone ?? 0) + 1);
}

async function otherSide() {
  const photo = item.photos.find((one) => one.number === ours);
  if (!photo) return;
  const side = photo.side === "left" ? "right" : "left";
  try {
    const told = await post("/side", { photo: ours, side });
    keep([...done(), { event: told.event, group: item.key }]);
    photo.side = side;
    toast(filled(words.side, { number: ours, side }));
    fetched.clear();
    setTimeout(() => go(item.key), 700);
  } catch (error) {
    toast(filled(words.failed, { why: /** @type {Error} */ (error).message }), "bad");
  }
}

async function find() {
  const dialog = /** @type {HTMLDialogElement} */ (byId("finder"));
  const input = /** @type {HTMLInputElement} */ (byId("finder-text"));
  input.oninput = async () => {
    const found = await (await fetch(`/search?q=${encodeURIComponent(input.value)}`)).json();
    byId("finder-list").replaceChildren(...found.turtles.map((/** @type {string} */ name) => new Option(name, name)));
  };
  dialog.onclose = async () => {
    if (dialog.returnValue !== "go" || !input.value.trim()) return;
    await propose(input.value.trim());
  };
  dialog.showModal();
  input.select();
}

/** A turtle that is no candidate yet, or another photo of it. @param {string} turtle @param {number} [number] */
async function propose(turtle, number) {
  const answered = await fetch(`/candidate?turtle=${encodeURIComponent(turtle)}`, { headers: { accept: "application/json" } });
  if (!answered.ok) {
    toast(words.nobody, "bad");
    return;
  }
  const found = await answered.json();
  const lead = item.photos.find((one) => one.number === ours) ?? item.photos[0];
  const best = found.photos.find((/** @type {Photo} */ one) => (number ? one.number === number : one.side === lead.side)) ?? found.photos[0];
  item.candidates.push({ turtle: found.turtle, encounter: null, query: lead.number, photo: best.number, photos: found.photos, rejected: false });
  choose(item.candidates.length - 1);
  for (const button of document.querySelectorAll('[data-do="same"], [data-do="not"]')) button.removeAttribute("disabled");
}

/** @param {number} by */
function turnPhotos(by) {
  const photos = candidate()?.photos ?? [];
  const at = photos.findIndex((one) => one.number === theirs);
  if (photos.length < 2) return;
  theirs = photos[(at + by + photos.length) % photos.length].number;
  look();
}

/** @param {string} name */
function press(name) {
  for (const one of document.querySelectorAll(`[data-do="${name}"]`)) one.setAttribute("aria-pressed", String(name === "lock" ? linked : name === "matches" ? dots !== "off" : shown[/** @type {"heat"} */ (name)]));
}

/** @param {string} name */
function act(name) {
  /** @type {Record<string, () => unknown>} */
  const acts = {
    same: () => { sending = answer("same"); }, new: () => { sending = answer("new"); },
    not: () => { sending = answer("not"); }, unsure: () => { sending = answer("unsure"); },
    later: () => { post("/later", { group: item.key }).catch(() => {}); toast(words.later); go(item.next[0]); },
    undo: () => takeBack("done"), redo: () => takeBack("undone"),
    up: () => item.previous !== null && go(item.previous), down: () => go(item.next[0]),
    matches: () => { dots = { off: "numbered", numbered: "all", all: "off" }[dots] ?? "numbered"; draw(); place(); press("matches"); },
    heat: () => { shown.heat = !shown.heat; draw(); place(); press("heat"); },
    flip: () => { shown.flip = !shown.flip; place(); press("flip"); },
    contrast: () => { shown.contrast = !shown.contrast; place(); press("contrast"); },
    lock: () => { linked = !linked; if (!linked) views[1] = { x: 0, y: 0, zoom: 1 }; place(); press("lock"); },
    fit: () => { views = [{ x: 0, y: 0, zoom: 1 }, { x: 0, y: 0, zoom: 1 }]; place(); },
    zoom_in: () => move(0, 1.4, 0, 0), zoom_out: () => move(0, 1 / 1.4, 0, 0),
    side: otherSide, search: find,
    all: () => { byId("everything-photos").replaceChildren(...(candidate()?.photos ?? []).map((one) => thumb(one, true))); /** @type {HTMLDialogElement} */ (byId("everything")).showModal(); },
    why: () => /** @type {HTMLDialogElement} */ (byId("reason")).showModal(),
    help: () => /** @type {HTMLDialogElement} */ (byId("help")).showModal(),
    previous_photo: () => turnPhotos(-1), next_photo: () => turnPhotos(1),
  };
  const answering = ["same", "new", "not", "unsure", "later", "undo", "redo", "side"];
  if (answering.includes(name) && !document.querySelector(".answers")) return;
  inTurn(() => acts[name]?.());
}

/**
 * Do something with the group that is there, or with the next one as soon as it is.
 * @param {() => void} wish
 */
function inTurn(wish) {
  if (postponed) postponed.push(wish);
  else wish();
}

/** @param {MouseEvent} event */
function clicked(event) {
  const target = /** @type {HTMLElement} */ (event.target).closest("[data-do], [data-candidate], [data-photo], [data-turtle], .crop");
  if (!(target instanceof HTMLElement)) return;
  if (target.dataset.do) act(target.dataset.do);
  else if (target.dataset.candidate) choose(Number(target.dataset.candidate) - 1);
  else if (target.dataset.turtle) propose(target.dataset.turtle, Number(target.dataset.there));
  else if (target.dataset.photo) {
    const number = Number(target.dataset.photo);
    if (target.closest("#our-photos")) ours = number;
    else theirs = number;
    target.closest("dialog")?.close();
    look();
  } else if (target.dataset.at && pair) {
    const [x, y] = target.dataset.at.split(",").map(Number);
    views[0] = { x: x - pair.sizes[0][0] / 2, y: y - pair.sizes[0][1] / 2, zoom: 4 };
    place();
  }
}

const KEYS = {
  enter: "same", n: "new", x: "not", u: "unsure", s: "later", z: "undo", m: "matches", h: "heat", f: "flip", g: "all", b: "contrast", l: "lock",
  0: "fit", "+": "zoom_in", "=": "zoom_in", "-": "zoom_out", w: "why", "/": "search", i: "side", "?": "help",
  arrowleft: "previous_photo", arrowright: "next_photo", arrowup: "up", arrowdown: "down",
};

/** @param {KeyboardEvent} event */
function pressed(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || document.querySelector("dialog[open]")) return;
  if (target.closest("input, textarea, select") || (!keysOn && event.key !== "?")) return;
  if (event.key === "Enter" && target.closest("button, a, summary")) return;
  const key = event.key.toLowerCase();
  const name = key === "z" && event.shiftKey ? "redo" : KEYS[/** @type {keyof typeof KEYS} */ (key)];
  if (/^[1-9]$/.test(key)) inTurn(() => choose(Number(key) - 1));
  else if (name) act(name);
  else return;
  event.preventDefault();
}

window.addEventListener("resize", () => { place(); crops(); });
begin();
listen(pressed);

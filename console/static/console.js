// What the pages do by themselves: keys, dialogs, countdowns, documents. Everything else is a form, and works without.
"use strict";

const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const visible = (element) => element && !element.disabled && element.getClientRects().length > 0;

// -- countdowns: from the seconds that the server counted, never from this machine's clock -------------------------------

function count(root) {
  for (const element of $$("[data-left]", root)) {
    if (element.dataset.ends) continue;
    element.dataset.ends = performance.now() + Number(element.dataset.left) * 1000;
  }
  for (const element of $$("[data-hide-after]", root)) {
    if (element.dataset.gone) continue;
    element.dataset.gone = performance.now() + Number(element.dataset.hideAfter) * 1000;
  }
}

function tick() {
  for (const element of $$("[data-ends]")) {
    const left = Math.max(0, Math.ceil((Number(element.dataset.ends) - performance.now()) / 1000));
    const text = element.dataset.form === "seconds" ? `${left}` : `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of $$("[data-gone]")) {
    if (performance.now() >= Number(element.dataset.gone)) element.remove();
  }
}

// -- dialogs --------------------------------------------------------------------------------------------------------------

function show(id) {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return;
  dialog.showModal();
  inSight();
  dialog.querySelector("[role=alert]")?.focus(); // why it is open again
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) {
    event.preventDefault(); // without scripts it asks for the page with the dialog open
    // what was refused is said once: opened anew, a dialog begins at its first field, with what was typed so far
    $$(`#${opener.dataset.open} [role=alert]`).forEach((alert) => alert.remove());
    show(opener.dataset.open);
  }
  const closer = event.target.closest("[data-close]");
  if (closer) {
    event.preventDefault();
    closer.closest("dialog").close();
  }
  if (event.target.closest("[data-print]")) window.print();
  const canned = event.target.closest("[data-insert]");
  if (canned) insert(document.getElementById(canned.dataset.into), canned.dataset.insert);
  if (event.target.closest("[data-make-anew]")) makeAnew();
  const tool = event.target.closest("[data-do]");
  if (tool) turn(tool.closest("[data-pane]"), tool.dataset.do);
});

// A phrase goes where the caret is; while the message is still the one made from the ticks, behind it.
function insert(area, text) {
  if (area.matches("[data-message]") && !edited(area)) area.setSelectionRange(area.value.length, area.value.length);
  const before = area.value.slice(0, area.selectionStart);
  const after = area.value.slice(area.selectionEnd);
  const gap = before && !before.endsWith("\n") ? "\n" : "";
  const end = after && !after.startsWith("\n") ? "\n" : "";
  area.setRangeText(gap + text + end, area.selectionStart, area.selectionEnd, "end");
  area.focus();
}

// A message that somebody has written himself is not overwritten by the one made from the ticks: he is told so, and may
// have it made anew.
const edited = (area) => area.value !== "" && area.value !== area.form.elements.made.value;

function frozen() {
  const area = document.querySelector("[data-message]");
  const hint = document.querySelector("[data-frozen]");
  hint.hidden = !edited(area);
  return !hint.hidden;
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.matches("[data-message-from]") && frozen()) event.preventDefault();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.id === "told" && frozen()) event.detail.shouldSwap = false; // written while the answer was on its way
});

function makeAnew() {
  document.querySelector("[data-message]").value = "";
  htmx.trigger("[data-message-from]", "change");
}

// -- documents: larger, smaller, turned; their box is as large as what is seen, so that all of it can be scrolled to ------

function turn(pane, what) {
  if (what === "wide") pane.classList.toggle("wide");
  if (what === "reset") Object.assign(pane.dataset, { zoom: 1, turned: 0 });
  const zoom = Number(pane.dataset.zoom || 1);
  if (what === "larger") pane.dataset.zoom = Math.min(5, zoom * 1.25);
  if (what === "smaller") pane.dataset.zoom = Math.max(0.5, zoom / 1.25);
  if (what === "rotate") pane.dataset.turned = (Number(pane.dataset.turned || 0) + 90) % 360;
  lay(pane, Number(pane.dataset.zoom || 1), Number(pane.dataset.turned || 0));
}

function lay(pane, zoom, turned) {
  const image = pane.querySelector("img");
  const box = image.parentElement;
  const moved = zoom !== 1 || turned !== 0;
  if (moved && !image.naturalWidth) return; // not there yet
  const frame = pane.querySelector(".frame").getBoundingClientRect();
  const natural = [image.naturalWidth, image.naturalHeight];
  const shown = turned % 180 ? [natural[1], natural[0]] : natural;
  const scale = zoom * Math.min(1, Math.floor(frame.width) / shown[0], Math.floor(frame.height) / shown[1]);
  const pixels = (length) => (moved ? `${length * scale}px` : "");
  Object.assign(box.style, { width: pixels(shown[0]), height: pixels(shown[1]) });
  Object.assign(image.style, { width: pixels(natural[0]), height: pixels(natural[1]) });
  image.style.transform = moved ? `translate(-50%, -50%) rotate(${turned}deg)` : "";
  box.classList.toggle("moved", moved);
}
window.addEventListener("resize", () => $$("[data-pane]").forEach((pane) => pane.querySelector(".moved") && turn(pane, "")));

// -- keys: off while typing, and for whoever has switched them off; a button that is not there has no key ----------------

const typing = (element) => element.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

// Single letters may be in the way of whoever speaks to his computer (WCAG 2.1.4): this browser remembers that.
const KEYS = "kinbind-keys";

function keys(off) {
  document.body.dataset.keys = off ? "off" : "on";
  const tick = document.querySelector("[data-keys-off]");
  if (tick) tick.checked = off;
}

document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-keys-off]")) return;
  localStorage.setItem(KEYS, event.target.checked ? "off" : "on");
  keys(event.target.checked);
});

function move(step) {
  const rows = $$("[data-row]");
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.classList.contains("chosen"));
  const next = Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + step));
  rows.forEach((row, place) => row.classList.toggle("chosen", place === next));
  const link = rows[next].querySelector("a");
  link.focus({ preventScroll: true });
  rows[next].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  const dialog = document.querySelector("dialog[open]");
  if (dialog && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    dialog.querySelector("form")?.requestSubmit();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (event.key === "Escape" && typing(event.target) && !dialog) event.target.blur();
  if (dialog || typing(event.target) || document.body.dataset.keys === "off") return;
  const key = event.key.toLowerCase(); // Caps Lock is often left on by whoever has typed an X
  if (key === "j" || key === "k") move(key === "j" ? 1 : -1);
  else if (key === "o") document.querySelector(".row.chosen a")?.click();
  else if (key === "/") document.querySelector("[data-search]")?.focus();
  else {
    const button = $$("[data-key]").find((one) => one.dataset.key === key && visible(one));
    if (!button) return;
    button.click();
  }
  event.preventDefault();
});

// -- work keeps the lease alive; a page that merely stands open does not ---------------------------------------------------------------

for (const kind of ["keydown", "pointerdown", "wheel"]) {
  document.addEventListener(kind, () => {
    const worked = document.querySelector("[data-beat] [name=worked]");
    if (worked) worked.value = "1";
  }, { passive: true });
}
document.addEventListener("htmx:afterRequest", (event) => {
  const worked = event.target.matches("[data-beat]") && event.target.querySelector("[name=worked]");
  if (worked) worked.value = "0";
});

// -- a repair of many begins with a choice: nothing is tried for nobody -----------------------------------------------------------

function picked() {
  const bulk = document.getElementById("bulk");
  if (!bulk) return;
  const nobody = bulk.elements.reach.value === "ticked" && !document.querySelector(".pick input:checked");
  bulk.querySelector("[data-pick-first]").hidden = !nobody;
  bulk.querySelector("button").disabled = nobody;
}
for (const kind of ["change", "pageshow", "htmx:afterSwap"]) window.addEventListener(kind, picked);

// -- what is half filled in beside a file that is sent: it is there again on the page that answers ----------------------------------

const HALF = "kinbind-half-filled";
const written = ([name, value]) => value !== "" && !["csrf", "version"].includes(name);

function putAside() {
  const kept = $$("form[data-guard]").map((form) => [form.getAttribute("action"), [...new FormData(form)].filter(written)]);
  sessionStorage.setItem(HALF, JSON.stringify(kept));
}

function putBack() {
  const forms = $$("form[data-guard]");
  if (!forms.length) return;
  const kept = new Map(JSON.parse(sessionStorage.getItem(HALF) ?? "[]"));
  sessionStorage.removeItem(HALF);
  for (const form of forms) {
    for (const [name, value] of kept.get(form.getAttribute("action")) ?? []) fill(form, name, value);
  }
}

function fill(form, name, value) {
  for (const field of [...form.elements].filter((one) => one.name === name)) {
    if (!field.matches("[type=checkbox], [type=radio]")) field.value = value;
    else if (field.value === value) field.checked = true;
  }
  form.closest("details")?.setAttribute("open", "");
}

// -- a form is sent once ---------------------------------------------------------------------------------------------------------------------

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.hasAttribute("hx-post") || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  if ("beside" in form.dataset) putAside();
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => $$("form").forEach((form) => delete form.dataset.sent));

// -- what is half written is not thrown away without a word: by a link, the other language, the next case ------------------------------

const halfWritten = (form) => form.closest("[data-begun]") || $$("input:not([type=hidden]), select, textarea", form).some(touched);

window.addEventListener("beforeunload", (event) => {
  const sent = $$("form[data-sent]");
  if (sent.some((form) => "beside" in form.dataset)) return; // the rest is put aside
  if (!$$("dialog form, form[data-guard]").some((form) => !form.dataset.sent && halfWritten(form))) return;
  event.preventDefault();
  setTimeout(() => sent.forEach((form) => delete form.dataset.sent)); // whoever stays may send it later
});

document.addEventListener("htmx:afterSwap", () => { count(document); tick(); });
document.addEventListener("DOMContentLoaded", () => {
  keys(localStorage.getItem(KEYS) === "off");
  putBack();
  count(document);
  tick();
  setInterval(tick, 250);
  const again = document.querySelector("dialog[data-reopen]");
  if (again) {
    again.removeAttribute("open"); // as it is shown without scripts
    show(again.id);
  }
  else if (!document.querySelector("main [autofocus]")) document.querySelector("main [role=alert][tabindex]")?.focus(); // why one is here
});

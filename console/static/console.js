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
  if (dialog && !dialog.open) dialog.showModal();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) show(opener.dataset.open);
  const closer = event.target.closest("[data-close]");
  if (closer) closer.closest("dialog").close();
  if (event.target.closest("[data-print]")) window.print();
  const canned = event.target.closest("[data-insert]");
  if (canned) insert(document.getElementById(canned.dataset.into), canned.dataset.insert);
  const tool = event.target.closest("[data-do]");
  if (tool) turn(tool.closest("[data-pane]"), tool.dataset.do);
});

function insert(area, text) {
  const before = area.value.slice(0, area.selectionStart);
  const gap = before && !before.endsWith("\n") ? "\n" : "";
  area.setRangeText(gap + text, area.selectionStart, area.selectionEnd, "end");
  area.dataset.edited = "yes";
  area.focus();
}

// A message that somebody has written himself is not overwritten by the one made from the ticks.
document.addEventListener("input", (event) => {
  if (event.target.matches("[data-message]")) event.target.dataset.edited = event.target.value ? "yes" : "";
});
document.addEventListener("htmx:beforeRequest", (event) => {
  const area = document.querySelector("[data-message]");
  if (event.target.matches("[data-message-from]") && area && area.dataset.edited) event.preventDefault();
});

// -- documents: larger, smaller, turned ----------------------------------------------------------------------------------------

function turn(pane, what) {
  const image = pane.querySelector("img");
  const now = { zoom: Number(pane.dataset.zoom || 1), turned: Number(pane.dataset.turned || 0) };
  if (what === "larger") now.zoom = Math.min(5, now.zoom * 1.25);
  if (what === "smaller") now.zoom = Math.max(0.5, now.zoom / 1.25);
  if (what === "rotate") now.turned = (now.turned + 90) % 360;
  if (what === "reset") Object.assign(now, { zoom: 1, turned: 0 });
  if (what === "wide") pane.classList.toggle("wide");
  pane.dataset.zoom = now.zoom;
  pane.dataset.turned = now.turned;
  image.style.transform = `rotate(${now.turned}deg)`;
  image.style.maxWidth = `${now.zoom * 100}%`;
  image.style.maxHeight = `${now.zoom * (pane.classList.contains("wide") ? 32 : 15)}rem`;
  image.style.width = now.zoom > 1 ? `${now.zoom * 100}%` : "";
}

// -- keys: off while typing; a button that is not there has no key -----------------------------------------------------------------

const typing = (element) => element.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

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
  if (dialog || typing(event.target)) return;
  if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
  else if (event.key === "o") document.querySelector(".row.chosen a")?.click();
  else if (event.key === "/") document.querySelector("[data-search]")?.focus();
  else {
    const button = $$("[data-key]").find((one) => one.dataset.key === event.key && visible(one));
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

// -- a form is sent once ---------------------------------------------------------------------------------------------------------------------

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.hasAttribute("hx-post") || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => $$("form").forEach((form) => delete form.dataset.sent));

document.addEventListener("htmx:afterSwap", () => { count(document); tick(); });
document.addEventListener("DOMContentLoaded", () => {
  count(document);
  tick();
  setInterval(tick, 250);
  const again = document.querySelector("dialog[data-reopen]");
  if (again) show(again.id);
});

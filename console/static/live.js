// Pages that stay right without reloading: one stream for all tabs of a browser, and the parts that it renews.
"use strict";

const PAUSE = 2500; // milliseconds between two renewals of a page, however much moves
const channel = "BroadcastChannel" in window ? new BroadcastChannel("kinbind-live") : null;
let renewed = 0;
let waiting = null;

// -- what a word from the stream does to this page ------------------------------------------------------------------------

const concerned = (part, ids) => !ids || !part.dataset.live || part.dataset.live === "tick" || ids.includes(part.dataset.live);
// somebody who ticks rows, reads a menu or types must not lose what he was about to do
const busy = (part) => part.querySelector("input:checked, details[open], .row.chosen") || (focused(part) && document.activeElement.matches("input, select, textarea"));

const focused = (element) => element.contains(document.activeElement);

function renew(ids) {
  if (document.hidden || document.querySelector("dialog[open]")) return;
  const parts = [...document.querySelectorAll("[data-live]")].filter((part) => concerned(part, ids) && !busy(part));
  // every part brings the navigation along; where none is asked for, it is asked for alone: its numbers are of all cases
  const rooms = document.getElementById("rooms");
  if (!parts.length && rooms && !focused(rooms)) parts.push(rooms);
  if (!parts.length) return;
  const early = renewed + PAUSE - performance.now();
  if (early > 0) {
    waiting ??= setTimeout(() => { waiting = null; renew(null); }, early);
    return;
  }
  renewed = performance.now();
  for (const part of parts) htmx.trigger(part, "kinbind-live");
}

// -- what comes along with a part: not what is as it was, nor what somebody is just filling in ------------------------------

// which choice the page came with
const first = (select) => Math.max(0, [...select.options].findIndex((one) => one.defaultSelected));

function touched(field) {
  if (field.matches("select")) return field.selectedIndex !== first(field);
  if (field.matches("[type=checkbox], [type=radio]")) return field.checked !== field.defaultChecked;
  return field.value !== field.defaultValue;
}

// so is what was refused and stands there as it was typed, a number shown in clear, a document that was turned
const begun = (part) => "kept" in part.dataset || part.querySelector("dialog[open], details[open], .number.clear, .scan.moved, .pane.wide")
  || [...part.querySelectorAll("input:not([type=hidden]), select, textarea")].some(touched);

// whoever walks through the navigation by keyboard keeps his place in it
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const there = event.detail.target;
  const same = there.dataset.seen !== undefined && there.dataset.seen === event.detail.fragment.firstElementChild?.dataset.seen;
  if (same || focused(there) || begun(there)) event.detail.shouldSwap = false;
  // what stays though it has changed is said on the page, until it has been looked at again
  if (there.dataset.seen !== undefined && !same && !event.detail.shouldSwap) there.dataset.stale = "";
  else delete there.dataset.stale;
});

function stale(gone) {
  const note = document.getElementById("moved-on");
  if (note) note.hidden = !gone && !document.querySelector("[data-stale]");
}
document.addEventListener("htmx:afterSwap", () => stale(false));
// a case that is out of sight by now, handed over to others
document.addEventListener("htmx:responseError", (event) => { if (event.target.matches("[data-live]")) stale(true); });

// what has been scrolled sideways is still so afterwards
const scrolled = new Map();
const boxes = () => document.querySelectorAll(".rooms, .scroll, .life-box");
document.addEventListener("htmx:beforeSwap", () => { for (const box of boxes()) scrolled.set(box.getAttribute("aria-label"), box.scrollLeft); });
document.addEventListener("htmx:afterSwap", () => { for (const box of boxes()) box.scrollLeft = scrolled.get(box.getAttribute("aria-label")) ?? 0; });

// where the navigation does not fit, the page begins with the link of where one is in sight
document.addEventListener("DOMContentLoaded", () => {
  const rooms = document.getElementById("rooms");
  const here = rooms?.querySelector("[aria-current]")?.getBoundingClientRect();
  if (!here || rooms.scrollWidth <= rooms.clientWidth) return;
  const box = rooms.getBoundingClientRect();
  rooms.scrollLeft += here.left - box.left - (box.width - here.width) / 2;
});

function heard(word) {
  document.documentElement.dataset.stream = ["lost", "over"].includes(word.kind) ? "lost" : "on";
  if (word.kind !== "lost" && word.kind !== "here") renew(word.ids); // of a stream that is over it tells why
}

function say(word) {
  heard(word);
  channel?.postMessage(word);
}
if (channel) channel.onmessage = (event) => heard(event.data);

// -- the stream: held by one tab, told to the others ----------------------------------------------------------------------

let listening = false;

function listen() {
  return new Promise((over) => {
    const stream = new EventSource(document.body.dataset.stream);
    stream.onopen = () => say({ kind: "here" });
    stream.onerror = () => {
      if (stream.readyState !== EventSource.CLOSED) return say({ kind: "lost" });
      say({ kind: "over", ids: null }); // as it is once a session has ended
      listening = false;
      over();
    };
    stream.addEventListener("moved", (event) => say({ kind: "moved", ids: JSON.parse(event.data).ids }));
    stream.addEventListener("tick", () => say({ kind: "tick", ids: null }));
  });
}

function start() {
  if (listening || !document.body.dataset.stream || !document.querySelector("[data-live], #rooms")) return;
  listening = true;
  // whoever holds the lock listens; when that tab is closed the next one does. Without locks each listens for itself
  if (navigator.locks) navigator.locks.request("kinbind-live", listen);
  else listen();
}
document.addEventListener("DOMContentLoaded", start);
document.addEventListener("kinbind-entered", start);
document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(null); });

// -- links that are copied ------------------------------------------------------------------------------------------------

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.dataset.copy.startsWith("/") ? new URL(button.dataset.copy, location.href).href : button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = button.dataset.done;
  } catch {
    window.prompt("", text);
  }
});

// Pages that stay right without reloading: one stream for all tabs of a browser, and the parts that it renews.
"use strict";

const PAUSE = 2500; // milliseconds between two renewals of a page, however much moves
const channel = "BroadcastChannel" in window ? new BroadcastChannel("kinbind-live") : null;
let renewed = 0;
let waiting = null;

// -- what a word from the stream does to this page ------------------------------------------------------------------------

const concerned = (part, ids) => !ids || !part.dataset.live || part.dataset.live === "tick" || ids.includes(part.dataset.live);
// somebody who ticks rows, reads a menu or types must not lose what he was about to do
const busy = (part) => part.querySelector("input:checked, details[open], .row.chosen") || (part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"));

function renew(ids) {
  const parts = [...document.querySelectorAll("[data-live]")].filter((part) => concerned(part, ids) && !busy(part));
  if (!parts.length || document.hidden || document.querySelector("dialog[open]")) return;
  const early = renewed + PAUSE - performance.now();
  if (early > 0) {
    waiting ??= setTimeout(() => { waiting = null; renew(null); }, early);
    return;
  }
  renewed = performance.now();
  for (const part of parts) htmx.trigger(part, "kinbind-live");
}

function heard(word) {
  document.documentElement.dataset.stream = word.kind === "lost" ? "lost" : "on";
  if (word.kind !== "lost" && word.kind !== "here") renew(word.ids);
}

function say(word) {
  heard(word);
  channel?.postMessage(word);
}
if (channel) channel.onmessage = (event) => heard(event.data);

// -- the stream: held by one tab, told to the others ----------------------------------------------------------------------

function listen() {
  return new Promise(() => {
    const stream = new EventSource(document.body.dataset.stream);
    stream.onopen = () => say({ kind: "here" });
    stream.onerror = () => say({ kind: "lost" });
    stream.addEventListener("moved", (event) => say({ kind: "moved", ids: JSON.parse(event.data).ids }));
    stream.addEventListener("tick", () => say({ kind: "tick", ids: null }));
  });
}

document.addEventListener("DOMContentLoaded", () => {
  if (!document.body.dataset.stream || !document.querySelector("[data-live]")) return;
  // whoever holds the lock listens; when that tab is closed the next one does. Without locks each listens for itself
  if (navigator.locks) navigator.locks.request("kinbind-live", listen);
  else listen();
});
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

// A session that ends under an open page: what was typed stays, and can be sent once the same person is in again.
"use strict";

const doors = "BroadcastChannel" in window ? new BroadcastChannel("kinbind-session") : null;
// Whose page it is. The one that says that a form came too late knows nobody: there it is whoever had this tab before.
const WHO = "kinbind-who";
const whose = () => document.body.dataset.who ?? sessionStorage.getItem(WHO);
const token = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRF"];

// In an open dialog, since nothing else can be reached beside one; else on top of the page.
function inSight() {
  const told = document.getElementById("session");
  const place = document.querySelector("dialog[open]") ?? document.getElementById("main");
  if (told && told.parentElement !== place) place.prepend(told);
}
document.addEventListener("close", inSight, true);

function tell(out) {
  const told = document.getElementById("session");
  if (!told) return;
  inSight();
  told.querySelector("[data-out]").hidden = !out;
  told.querySelector("[data-in]").hidden = out;
}

document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status !== 401) return;
  for (const clear of document.querySelectorAll(".number.clear")) clear.textContent = "••••"; // nobody may be there
  tell(true);
});

// Every page tells the others its token: it is that of the session that goes on.
function entered({ data }) {
  if (data.who !== whose() || data.token === token()) return;
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRF": data.token }));
  for (const field of document.querySelectorAll("input[name=csrf]")) field.value = data.token;
  if (document.querySelector("[data-out]:not([hidden])")) tell(false);
  document.dispatchEvent(new Event("kinbind-entered"));
}

document.addEventListener("DOMContentLoaded", () => {
  if (doors) doors.onmessage = entered;
  if (!document.body.dataset.who) return;
  sessionStorage.setItem(WHO, document.body.dataset.who);
  doors?.postMessage({ who: document.body.dataset.who, token: token() });
});

document.addEventListener("click", (event) => { if (event.target.closest("[data-back]")) history.back(); });


const CHOICE = "shiny.whitelist";

// The protocols that the server offers, or those of them that the visitor has chosen.
const offered = (script.dataset.protocols || "").split(" ").filter((name) => transports[name]);
const chosen = () => {
  try {
    const choice = JSON.parse(localStorage.getItem(CHOICE));
    const left = offered.filter((name) => choice.includes(name));
    return left.length > 0 ? left : offered;
  } catch {
    return offered;
  }
};

const element = (name, properties, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

// Says while a connection is lost that it is tried again; a short break is not worth a word.
class Notice {
  told(what) {
    if (what !== "lost") this.hide();
    else if (!this.timer) this.timer = setTimeout(() => this.show(), 1500);
  }

  show() {
    this.box = element("div", { textContent: "The connection was lost. Trying again\u2026" });
    this.box.setAttribute("role", "status");
    Object.assign(this.box.style, {
      background: "#333", borderRadius: "4px", bottom: "1rem", color: "#fff", font: "1rem system-ui, sans-serif",
      left: "50%", padding: "0.5rem 1rem", position: "fixed", transform: "translateX(-50%)", zIndex: 100000,
    });
    document.body.append(this.box);
  }

  hide() {
    clearTimeout(this.timer);
    delete this.timer;
    if (this.box) this.box.remove();
    delete this.box;
  }
}

// Lets the visitor choose by which protocols the page may speak; it counts from the next page on.
const choose = () => {
  const now = chosen();
  const boxes = offered.map((value) => element("input", { type: "checkbox", value, checked: now.includes(value) }));
  const rows = boxes.map((box) => element("label", {}, box, ` ${box.value}`));
  rows.forEach((row) => { row.style.display = "block"; });
  // Shiny lets no form be submitted.
  const button = (textContent, value) => element("button", { textContent, type: "button", onclick: () => dialog.close(value) });
  const dialog = element("dialog", {},
    element("p", { textContent: "Ways in which pages of this server may connect, in the order in which they are tried:" }),
    ...rows,
    element("p", {}, button("Save", "save"), " ", button("Use all", "all"), " ", button("Cancel", "")));
  dialog.setAttribute("aria-label", "Connection");
  dialog.addEventListener("close", () => {
    const names = boxes.filter((box) => box.checked).map((box) => box.value);
    if (dialog.returnValue === "save" && names.length > 0) localStorage.setItem(CHOICE, JSON.stringify(names));
    if (dialog.returnValue === "all") localStorage.removeItem(CHOICE);
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
};

const serveAsPage = () => {
  const lines = new Set();
  const make = () => {
    const path = location.pathname.endsWith("/") ? location.pathname : `${location.pathname}/`;
    const notice = new Notice();
    const line = new Line(location.origin + path, chosen(), Number(script.dataset.reconnect), (what, protocol) => {
      notice.told(what);
      if (what === "open") document.documentElement.dataset.connection = protocol;
      if (what === "closed") lines.delete(line);
    });
    lines.add(line);
    return line;
  };
  const use = () => {
    const { Shiny } = window;
    if (Shiny && !Shiny.createSocket) Shiny.createSocket = make;
  };
  // Where Shiny is loaded later than this, it is there when the page is.
  use();
  document.addEventListener("DOMContentLoaded", use);
  addEventListener("pagehide", () => lines.forEach((line) => line.leave()));
  addEventListener("keydown", (event) => {
    const isAsked = event.ctrlKey && event.altKey && event.shiftKey && event.code === "KeyA";
    if (isAsked && window.Shiny && !document.querySelector("dialog[open]")) choose();
  });
};

if (script.dataset.frame === undefined) serveAsPage();
else serveAsFrame();
})();

// The page of a run that goes on: it asks how the run stands a few times a second, until the report is
// there, which then takes its place.
"use strict";
(() => {
  const PERIOD = 400; // milliseconds
  let shown = 0; // the number of the pictures that are shown

  const ask = async (name) => {
    const answer = await fetch(name);
    if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
    return answer.json();
  };

  // What is being done: a name, how far it is, how it stands.
  function task({ name, done, total, message }) {
    const [item, label, bar, text] = ["li", "span", "progress", "span"].map((tag) => document.createElement(tag));
    label.textContent = name;
    bar.ariaLabel = name;
    // Without a value a bar says that nobody knows how long.
    if (total) [bar.max, bar.value] = [total, done];
    text.textContent = message || (total ? "" : String(done));
    text.className = "evidence";
    item.append(label, bar, text);
    return item;
  }

  const figure = (value) => (value === null ? "–" : String(Number(value.toPrecision(4))));

  async function look() {
    const { tasks, epoch, pictures, finished } = await ask("state");
    if (finished) return location.reload();
    document.querySelector(".tasks").replaceChildren(...tasks.map(task));
    for (const place of document.querySelectorAll("[data-figure]")) {
      if (epoch) place.textContent = figure(epoch[place.dataset.figure]);
    }
    if (pictures !== shown) {
      const { curves, charts } = await ask("pictures");
      shown = pictures;
      document.getElementById("waiting").hidden = true;
      document.getElementById("curves").innerHTML = curves;
      document.dispatchEvent(new CustomEvent("charts", { detail: charts }));
    }
    setTimeout(keep, PERIOD);
  }

  const keep = () => look().catch(() => {
    document.getElementById("ended").hidden = false;
    document.querySelector(".tasks").replaceChildren();
  });

  keep();
})();

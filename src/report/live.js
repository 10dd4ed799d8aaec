// The page of a run that goes on: it asks again and again how the run stands, until the report is there,
// which then takes its place. The server answers when some time has passed, so that a page that is hidden,
// whose own clock the browser slows down, goes on too.
"use strict";
(() => {
  const PATIENCE = 3; // questions that may fail in a row
  const find = (id) => document.getElementById(id);
  const title = document.title;
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
    text.textContent = `${total ? `${done} of ${total}` : done}  ${message}`;
    text.className = "evidence";
    item.append(label, bar, text);
    return item;
  }

  function note(text) {
    const paragraph = document.createElement("p");
    paragraph.className = "note";
    paragraph.textContent = text;
    return paragraph;
  }

  const figure = (value) => (value === null ? "–" : String(Number(value.toPrecision(4))));

  async function showPictures() {
    const { epoch, curves, charts, overfitting } = await ask("pictures");
    find("waiting").hidden = true;
    find("curves").hidden = false;
    find("curves").querySelector(".picture").innerHTML = curves;
    find("painted").textContent = epoch;
    find("overfitting").hidden = !overfitting;
    find("overfitting").textContent = overfitting ?? "";
    document.dispatchEvent(new CustomEvent("charts", { detail: charts }));
  }

  // Whether the run goes on.
  async function look() {
    const { tasks, notes, epoch, pictures, finished } = await ask("state");
    if (finished) {
      location.reload();
      return false;
    }
    document.querySelector(".tasks").replaceChildren(...tasks.map(task));
    if (notes.length !== find("notes").childElementCount) find("notes").replaceChildren(...notes.map(note));
    for (const place of document.querySelectorAll("[data-figure]")) {
      if (epoch) place.textContent = figure(epoch[place.dataset.figure]);
    }
    const [first] = tasks;
    document.title = first?.total ? `${Math.floor((100 * first.done) / first.total)}% ${first.name} – ${title}` : title;
    if (pictures !== shown) {
      shown = pictures;
      await showPictures();
    }
    return true;
  }

  async function watch() {
    let failures = 0;
    for (let goesOn = true; goesOn;) {
      try {
        goesOn = await look();
        failures = 0;
      } catch (error) {
        console.warn(error);
        failures += 1;
        await new Promise((later) => setTimeout(later, 500));
      }
      // Whoever wakes from sleep may find the run again.
      find("ended").hidden = failures < PATIENCE;
      if (failures === PATIENCE) {
        document.querySelector(".tasks").replaceChildren();
        find("waiting").hidden = true;
        document.title = title;
      }
    }
  }

  watch();
})();

"use strict";
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

// Tables

const valueOf = (cell) => cell.dataset.value ?? cell.textContent.trim();

function compareCells(a, b) {
  const [x, y] = [Number(a), Number(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
}

function sortTable(table, column, ascending) {
  const body = table.tBodies[0];
  const key = (row) => valueOf(row.cells[column]);
  const rows = [...body.rows].sort((a, b) => {
    if (key(a) === "" || key(b) === "") return (key(a) === "") - (key(b) === ""); // what is missing stands last
    return (ascending ? 1 : -1) * compareCells(key(a), key(b));
  });
  body.append(...rows);
  all("thead th", table).forEach((heading, index) => {
    if (index === column) heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    else heading.removeAttribute("aria-sort");
  });
}

for (const table of all("table.sortable")) {
  all("thead th", table).forEach((heading, column) => {
    heading.querySelector("button").onclick = () =>
      sortTable(table, column, heading.getAttribute("aria-sort") !== "ascending");
  });
}

for (const filter of all(".filter")) {
  const table = filter.closest("section").querySelector("table");
  filter.oninput = () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  };
}

// Curves

for (const button of all("[data-budget]")) {
  button.onclick = () => {
    for (const other of all("[data-budget]")) other.setAttribute("aria-pressed", String(other === button));
    for (const view of all("[data-view]")) view.hidden = view.dataset.view !== button.dataset.budget;
  };
}

for (const button of all("button[data-curve]")) {
  button.onclick = () => {
    const shown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(shown));
    for (const curve of all("#curves g.curve")) {
      if (curve.dataset.curve === button.dataset.curve) curve.style.display = shown ? "" : "none";
    }
  };
}

function nearest(chart, event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
  let found = null, least = 40;
  for (const circle of all("circle", chart)) {
    if (circle.parentNode.style.display === "none") continue;
    const distance = Math.hypot(circle.cx.baseVal.value - at.x, circle.cy.baseVal.value - at.y);
    if (distance < least) [found, least] = [circle, distance];
  }
  return found;
}

function point(chart, event) {
  const found = nearest(chart, event);
  for (const circle of all("circle.pointed", chart)) circle.classList.remove("pointed");
  if (found) found.classList.add("pointed");
  chart.closest("figure").querySelector(".value").textContent = found ? found.textContent : "";
}

for (const chart of all("svg.chart")) {
  chart.onpointermove = chart.onpointerdown = (event) => point(chart, event);
}

// Images

const films = all(".wall figure").map((figure) => ({
  image: figure.querySelector("img"),
  ...JSON.parse(figure.querySelector("script").textContent),
}));
const time = document.getElementById("time");

function showStep() {
  const step = Number(time.dataset.steps.split(" ")[time.value]);
  document.getElementById("step").textContent = step.toLocaleString("en") + " steps";
  for (const film of films) {
    const reached = film.steps.filter((each) => each <= step).length;
    film.image.src = film.pictures[Math.max(reached - 1, 0)];
  }
}

if (time) {
  const play = document.getElementById("play");
  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
  };
  const advance = () => {
    if (time.value === time.max) return stop();
    time.value = Number(time.value) + 1;
    showStep();
  };
  play.onclick = () => {
    if (timer) return stop();
    if (time.value === time.max) time.value = 0;
    showStep();
    play.textContent = "Stop";
    timer = setInterval(advance, Math.max(60, 4000 / time.max));
  };
  time.oninput = showStep;
}

"use strict";

const element = (id) => document.getElementById(id);
const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
const content = JSON.parse(element("content").textContent);
const { codes, directions } = content;
const { facts } = content.runs[0]; // all runs have the same inputs
const groups = facts.num_classes || codes.categories || 0; // classes or categories, which the grid shows in columns
const COLUMNS = groups > 0 && groups <= 12 ? groups : 8;
const COUNT = COLUMNS * (groups ? 6 : 8);
const MOST_BARS = 5;

const state = {
  run: 0, seed: 0, samples: [], chosen: 0, truncation: 1, group: null,
  continuous: new Array(codes.continuous || 0).fill(null), moves: directions.map(() => 0), seen: new Array(COUNT).fill(null),
};

// What is drawn

function condition(index, continuous) {
  const y = new Float32Array(groups + (codes.continuous || 0));
  if (groups) y[state.group ?? index % groups] = 1;
  state.continuous.forEach((value, i) => { y[groups + i] = value ?? continuous[i]; });
  return y;
}

function inputsOf(index, moves = state.moves) {
  const { z, continuous } = state.samples[index], moved = z.map((value) => value * state.truncation);
  moves.forEach((amount, k) => { if (amount) directions[k].forEach((value, i) => { moved[i] += amount * value; }); });
  return { z: moved, y: condition(index, continuous) };
}

const canvasesIn = (id) => [...element(id).querySelectorAll("canvas")];

function drawOne() {
  const inputs = inputsOf(state.chosen);
  canvasesIn("one").forEach((canvas, run) => draw(canvas, 0, run, inputs, (probabilities) => showBars(run, probabilities)));
}

function drawGrid() {
  const { run } = state;
  canvasesIn("grid").forEach((canvas, i) => draw(canvas, 1, run, inputsOf(i), (found) => showClass(run, i, found)));
}

function redraw() {
  drawOne();
  drawGrid();
  updateMap();
}

// What the classifier says

const classifierOf = (run) => content.classifiers[content.runs[run].classifier];

function showBars(run, probabilities) {
  const { classes } = classifierOf(run), best = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  element("one").children[run].querySelector(".bars").replaceChildren(...best.slice(0, MOST_BARS).map((number) => {
    const row = make("li"), bar = make("i");
    bar.style.cssText = `width: ${100 * probabilities[number]}%; background: ${colorOf(number)}`;
    row.append(make("span", { textContent: classes[number] }), make("b"), make("span", { textContent: percent(probabilities[number]) }));
    row.children[1].append(bar);
    return row;
  }));
}

function showClass(run, index, probabilities) {
  if (run !== state.run) return;
  const cell = element("grid").children[index], number = top1(probabilities), { classes } = classifierOf(run);
  cell.style.setProperty("--class", colorOf(number));
  cell.style.setProperty("--sure", `${100 * probabilities[number]}%`);
  cell.querySelector("span").textContent = classes[number];
  cell.title = `${classes[number]}, ${percent(probabilities[number])}`;
  cell.setAttribute("aria-label", `Sample ${index + 1}: ${cell.title}`);
  state.seen[index] = number;
  countClasses(classes);
}

function countClasses(classes) {
  const found = state.seen.filter((number) => number !== null);
  showLegend("legend", classes.map((name, number) => `${name}: ${found.filter((each) => each === number).length}`));
}

function showLegend(id, texts) {
  element(id).replaceChildren(...texts.map((text, number) => {
    const item = make("li"), chip = make("i");
    chip.style.background = colorOf(number);
    item.append(chip, ` ${text}`);
    return item;
  }));
}

function describeClassifier() {
  const classifier = classifierOf(state.run);
  element("opinions").hidden = !classifier;
  element("grid").classList.toggle("classified", Boolean(classifier));
  element("map-classes").hidden = !classifier;
  if (!classifier) return;
  element("classifier").textContent = `Under each image stands the class that the reference classifier sees in it ` +
    `(${content.runs[state.run].classifier}, right about ${(100 * classifier.test_accuracy).toFixed(1)} % of real test images). In this grid:`;
  countClasses(classifier.classes);
  showLegend("map-legend", classifier.classes);
  const longest = Math.max(...classifier.classes.map((name) => name.length));
  element("one").style.setProperty("--name", `${Math.min(12, longest + 1)}ch`);
}

// Controls

function choose(index) {
  state.chosen = index;
  [...element("grid").children].forEach((cell, i) => cell.setAttribute("aria-pressed", i === index));
  drawOne();
  updateMap();
}

function sampleAgain() {
  const seed = Math.min(2 ** 32 - 1, Math.max(0, Math.floor(Number(element("seed").value) || 0)));
  element("seed").value = state.seed = seed;
  state.samples = sampleInputs(facts.prior, facts.latent_dim, codes, COUNT, seed);
  redraw();
}

function button(text, pressed) {
  const made = make("button", { type: "button", textContent: text });
  made.addEventListener("click", pressed);
  return made;
}

// A slider whose output is the number, or `unset` until it is first moved
function slider(name, range, moved, unset) {
  const label = make("label", { className: "slider" }), input = make("input", { type: "range", ...range });
  label.append(make("span", { textContent: name }), input, make("output"));
  follow(input, moved, unset);
  return label;
}

function follow(input, moved, unset) {
  const output = input.parentElement.querySelector("output");
  const show = () => { output.textContent = Number(input.value).toFixed(2); };
  input.addEventListener("input", () => { show(); moved(Number(input.value)); });
  if (unset) output.textContent = unset;
  else show();
}

// Buttons of which one is pressed
function choiceOf(names, chosen) {
  const row = make("div", { className: "row choice" });
  row.setAttribute("role", "group");
  names.forEach((name, i) => row.append(button(name, () => {
    [...row.children].forEach((each, k) => each.setAttribute("aria-pressed", k === i));
    chosen(i);
  })));
  [...row.children].forEach((each, k) => each.setAttribute("aria-pressed", k === 0));
  return row;
}

function makeChoices() {
  if (content.runs.length > 1) {
    const row = choiceOf(content.runs.map(({ name }) => name), showRun);
    row.setAttribute("aria-label", "Run that the grid, the map and the pinned images show");
    element("choices").append(row);
  }
  if (groups) {
    const names = facts.num_classes ? facts.classes : Array.from({ length: groups }, (_, i) => `category ${i}`);
    const row = choiceOf(["all", ...names], (i) => {
      state.group = i ? i - 1 : null;
      redraw();
    });
    row.setAttribute("aria-label", facts.num_classes ? "Class" : "Category");
    element("choices").append(row);
  }
  state.continuous.forEach((_, i) => element("choices").append(
    slider(`Code ${i + 1}`, { min: -2, max: 2, step: 0.05, value: 0 }, (value) => {
      state.continuous[i] = value;
      redraw();
    }, "random")));
}

function showRun(run) {
  state.run = run;
  state.seen.fill(null);
  describeClassifier();
  redraw();
  drawStrip();
}

function makeDirections() {
  const range = { min: -REACH, max: REACH, step: 0.1, value: 0 };
  directions.forEach((_, k) => element("directions").append(slider(`Direction ${k + 1}`, range, (value) => {
    state.moves[k] = value;
    redraw();
  })));
}

// Move along a direction, its slider, too
function setMove(k, value) {
  const label = element("directions").children[k];
  state.moves[k] = value;
  label.querySelector("input").value = value;
  label.querySelector("output").textContent = value.toFixed(2);
}

function newCanvas(label) {
  const [, height, width] = content.runs[state.run].facts.image_shape, canvas = make("canvas", { width, height });
  if (label) {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
  }
  return canvas;
}

function makeGrid() {
  element("grid").style.setProperty("--columns", COLUMNS);
  for (let i = 0; i < COUNT; i++) {
    const cell = button("", () => choose(i)), canvas = newCanvas();
    cell.setAttribute("aria-label", `Sample ${i + 1}`);
    cell.append(canvas, make("span"));
    element("grid").append(cell);
    eye.observe(canvas);
  }
  element("one").append(...content.runs.map((run) => {
    const figure = shownRun(run, `The chosen image: ${run.name}`);
    figure.append(make("ul", { className: "bars" }));
    return figure;
  }));
}

// A canvas for a run's image, under its name where there are several
function shownRun(run, label) {
  const figure = document.createElement("figure");
  if (content.runs.length > 1) figure.append(make("figcaption", { textContent: run.name }));
  figure.append(newCanvas(label));
  return figure;
}

function connect() {
  follow(element("truncation"), (value) => { state.truncation = value; redraw(); });
  element("seed").addEventListener("change", sampleAgain);
  element("next-seed").addEventListener("click", () => { element("seed").value++; sampleAgain(); });
  element("reset").addEventListener("click", () => { directions.forEach((_, k) => setMove(k, 0)); redraw(); });
  element("save-one").addEventListener("click", () => save(canvasesIn("one"), content.runs.length, "image.png"));
  element("save-grid").addEventListener("click", () => save(canvasesIn("grid"), COLUMNS, `samples-${state.seed}.png`));
}

// The facts

function describe() {
  for (const { facts: own, network, name } of content.runs) {
    const [, height, width] = own.image_shape, weights = own.weights === "ema" ? "averaged weights" : "weights";
    const text = `${network}, ${width}×${height} pixels, ${own.latent_dim} latent coordinates, ${weights} after ` +
      `${own.generator_steps.toLocaleString("en")} generator steps`;
    element("facts").append(make("p", { textContent: content.runs.length > 1 ? `${name}: ${text}` : text }));
    own.scores.forEach((score) => addScore(content.runs.length > 1 ? name : "", score));
  }
}

function addScore(run, { score, value, real_baseline: real, n, data, split }) {
  element("scores").hidden = false;
  const number = (given) => (given === undefined || given === null ? "" : Number(given.toPrecision(4)).toString());
  const row = element("scores").querySelector("tbody").insertRow(), samples = n ? `${n.toLocaleString("en")} samples, ` : "";
  [run, score, number(value), number(real), `${samples}${data ?? ""} ${split ?? ""}`].forEach((text) => { row.insertCell().textContent = text; });
}

async function start() {
  try {
    describe();
    const bytes = await unzip(asBytes(element("weights").textContent));
    const programs = { runs: content.runs.map(({ program }) => withConstants(program, bytes)), classifiers: {} };
    for (const [name, { program }] of Object.entries(content.classifiers)) programs.classifiers[name] = withConstants(program, bytes);
    hire(programs);
    makeChoices();
    makeDirections();
    makeGrid();
    describeClassifier();
    connect();
    connectPins();
    connectMap();
    sampleAgain();
    choose(0);
    pins.inputs = [inputsOf(0), inputsOf(1)];
    showPins();
  } catch (error) {
    fail(error.message);
    throw error;
  }
}

start();

"use strict";

const element = (id) => document.getElementById(id);
const content = JSON.parse(element("generator").textContent);
const { facts, codes, directions } = content;
const [channels, height, width] = facts.image_shape;
const conditional = facts.num_classes > 0;
const groups = facts.num_classes || codes.categories || 0; // classes or categories, which the grid shows in columns
const COLUMNS = groups > 0 && groups <= 12 ? groups : 8;
const COUNT = COLUMNS * 6;
const STEPS = 9;
const MAX_WAIT = 25; // milliseconds of drawing before the page may answer again

let constants = null;
const state = {
  samples: [], chosen: 0, truncation: 1, group: null, continuous: new Array(codes.continuous || 0).fill(null),
  moves: directions.map(() => 0), pinned: [null, null],
};

// What is drawn

function condition(index, continuous) {
  const y = new Float32Array(groups + (codes.continuous || 0));
  if (groups) y[state.group ?? index % groups] = 1;
  state.continuous.forEach((value, i) => { y[groups + i] = value ?? continuous[i]; });
  return y;
}

function inputsOf(index) {
  const { z, continuous } = state.samples[index];
  return { z: z.map((value) => value * state.truncation), y: condition(index, continuous) };
}

function changedInputs() {
  const { z, y } = inputsOf(state.chosen);
  state.moves.forEach((amount, k) => directions[k].forEach((value, i) => { z[i] += amount * value; }));
  return { z, y };
}

// Along the great circle for normal latents, whose lengths are nearly the same; on a line for uniform ones
function between(a, b, t) {
  const mix = (u, v, s, r) => u.map((value, i) => s * value + r * v[i]);
  const length = (v) => Math.hypot(...v);
  const cosine = a.z.reduce((sum, value, i) => sum + value * b.z[i], 0) / (length(a.z) * length(b.z));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const round = facts.prior === "normal" && Math.sin(angle) > 1e-3;
  const shares = round ? [Math.sin((1 - t) * angle), Math.sin(t * angle)].map((v) => v / Math.sin(angle)) : [1 - t, t];
  return { z: mix(a.z, b.z, ...shares), y: mix(a.y, b.y, 1 - t, t) };
}

function draw(canvas, { z, y }) {
  const image = generate(content.program, constants, z, y), pixels = new ImageData(width, height), plane = width * height;
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = Math.round((image[(channels === 3 ? c * plane : 0) + i] + 1) * 127.5);
    pixels.data[4 * i + 3] = 255;
  }
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

// One drawing of each kind at a time: a newer one ends the older

const running = {};

async function drawAll(kind, canvases, inputs) {
  const ticket = (running[kind] = (running[kind] || 0) + 1);
  let started = performance.now();
  for (let i = 0; i < canvases.length; i++) {
    if (running[kind] !== ticket) return;
    draw(canvases[i], inputs(i));
    if (performance.now() - started > MAX_WAIT) {
      await new Promise((resolve) => setTimeout(resolve));
      started = performance.now();
    }
  }
}

const canvasesIn = (id) => [...element(id).querySelectorAll("canvas")];
const drawGrid = () => drawAll("grid", canvasesIn("grid"), inputsOf);
const drawOne = () => drawAll("one", [element("one")], changedInputs);

function drawBetween(withEnds = true) {
  const [a, b] = state.pinned, t = Number(element("position").value);
  element("share").textContent = `${Math.round((1 - t) * 100)} % A, ${Math.round(t * 100)} % B`;
  drawAll("middle", [element("middle")], () => between(a, b, t));
  if (!withEnds) return;
  drawAll("ends", [element("image-a"), element("image-b")], (i) => state.pinned[i]);
  drawAll("strip", canvasesIn("strip"), (i) => between(a, b, i / (STEPS - 1)));
}

function choose(index) {
  state.chosen = index;
  [...element("grid").children].forEach((cell, i) => cell.setAttribute("aria-pressed", i === index));
  drawOne();
}

function sampleAgain() {
  const seed = Math.min(2 ** 32 - 1, Math.max(0, Math.floor(Number(element("seed").value) || 0)));
  element("seed").value = seed;
  state.samples = sampleInputs(facts.prior, facts.latent_dim, codes, COUNT, seed);
  drawGrid();
  choose(state.chosen);
}

function redraw() {
  drawGrid();
  drawOne();
}

// Controls

function slider(name, { min, max, step, value }, moved) {
  const label = document.createElement("label"), input = document.createElement("input");
  label.className = "slider";
  label.append(Object.assign(document.createElement("span"), { textContent: name }), input, document.createElement("output"));
  Object.assign(input, { type: "range", min, max, step, value });
  follow(input, moved);
  return label;
}

function follow(input, moved, digits = 2) {
  const show = () => { input.parentElement.querySelector("output").textContent = Number(input.value).toFixed(digits); };
  input.addEventListener("input", () => { show(); moved(Number(input.value)); });
  if (input.parentElement) show();
}

function button(text, pressed) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  made.addEventListener("click", pressed);
  return made;
}

function makeChoices() {
  if (groups) {
    const row = Object.assign(document.createElement("div"), { className: "row" });
    const names = conditional ? facts.classes : Array.from({ length: groups }, (_, i) => `category ${i}`);
    ["all", ...names].forEach((name, i) => row.append(button(name, () => {
      state.group = i ? i - 1 : null;
      [...row.children].forEach((each, k) => each.setAttribute("aria-pressed", k === i));
      redraw();
    })));
    row.firstChild.setAttribute("aria-pressed", true);
    element("choices").append(row);
  }
  state.continuous.forEach((_, i) => element("choices").append(
    slider(`Code ${i + 1}`, { min: -2, max: 2, step: 0.05, value: 0 }, (value) => {
      state.continuous[i] = value;
      redraw();
    })));
}

function makeDirections() {
  const range = { min: -4, max: 4, step: 0.1, value: 0 };
  directions.forEach((_, k) => element("directions").append(slider(`Direction ${k + 1}`, range, (value) => {
    state.moves[k] = value;
    drawOne();
  })));
}

function makeGrid() {
  element("grid").style.setProperty("--columns", COLUMNS);
  element("grid").style.setProperty("--narrow-columns", groups ? COLUMNS : 5);
  for (let i = 0; i < COUNT; i++) {
    const cell = button("", () => choose(i));
    cell.setAttribute("aria-label", `Sample ${i + 1}`);
    cell.append(Object.assign(document.createElement("canvas"), { width, height }));
    element("grid").append(cell);
  }
  for (let i = 0; i < STEPS; i++) element("strip").append(Object.assign(document.createElement("canvas"), { width, height }));
}

function dragAcrossStrip(event) {
  if (event.type === "pointermove" && !event.buttons) return;
  const { left, width: wide } = element("strip").getBoundingClientRect();
  element("position").value = (event.clientX - left) / wide;
  drawBetween(false);
}

function resetSliders() {
  state.moves.fill(0);
  for (const input of element("directions").querySelectorAll("input")) {
    input.value = 0;
    input.dispatchEvent(new Event("input"));
  }
}

function pin(which) {
  state.pinned[which] = changedInputs();
  drawBetween();
}

// Pictures

function save(canvases, columns, name) {
  const scale = Math.max(1, Math.round(112 / height)), gap = canvases.length > 1 ? 2 * scale : 0;
  const rows = Math.ceil(canvases.length / columns), picture = document.createElement("canvas");
  picture.width = columns * (width * scale + gap) - gap;
  picture.height = rows * (height * scale + gap) - gap;
  const context = picture.getContext("2d");
  context.fillStyle = "#202020";
  context.fillRect(0, 0, picture.width, picture.height);
  context.imageSmoothingEnabled = false;
  canvases.forEach((canvas, i) => context.drawImage(canvas, (i % columns) * (width * scale + gap),
    Math.floor(i / columns) * (height * scale + gap), width * scale, height * scale));
  const link = Object.assign(document.createElement("a"), { download: name, href: picture.toDataURL("image/png") });
  link.click();
}

function connect() {
  follow(element("truncation"), (value) => { state.truncation = value; redraw(); });
  element("seed").addEventListener("change", sampleAgain);
  element("next-seed").addEventListener("click", () => { element("seed").value++; sampleAgain(); });
  element("reset").addEventListener("click", resetSliders);
  element("pin-a").addEventListener("click", () => pin(0));
  element("pin-b").addEventListener("click", () => pin(1));
  element("position").addEventListener("input", () => drawBetween(false));
  ["pointerdown", "pointermove"].forEach((kind) => element("strip").addEventListener(kind, dragAcrossStrip));
  element("save-one").addEventListener("click", () => save([element("one")], 1, "image.png"));
  element("save-grid").addEventListener("click", () => save(canvasesIn("grid"), COLUMNS, `samples-${element("seed").value}.png`));
}

// The facts

function describe() {
  const trained = `${facts.weights === "ema" ? "averaged weights" : "weights"} after ${facts.generator_steps.toLocaleString("en")} generator steps`;
  element("facts").textContent = `${content.network}, ${width}×${height} pixels, ${facts.latent_dim} latent coordinates, ${trained}`;
  element("scores").hidden = facts.scores.length === 0;
  const number = (value) => (value === undefined ? "" : Number(value.toPrecision(4)).toString());
  for (const { score, value, real_baseline: real, n, data, split } of facts.scores) {
    const row = element("scores").querySelector("tbody").insertRow();
    [score, number(value), number(real), `${n.toLocaleString("en")} samples, ${data} ${split}`].forEach((text) => { row.insertCell().textContent = text; });
  }
}

async function start() {
  try {
    describe();
    constants = await readConstants(content.constants, element("weights").textContent);
    makeChoices();
    makeDirections();
    makeGrid();
    connect();
    sampleAgain();
    state.pinned = [inputsOf(0), inputsOf(1)];
    drawBetween();
  } catch (error) {
    element("failure").hidden = false;
    element("failure").textContent = `This browser cannot draw the images (${error.message}); use a recent one.`;
    throw error;
  }
}

start();

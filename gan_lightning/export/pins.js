"use strict";
// Pinned images, and the way from each to the next.

const STEPS = 9;
const MOST_PINS = 6;
const SECONDS_BETWEEN_PINS = 2;

const pins = { inputs: [], playing: false };

const nameOfPin = (number) => String.fromCharCode(65 + number);

// Inputs at a share of the whole way, 0 to 1
function alongPins(share) {
  const place = share * (pins.inputs.length - 1), from = Math.min(Math.floor(place), pins.inputs.length - 2);
  return between(pins.inputs[from], pins.inputs[from + 1], place - from, facts.prior);
}

function drawMiddle() {
  const input = element("position"), place = Number(input.value) * (pins.inputs.length - 1);
  const from = Math.min(Math.floor(place), pins.inputs.length - 2), share = Math.round(100 * (place - from));
  const text = `${100 - share} % ${nameOfPin(from)}, ${share} % ${nameOfPin(from + 1)}`;
  element("share").textContent = text;
  input.setAttribute("aria-valuetext", text);
  const inputs = alongPins(Number(input.value));
  canvasesIn("middle").forEach((canvas, run) => draw(canvas, 0, run, inputs));
}

function drawStrip() {
  canvasesIn("pins").forEach((canvas, i) => draw(canvas, 1, state.run, pins.inputs[i]));
  canvasesIn("strip").forEach((canvas, i) => draw(canvas, 1, state.run, alongPins(i / (STEPS - 1))));
}

function drawPins() {
  drawMiddle();
  drawStrip();
}

function pin(inputs) {
  if (pins.inputs.length === MOST_PINS) pins.inputs.shift();
  pins.inputs.push(inputs);
  showPins();
}

function unpin(number) {
  pins.inputs.splice(number, 1);
  showPins();
}

function showPins() {
  element("pins").replaceChildren(...pins.inputs.map((_, i) => {
    const figure = document.createElement("figure"), caption = make("figcaption", { textContent: nameOfPin(i) });
    if (pins.inputs.length > 2) {
      const remove = button("×", () => unpin(i));
      remove.setAttribute("aria-label", `Remove pin ${nameOfPin(i)}`);
      caption.append(" ", remove);
    }
    figure.append(newCanvas(`Pinned image ${nameOfPin(i)}`), caption);
    return figure;
  }));
  drawPins();
}

function dragAcrossStrip(event) {
  if (event.type === "pointermove" && !event.buttons) return;
  const { left, width } = element("strip").getBoundingClientRect();
  element("position").value = (event.clientX - left) / width;
  drawMiddle();
}

// There and back, until it is stopped
function play() {
  pins.playing = !pins.playing;
  element("play").textContent = pins.playing ? "Stop" : "Play";
  if (!pins.playing) return;
  const start = performance.now() - Number(element("position").value) * 1000 * SECONDS_BETWEEN_PINS * (pins.inputs.length - 1);
  const step = (now) => {
    if (!pins.playing) return;
    const turn = (now - start) / (1000 * SECONDS_BETWEEN_PINS * (pins.inputs.length - 1)) % 2;
    element("position").value = Math.max(0, turn > 1 ? 2 - turn : turn);
    drawMiddle();
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

function connectPins() {
  element("middle").append(...content.runs.map((run) => shownRun(run, `Between pinned images: ${run.name}`)));
  for (let i = 0; i < STEPS; i++) element("strip").append(newCanvas());
  element("pin").addEventListener("click", () => pin(inputsOf(state.chosen)));
  element("play").addEventListener("click", play);
  element("position").addEventListener("input", () => { if (pins.playing) play(); drawMiddle(); });
  ["pointerdown", "pointermove"].forEach((kind) => element("strip").addEventListener(kind, dragAcrossStrip));
  element("save-strip").addEventListener("click", () => save(canvasesIn("strip"), STEPS, "between.png"));
}

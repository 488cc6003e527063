"use strict";
// A map of the images around the chosen one along two directions, each point in the color of its class.

const POINTS = 13; // in each row and column
const REACH = 4; // the largest move along a direction, as the sliders have it

const plane = { axes: [0, 1], canvases: new Map() };

const moveAt = (index) => -REACH + (2 * REACH * index) / (POINTS - 1);

function inputsAt(x, y) {
  const moves = [...state.moves];
  moves[plane.axes[0]] = x;
  moves[plane.axes[1]] = y;
  return inputsOf(state.chosen, moves);
}

// First every fourth point, then those between, so that the whole map soon can be seen
function order() {
  const all = Array.from({ length: POINTS * POINTS }, (_, i) => [i % POINTS, Math.floor(i / POINTS)]);
  const stage = ([x, y]) => (x % 4 === 0 && y % 4 === 0 ? 0 : x % 2 === 0 && y % 2 === 0 ? 1 : 2);
  return all.sort((a, b) => stage(a) - stage(b));
}

const ORDER = order();

function drawMap() {
  const { image_shape: shape } = content.runs[state.run].facts, canvas = element("map"), context = canvas.getContext("2d");
  const [, height, width] = shape;
  if (canvas.width !== POINTS * width || canvas.height !== POINTS * height)
    [canvas.width, canvas.height] = [POINTS * width, POINTS * height];
  ORDER.forEach(([x, y]) => {
    const place = plane.canvases.get(y * POINTS + x) ?? newCanvas();
    plane.canvases.set(y * POINTS + x, place);
    const show = (pixels, tint) => {
      paint(place, pixels, shape, tint);
      context.drawImage(place, x * width, (POINTS - 1 - y) * height);
    };
    const { run } = state;
    ask(place, 2, { kind: "draw", run, ...inputsAt(moveAt(x), moveAt(y)) }, (pixels) => {
      if (content.runs[run].classifier)
        classify(place, 2, run, pixels, (probabilities) => show(pixels, rgbOf(top1(probabilities))), canvas);
      else show(pixels);
    }, canvas);
  });
  showPoint();
}

// Only when the moves of other directions or the chosen image change, the map does; else its point is moved
let mapKey = "";

function updateMap() {
  const others = state.moves.map((amount, k) => (plane.axes.includes(k) ? 0 : amount));
  const key = JSON.stringify([others, state.chosen, state.truncation, state.group, state.continuous, state.run, state.seed, plane.axes]);
  if (key !== mapKey) drawMap();
  else showPoint();
  mapKey = key;
}

function showPoint() {
  const [x, y] = plane.axes.map((axis) => (state.moves[axis] + REACH) / (2 * REACH));
  const share = (value) => `${100 * ((value * (POINTS - 1) + 0.5) / POINTS)}%`;
  Object.assign(element("point").style, { left: share(x), bottom: share(y) });
}

function moveTo(x, y) {
  const limit = (value) => Math.min(REACH, Math.max(-REACH, Math.round(value * 10) / 10));
  setMove(plane.axes[0], limit(x));
  setMove(plane.axes[1], limit(y));
  redraw();
}

function clickMap(event) {
  if (event.type === "pointermove" && !event.buttons) return;
  const { left, bottom, width, height } = element("map").getBoundingClientRect();
  const move = (share) => moveAt(share * POINTS - 0.5);
  moveTo(move((event.clientX - left) / width), move((bottom - event.clientY) / height));
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function stepOnMap(event) {
  const arrow = ARROWS[event.key];
  if (!arrow) return;
  event.preventDefault();
  const [x, y] = plane.axes.map((axis, i) => state.moves[axis] + arrow[i] * 0.5);
  moveTo(x, y);
}

function connectMap() {
  ["x-axis", "y-axis"].forEach((id, i) => {
    const choice = element(id);
    directions.forEach((_, k) => choice.append(new Option(`Direction ${k + 1}`, k)));
    choice.value = plane.axes[i];
    choice.addEventListener("change", () => {
      const other = 1 - i, value = Number(choice.value);
      if (plane.axes[other] === value) {
        plane.axes[other] = plane.axes[i];
        element(["x-axis", "y-axis"][other]).value = plane.axes[other];
      }
      plane.axes[i] = value;
      updateMap();
    });
  });
  eye.observe(element("map"));
  element("map").addEventListener("keydown", stepOnMap);
  ["pointerdown", "pointermove"].forEach((kind) => element("map").addEventListener(kind, clickMap));
}

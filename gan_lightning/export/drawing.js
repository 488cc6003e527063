"use strict";
// Workers draw the images, so that the page answers at once; a newer request for a place replaces the older one.

const URGENCIES = 4; // 0: the chosen image, 1: what was just changed, 2: what classifiers say, 3: what is out of sight

const crew = { idle: [], waiting: new Map(), working: new Set(), seen: new WeakMap(), onrest: [] };

const eye = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) crew.seen.set(target, isIntersecting);
  assign();
}, { rootMargin: "50px" });

function hire(programs) {
  const code = ["engine", "worker"].map((id) => document.getElementById(id).textContent).join("\n") + "\nconnectWorker();";
  const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const count = Math.min(4, Math.max(1, (navigator.hardwareConcurrency || 2) - 1));
  for (let i = 0; i < count; i++) {
    const worker = new Worker(address);
    worker.onerror = (event) => fail(event.message || "no workers");
    worker.postMessage({ programs });
    crew.idle.push(worker);
  }
}

// Ask for work at a place (any object or word); `done` gets the result unless another request has come for the place
function ask(place, urgency, work, done, canvas) {
  crew.waiting.set(place, { urgency, work, done, canvas });
  assign();
}

const urgencyOf = ({ urgency, canvas }) => (canvas && crew.seen.get(canvas) === false ? URGENCIES - 1 : urgency);

function mostUrgent() {
  let best = null, least = URGENCIES;
  for (const [place, task] of crew.waiting) {
    const urgency = urgencyOf(task);
    if (urgency < least && !crew.working.has(place)) // else an older result might come after a newer one
      [best, least] = [place, urgency];
  }
  return best;
}

function assign() {
  while (crew.idle.length && crew.waiting.size) {
    const place = mostUrgent();
    if (place === null) return;
    const task = crew.waiting.get(place), worker = crew.idle.pop();
    crew.waiting.delete(place);
    crew.working.add(place);
    worker.onmessage = ({ data }) => {
      crew.idle.push(worker);
      crew.working.delete(place);
      if (data.error) fail(data.error);
      else task.done(data.result);
      assign();
    };
    worker.postMessage(task.work);
  }
  if (!crew.working.size && !crew.waiting.size) crew.onrest.splice(0).forEach((resolve) => resolve());
}

// When all that was asked for is drawn
const atRest = () => (crew.working.size || crew.waiting.size ? new Promise((resolve) => crew.onrest.push(resolve)) : Promise.resolve());

function fail(message) {
  const box = document.getElementById("failure");
  box.hidden = false;
  box.textContent = `This browser cannot draw the images (${message}); use a recent one.`;
}

// Pixels onto a canvas. `tint` gives the color of dark pixels, whose place the image's light ones take
function paint(canvas, pixels, [channels, height, width], tint = [0, 0, 0]) {
  const picture = new ImageData(width, height), plane = width * height;
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) {
      const value = pixels[(channels === 3 ? c * plane : 0) + i];
      picture.data[4 * i + c] = value + (tint[c] * (255 - value)) / 255;
    }
    picture.data[4 * i + 3] = 255;
  }
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// Draw inputs of a run on a canvas, then ask its classifier; `classified` gets class probabilities and pixels
function draw(canvas, urgency, run, inputs, classified) {
  ask(canvas, urgency, { kind: "draw", run, ...inputs }, (pixels) => {
    paint(canvas, pixels, content.runs[run].facts.image_shape);
    if (classified) classify(canvas, urgency && 2, run, pixels, classified, canvas);
  }, canvas);
}

function classify(place, urgency, run, pixels, classified, canvas) {
  const { classifier } = content.runs[run];
  if (!classifier) return;
  const key = opinionPlace(place);
  ask(key, urgency, { kind: "classify", classifier, pixels }, (probabilities) => classified(probabilities, pixels), canvas);
}

const opinionPlaces = new Map();

// The place of what a classifier says about a place
function opinionPlace(place) {
  if (!opinionPlaces.has(place)) opinionPlaces.set(place, { of: place });
  return opinionPlaces.get(place);
}

// Colors of classes, apart also for most who see fewer colors; beyond ten, around the circle
const PALETTE = ["#4477aa", "#ee7733", "#228833", "#cc3311", "#aa3377", "#997700", "#009988", "#6655cc", "#66717e", "#2fa4d8"];

const colorOf = (number) => PALETTE[number] ?? `hsl(${(number * 137.5) % 360} 60% 45%)`;

function rgbOf(number) {
  const context = rgbOf.context ??= Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  context.fillStyle = colorOf(number);
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

const top1 = (probabilities) => probabilities.indexOf(Math.max(...probabilities));

const percent = (share) => `${Math.round(100 * share)} %`;

// Pictures

async function save(canvases, columns, name) {
  await atRest();
  const { width, height } = canvases[0], scale = Math.max(1, Math.round(112 / height)), gap = canvases.length > 1 ? 2 * scale : 0;
  const rows = Math.ceil(canvases.length / columns), picture = document.createElement("canvas");
  picture.width = columns * (width * scale + gap) - gap;
  picture.height = rows * (height * scale + gap) - gap;
  const context = picture.getContext("2d");
  context.fillStyle = "#202020";
  context.fillRect(0, 0, picture.width, picture.height);
  context.imageSmoothingEnabled = false;
  canvases.forEach((canvas, i) => context.drawImage(canvas, (i % columns) * (width * scale + gap),
    Math.floor(i / columns) * (height * scale + gap), width * scale, height * scale));
  make("a", { download: name, href: picture.toDataURL("image/png") }).click();
}

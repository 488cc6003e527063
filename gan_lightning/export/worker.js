"use strict";
// What a worker does with the engine: it gets the programs once, then draws images and asks classifiers about them.

let programs = null;

// Pixels 0 to 255, as PyTorch's samples have them: channels one after the other
const toPixels = (image) => Uint8ClampedArray.from(image, (value) => (value + 1) * 127.5); // which rounds and clamps

const WORK = {
  draw: ({ run, z, y }) => toPixels(runProgram(programs.runs[run], [z, y])),
  classify: ({ classifier, pixels }) =>
    runProgram(programs.classifiers[classifier], [Float32Array.from(pixels, (value) => value / 127.5 - 1)]),
};

function connectWorker() {
  onmessage = ({ data }) => {
    if (data.programs) programs = data.programs;
    else {
      try {
        postMessage({ result: WORK[data.kind](data) });
      } catch (error) {
        postMessage({ error: error.message });
      }
    }
  };
}

"use strict";
// A network's forward pass. An array is a Float32Array; its shape stands in the operation that made it.

const size = (shape) => shape.reduce((product, side) => product * side, 1);

// Reading weights

const asBytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

async function unzip(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function halfToFloat(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const HALVES = Float32Array.from({ length: 65536 }, (_, bits) => halfToFloat(bits));

// float16: all low bytes, then all high bytes, so that they take less room compressed
function readConstant(bytes, { half, shape, offset }) {
  const count = size(shape), own = bytes.subarray(offset);
  if (!half) return new Float32Array(own.slice(0, 4 * count).buffer);
  return Float32Array.from({ length: count }, (_, i) => HALVES[own[i] | (own[count + i] << 8)]);
}

// A program whose constants are arrays, by their names
const withConstants = (program, bytes) => ({
  ...program, constants: Object.fromEntries(program.constants.map((entry) => [entry.name, readConstant(bytes, entry)])),
});

// Operations: each takes the operation, and a function that gives an array by its name

const each = (f) => (op, get) => {
  const x = get(op.x), out = new Float32Array(x.length);
  for (let i = 0; i < x.length; i++) out[i] = f(x[i], op);
  return out;
};

function dot(a, from, b, start, count) {
  let sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0, i = 0;
  for (; i + 4 <= count; i += 4, from += 4, start += 4) { // four sums, which need not wait for each other
    sum0 += a[from] * b[start];
    sum1 += a[from + 1] * b[start + 1];
    sum2 += a[from + 2] * b[start + 2];
    sum3 += a[from + 3] * b[start + 3];
  }
  for (; i < count; i++) sum0 += a[from++] * b[start++];
  return sum0 + sum1 + sum2 + sum3;
}

function linear(op, get) {
  const x = get(op.x), weight = get(op.weight), bias = op.bias && get(op.bias);
  const outputs = op.shape[op.shape.length - 1], inputs = weight.length / outputs, rows = x.length / inputs;
  const out = new Float32Array(rows * outputs);
  for (let row = 0; row < rows; row++)
    for (let o = 0; o < outputs; o++)
      out[row * outputs + o] = (bias ? bias[o] : 0) + dot(weight, o * inputs, x, row * inputs, inputs);
  return out;
}

function startWithBias(op, get) {
  const [, channels, height, width] = op.shape, out = new Float32Array(channels * height * width);
  if (op.bias) get(op.bias).forEach((value, c) => out.fill(value, c * height * width, (c + 1) * height * width));
  return out;
}

// The positions i of a map of `count` pixels whose kernel's column k lies inside `end` pixels: 0 <= i s + k - p < end
const first = (k, padding, stride) => Math.max(0, Math.ceil((padding - k) / stride));
const last = (k, padding, stride, end, count) => Math.min(count - 1, Math.floor((end - 1 - k + padding) / stride));

// Calls visit(place in the large map, place in the small map, how many pixels on, row of the matrix) for each row of
// pixels that a pixel of the kernel meets: the small map's pixels lie `stride` apart in the large one
function meet({ channels, large: [height, width], small: [H, W], kernel: [KH, KW], stride: [sy, sx], padding: [py, px] }, visit) {
  for (let c = 0, row = 0; c < channels; c++)
    for (let ky = 0; ky < KH; ky++)
      for (let kx = 0; kx < KW; kx++, row++) {
        const left = first(kx, px, sx), count = last(kx, px, sx, width, W) - left + 1;
        for (let y = first(ky, py, sy), bottom = last(ky, py, sy, height, H); y <= bottom; y++)
          visit((c * height + y * sy + ky - py) * width + left * sx + kx - px, (row * H + y) * W + left, count);
      }
}

// A matrix product with a column for each output pixel, which holds the input pixels under the kernel
function conv2d(op, get) {
  const x = get(op.x), weight = get(op.weight), out = startWithBias(op, get), { groups } = op;
  const [, inputs, height, width] = op.from, [, outputs, H, W] = op.shape, [, , KH, KW] = op.kernel, [, sx] = op.stride;
  const channels = inputs / groups, k = channels * KH * KW, n = H * W, m = outputs / groups;
  const places = { channels, large: [height, width], small: [H, W], kernel: [KH, KW], stride: op.stride, padding: op.padding };
  for (let g = 0; g < groups; g++) {
    const columns = new Float32Array(k * n), plane = x.subarray(g * channels * height * width);
    meet(places, (from, to, count) => { for (let i = 0; i < count; i++) columns[to + i] = plane[from + i * sx]; });
    addProduct(out.subarray(g * m * n, (g + 1) * m * n), weight.subarray(g * m * k, (g + 1) * m * k), columns, m, k, n);
  }
  return out;
}

// The other way: what each input pixel gives to the output pixels under the kernel, added up
function convTranspose2d(op, get) {
  const x = get(op.x), weight = get(op.weight), out = startWithBias(op, get), { groups } = op;
  const [, inputs, height, width] = op.from, [, outputs, H, W] = op.shape, [, , KH, KW] = op.kernel, [, sx] = op.stride;
  const channels = outputs / groups, m = channels * KH * KW, n = height * width, k = inputs / groups;
  const places = { channels, large: [H, W], small: [height, width], kernel: [KH, KW], stride: op.stride, padding: op.padding };
  op.turned ??= turned(weight, groups, k, m);
  for (let g = 0; g < groups; g++) {
    const columns = new Float32Array(m * n), plane = out.subarray(g * channels * H * W);
    addProduct(columns, op.turned.subarray(g * m * k, (g + 1) * m * k), x.subarray(g * k * n, (g + 1) * k * n), m, k, n);
    meet(places, (to, from, count) => { for (let i = 0; i < count; i++) plane[to + i * sx] += columns[from + i]; });
  }
  return out;
}

// Matrices (groups, rows, columns) with rows and columns swapped
function turned(weight, groups, rows, columns) {
  const out = new Float32Array(weight.length);
  for (let g = 0; g < groups; g++)
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) out[(g * columns + c) * rows + r] = weight[(g * rows + r) * columns + c];
  return out;
}

function affine(op, get) {
  const x = get(op.x), scale = get(op.weight), shift = get(op.bias), pixels = x.length / op.shape[1];
  const out = new Float32Array(x.length);
  for (let c = 0, i = 0; i < x.length; c++) for (const end = i + pixels; i < end; i++) out[i] = x[i] * scale[c] + shift[c];
  return out;
}

function groupNorm(op, get) {
  const x = get(op.x), out = new Float32Array(x.length), length = x.length / op.groups, pixels = x.length / op.shape[1];
  const weight = op.weight && get(op.weight), bias = op.bias && get(op.bias);
  for (let start = 0; start < x.length; start += length) {
    let mean = 0, variance = 0;
    for (let i = start; i < start + length; i++) mean += x[i] / length;
    for (let i = start; i < start + length; i++) variance += (x[i] - mean) ** 2 / length;
    const scale = 1 / Math.sqrt(variance + op.eps);
    for (let i = start; i < start + length; i++) {
      const channel = Math.floor(i / pixels);
      out[i] = (x[i] - mean) * scale * (weight ? weight[channel] : 1) + (bias ? bias[channel] : 0);
    }
  }
  return out;
}

// For each element of an array of `shape`, the index of the element that is repeated there
function repeated(from, shape) {
  const index = new Int32Array(size(shape)), strides = new Array(shape.length).fill(0);
  for (let axis = 1, stride = 1; axis <= from.length; axis++) {
    const side = from[from.length - axis];
    strides[shape.length - axis] = side === 1 ? 0 : stride;
    stride *= side;
  }
  for (let i = 0; i < index.length; i++)
    for (let axis = shape.length - 1, rest = i; axis >= 0; rest = Math.floor(rest / shape[axis--]))
      index[i] += strides[axis] * (rest % shape[axis]);
  return index;
}

const both = (f) => (op, get) => {
  op.indices ??= op.shapes.map((shape) => repeated(shape, op.shape));
  const a = get(op.x), b = get(op.second), [ia, ib] = op.indices;
  const out = new Float32Array(ia.length);
  for (let i = 0; i < out.length; i++) out[i] = f(a[ia[i]], b[ib[i]]);
  return out;
};

function permute(op, get) {
  const x = get(op.x), strides = op.from.map((_, axis) => size(op.from.slice(axis + 1)));
  const out = new Float32Array(x.length), own = op.axes.map((axis) => strides[axis]);
  for (let i = 0; i < out.length; i++) {
    let index = 0;
    for (let axis = op.shape.length - 1, rest = i; axis >= 0; rest = Math.floor(rest / op.shape[axis--]))
      index += own[axis] * (rest % op.shape[axis]);
    out[i] = x[index];
  }
  return out;
}

function matmul(op, get) {
  const a = get(op.x), b = get(op.second), out = new Float32Array(size(op.shape));
  const [m, n] = op.shape.slice(-2), k = op.shapes[0][op.shapes[0].length - 1];
  const [ia, ib] = op.shapes.map((shape) => repeated(shape.slice(0, -2), op.shape.slice(0, -2)));
  for (let i = 0; i < out.length / (m * n); i++)
    addProduct(out.subarray(i * m * n, (i + 1) * m * n), a.subarray(ia[i] * m * k), b.subarray(ib[i] * k * n), m, k, n);
  return out;
}

function softmax(op, get) {
  const x = get(op.x), width = op.shape[op.shape.length - 1], out = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += width) {
    const row = x.subarray(start, start + width), top = row.reduce((a, b) => Math.max(a, b), -Infinity);
    let total = 0;
    for (const value of row) total += Math.exp(value - top);
    row.forEach((value, i) => { out[start + i] = Math.exp(value - top) / total; });
  }
  return out;
}

function upsample(op, get) {
  const x = get(op.x), [, channels, height, width] = op.from, [, , H, W] = op.shape;
  const out = new Float32Array(channels * H * W);
  for (let c = 0, i = 0; c < channels; c++)
    for (let y = 0; y < H; y++)
      for (let column = 0; column < W; column++, i++)
        out[i] = x[(c * height + Math.floor(y * height / H)) * width + Math.floor(column * width / W)];
  return out;
}

function maxPool(op, get) {
  const x = get(op.x), [, channels, height, width] = op.from, [, , H, W] = op.shape, [KH, KW] = op.size;
  const out = new Float32Array(channels * H * W).fill(-Infinity);
  for (let c = 0, i = 0; c < channels; c++)
    for (let y = 0; y < H; y++)
      for (let column = 0; column < W; column++, i++)
        for (let ky = 0; ky < KH; ky++)
          for (let kx = 0; kx < KW; kx++)
            out[i] = Math.max(out[i], x[(c * height + y * KH + ky) * width + column * KW + kx]);
  return out;
}

function mean(op, get) {
  const x = get(op.x), channels = op.shape[1], pixels = x.length / channels;
  return Float32Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (let i = c * pixels; i < (c + 1) * pixels; i++) sum += x[i];
    return sum / pixels;
  });
}

function concatenate(op, get) {
  const out = new Float32Array(size(op.shape));
  let offset = 0;
  for (const part of op.list.map(get)) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

const OPERATIONS = {
  linear, conv2d, conv_transpose2d: convTranspose2d, affine, group_norm: groupNorm, permute, matmul, softmax, upsample,
  max_pool2d: maxPool, mean, cat: concatenate,
  reshape: (op, get) => get(op.x),
  relu: each((v) => (v > 0 ? v : 0)),
  leaky_relu: each((v, op) => (v > 0 ? v : v * op.negative_slope)),
  elu: each((v) => (v > 0 ? v : Math.expm1(v))),
  silu: each((v) => v / (1 + Math.exp(-v))),
  tanh: each(Math.tanh),
  sigmoid: each((v) => 1 / (1 + Math.exp(-v))),
  add: both((a, b) => a + b),
  sub: both((a, b) => a - b),
  mul: both((a, b) => a * b),
  div: both((a, b) => a / b),
};

// The output of a program: of a generator's an image, its channels one after the other, in [-1, 1]
function runProgram({ inputs, operations, constants }, arrays) {
  const values = Object.fromEntries(inputs.map((name, i) => [name, arrays[i]]));
  const get = (name) => values[name] ?? constants[name];
  for (const op of operations) values[op.out] = OPERATIONS[op.op](op, get);
  return values[operations[operations.length - 1].out];
}

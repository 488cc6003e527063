"use strict";
// A generator's forward pass. An array is a Float32Array; its shape stands in the operation that made it.

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

const READ = {
  f32: (bytes, shape) => new Float32Array(bytes.slice(0, 4 * size(shape)).buffer),
  // all low bytes, then all high bytes: so they take less room compressed
  f16: (bytes, shape) => {
    const count = size(shape), table = Float32Array.from({ length: 65536 }, (_, bits) => halfToFloat(bits));
    return Float32Array.from({ length: count }, (_, i) => table[bytes[i] | (bytes[count + i] << 8)]);
  },
  // a scale for each row, then numbers from -127 to 127
  i8: (bytes, shape) => {
    const rows = shape[0], count = size(shape), width = count / rows;
    const scales = new Float32Array(bytes.slice(0, 4 * rows).buffer);
    const numbers = new Int8Array(bytes.slice(4 * rows, 4 * rows + count).buffer);
    return Float32Array.from(numbers, (number, i) => number * scales[Math.floor(i / width)]);
  },
};

async function readConstants(table, base64) {
  const bytes = await unzip(asBytes(base64));
  return Object.fromEntries(
    table.map(({ name, kind, shape, offset }) => [name, READ[kind](bytes.subarray(offset), shape)]));
}

// Operations: each takes the operation, and a function that gives an array by its name

const each = (f) => (op, get) => get(op.x).map((value) => f(value, op));

function linear(op, get) {
  const x = get(op.x), weight = get(op.weight), bias = op.bias && get(op.bias);
  const outputs = op.shape[op.shape.length - 1], inputs = weight.length / outputs, rows = x.length / inputs;
  const out = new Float32Array(rows * outputs);
  for (let row = 0; row < rows; row++)
    for (let o = 0; o < outputs; o++) {
      let sum = bias ? bias[o] : 0;
      for (let i = 0, w = o * inputs, v = row * inputs; i < inputs; i++) sum += weight[w + i] * x[v + i];
      out[row * outputs + o] = sum;
    }
  return out;
}

function startWithBias(op, get) {
  const [, channels, height, width] = op.shape, out = new Float32Array(channels * height * width);
  if (op.bias) get(op.bias).forEach((value, c) => out.fill(value, c * height * width, (c + 1) * height * width));
  return out;
}

// The output columns (rows) that a kernel's column reaches: from the first to the last i with 0 <= i s + k - p < end
const first = (k, padding, stride) => Math.max(0, Math.ceil((padding - k) / stride));
const last = (k, padding, stride, end, count) => Math.min(count - 1, Math.floor((end - 1 - k + padding) / stride));

function conv2d(op, get) {
  const x = get(op.x), weight = get(op.weight), out = startWithBias(op, get);
  const [, inputs, height, width] = op.from, [, outputs, H, W] = op.shape, [, , KH, KW] = op.kernel;
  const [sy, sx] = op.stride, [py, px] = op.padding, perGroup = inputs / op.groups, outPerGroup = outputs / op.groups;
  for (let o = 0; o < outputs; o++)
    for (let j = 0; j < perGroup; j++) {
      const plane = (Math.floor(o / outPerGroup) * perGroup + j) * height * width;
      for (let ky = 0; ky < KH; ky++)
        for (let kx = 0; kx < KW; kx++) {
          const w = weight[((o * perGroup + j) * KH + ky) * KW + kx];
          const left = first(kx, px, sx), right = last(kx, px, sx, width, W);
          for (let y = first(ky, py, sy), bottom = last(ky, py, sy, height, H); y <= bottom; y++) {
            const from = plane + (y * sy + ky - py) * width + kx - px, to = (o * H + y) * W;
            for (let c = left; c <= right; c++) out[to + c] += w * x[from + c * sx];
          }
        }
    }
  return out;
}

function convTranspose2d(op, get) {
  const x = get(op.x), weight = get(op.weight), out = startWithBias(op, get);
  const [, inputs, height, width] = op.from, [, outputs, H, W] = op.shape, [, , KH, KW] = op.kernel;
  const [sy, sx] = op.stride, [py, px] = op.padding, perGroup = inputs / op.groups, outPerGroup = outputs / op.groups;
  for (let i = 0; i < inputs; i++)
    for (let j = 0; j < outPerGroup; j++) {
      const plane = (Math.floor(i / perGroup) * outPerGroup + j) * H * W;
      for (let ky = 0; ky < KH; ky++)
        for (let kx = 0; kx < KW; kx++) {
          const w = weight[((i * outPerGroup + j) * KH + ky) * KW + kx];
          const left = first(kx, px, sx), right = last(kx, px, sx, W, width);
          for (let y = first(ky, py, sy), bottom = last(ky, py, sy, H, height); y <= bottom; y++) {
            const to = plane + (y * sy + ky - py) * W + kx - px, from = (i * height + y) * width;
            for (let c = left; c <= right; c++) out[to + c * sx] += w * x[from + c];
          }
        }
    }
  return out;
}

function affine(op, get) {
  const x = get(op.x), scale = get(op.weight), shift = get(op.bias), pixels = x.length / op.shape[1];
  return x.map((value, i) => value * scale[Math.floor(i / pixels)] + shift[Math.floor(i / pixels)]);
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
  return Float32Array.from(ia, (index, i) => f(a[index], b[ib[i]]));
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
  const [n, m] = op.shape.slice(-2), k = op.shapes[0][op.shapes[0].length - 1];
  const [ia, ib] = op.shapes.map((shape) => repeated(shape.slice(0, -2), op.shape.slice(0, -2)));
  for (let batch = 0; batch < out.length / (n * m); batch++)
    for (let row = 0; row < n; row++)
      for (let i = 0; i < k; i++) {
        const value = a[(ia[batch] * n + row) * k + i], from = (ib[batch] * k + i) * m, to = (batch * n + row) * m;
        for (let c = 0; c < m; c++) out[to + c] += value * b[from + c];
      }
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
  cat: concatenate,
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

// An image, its channels one after the other, in [-1, 1]
function generate(program, constants, z, y) {
  const values = { z: Float32Array.from(z), y: Float32Array.from(y) };
  const get = (name) => values[name] ?? constants[name];
  for (const op of program) values[op.out] = OPERATIONS[op.op](op, get);
  return values[program[program.length - 1].out];
}

// The random numbers of torch.Generator().manual_seed(seed): those of its CPU, a Mersenne Twister

function mersenneTwister(seed) {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let i = 1; i < 624; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  let next = 624;
  return () => {
    if (next === 624) {
      for (let i = 0; i < 624; i++) {
        const mixed = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
        state[i] = state[(i + 397) % 624] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
      }
      next = 0;
    }
    let bits = state[next++];
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    return (bits ^ (bits >>> 18)) >>> 0;
  };
}

const uniform = (random) => (random() & 0xffffff) / 0x1000000;

function normals(random, count) {
  const out = Float32Array.from({ length: Math.max(count, 16) }, () => uniform(random));
  const boxMuller = (start) => {
    for (let i = start; i < start + 8; i++) {
      const radius = Math.sqrt(-2 * Math.log(1 - out[i])), angle = 2 * Math.PI * out[i + 8];
      out[i] = radius * Math.cos(angle);
      out[i + 8] = radius * Math.sin(angle);
    }
  };
  for (let start = 0; start + 16 <= count; start += 16) boxMuller(start);
  if (count % 16) {
    const start = out.length - 16;
    for (let i = start; i < out.length; i++) out[i] = uniform(random);
    boxMuller(start);
  }
  return out.subarray(0, count);
}

const HALF_WIDTHS = { uniform: 1, uniform_unit_variance: Math.sqrt(3) };

// The latent vectors and codes of `python -m gan_lightning sample n=COUNT seed=SEED`
function sampleInputs(prior, latentDim, codes, count, seed) {
  const random = mersenneTwister(seed), half = HALF_WIDTHS[prior], total = count * latentDim;
  const all = half ? Float32Array.from({ length: total }, () => (uniform(random) * 2 - 1) * half) : normals(random, total);
  for (let i = 0; i < (codes.categories ? count : 0); i++) random(); // categories, which are taken in turn instead
  const continuous = () => Float32Array.from({ length: codes.continuous || 0 }, () => uniform(random) * 2 - 1);
  return Array.from({ length: count }, (_, i) => (
    { z: all.slice(i * latentDim, (i + 1) * latentDim), continuous: continuous() }));
}

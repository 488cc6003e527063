"use strict";
// Matrix products in WebAssembly, four numbers at a time: several times as fast as a loop in JavaScript.

const ROWS = 4, COLUMNS_AT_ONCE = 8; // of the product, whose sums stay in registers

// Numbers as WebAssembly writes them
function leb(value) {
  const bytes = [];
  for (; value >= 128; value >>>= 7) bytes.push((value & 127) | 128);
  return [...bytes, value];
}

const counted = (bytes) => [...leb(bytes.length), ...bytes];
const text = (word) => counted([...word].map((letter) => letter.charCodeAt(0)));

// The instructions that are needed
const get = (local) => [0x20, local], set = (local) => [0x21, local], constant = (value) => [0x41, value];
const ADD = 0x6a, SUBTRACT = 0x6b, MULTIPLY = 0x6c, LESS = 0x49, END = 0x0b;
const loadFour = (offset) => [0xfd, 0x00, 2, offset], loadOneFourTimes = (offset) => [0xfd, 0x09, 2, offset];
const STORE_FOUR = [0xfd, 0x0b, 2, 0], ZEROS = [0xfd, 0x0c, ...new Array(16).fill(0)];
const ADD_FOUR = [0xfd, 0xe4, 1], MULTIPLY_FOUR = [0xfd, 0xe6, 1];
const increase = (local, amount) => [...get(local), ...amount, ADD, ...set(local)];
const loopUntil = (body, condition) => [0x03, 0x40, ...body, ...condition, 0x0d, 0, END];

// product(out, a, b, m, k, n): out = a b in float32, at byte addresses, where m is a multiple of 4 and n of 8. out is (m, n),
// row by row; a and b lie in the order in which they are read: a as (m / 4, k, 4), four of its rows at a time, and b as
// (n / 8, k, 8), eight of its columns
function productCode() {
  const [out, a, b, m, k, n, row, column, rest, atA, atB, step, at] = Array.from({ length: 13 }, (_, i) => i);
  const sum = (r, half) => 13 + 2 * r + half, left = 21, right = 22, factor = 23, rows = [0, 1, 2, 3];
  const times4 = (local) => [...get(local), ...constant(4), MULTIPLY];
  const accumulate = [
    ...get(atB), ...loadFour(0), ...set(left), ...get(atB), ...loadFour(16), ...set(right),
    ...rows.flatMap((r) => [
      ...get(atA), ...loadOneFourTimes(4 * r), ...set(factor),
      ...[left, right].flatMap((side, half) => [
        ...get(sum(r, half)), ...get(factor), ...get(side), ...MULTIPLY_FOUR, ...ADD_FOUR, ...set(sum(r, half))]),
    ]),
    ...increase(atA, constant(16)), ...increase(atB, constant(32)), ...get(rest), ...constant(1), SUBTRACT, ...set(rest),
  ];
  const store = rows.flatMap((r) => [
    ...get(at), ...get(sum(r, 0)), ...STORE_FOUR, ...get(at), ...constant(16), ADD, ...get(sum(r, 1)), ...STORE_FOUR,
    ...increase(at, get(step))]);
  const block = [
    ...rows.flatMap((r) => [...ZEROS, ...set(sum(r, 0)), ...ZEROS, ...set(sum(r, 1))]),
    ...get(a), ...get(row), ...times4(k), MULTIPLY, ADD, ...set(atA), ...get(b), ...times4(column), ...get(k), MULTIPLY, ADD, ...set(atB),
    ...get(k), ...set(rest), ...loopUntil(accumulate, get(rest)),
    ...get(out), ...get(row), ...get(step), MULTIPLY, ADD, ...times4(column), ADD, ...set(at), ...store,
    ...increase(column, constant(COLUMNS_AT_ONCE)),
  ];
  const band = [
    ...constant(0), ...set(column), ...loopUntil(block, [...get(column), ...get(n), LESS]), ...increase(row, constant(ROWS))];
  const body = [...times4(n), ...set(step), ...loopUntil(band, [...get(row), ...get(m), LESS]), END];
  const locals = [2, 7, 0x7f, 11, 0x7b]; // seven whole numbers, eleven times four floats
  return [...locals, ...body];
}

function assembleModule() {
  const section = (number, bytes) => [number, ...counted(bytes)];
  return Uint8Array.from([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 6, ...new Array(6).fill(0x7f), 0]), // one type: six whole numbers, no result
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]), // a memory of one page at first
    ...section(7, [2, ...text("memory"), 2, 0, ...text("product"), 0, 0]),
    ...section(10, [1, ...counted(productCode())]),
  ]);
}

let wasm = null;

// The memory as numbers, of which there are `count` at least
function memoryOf(count) {
  wasm ??= new WebAssembly.Instance(new WebAssembly.Module(assembleModule())).exports;
  const missing = 4 * count - wasm.memory.buffer.byteLength;
  if (missing > 0) wasm.memory.grow(Math.ceil(missing / 65536));
  return new Float32Array(wasm.memory.buffer);
}

const upTo = (count, multiple) => Math.ceil(count / multiple) * multiple;

// out += a b, of a (m, k), b (k, n) and out (m, n)
function addProduct(out, a, b, m, k, n) {
  const M = upTo(m, ROWS), N = upTo(n, COLUMNS_AT_ONCE), startB = M * k, startOut = startB + k * N;
  const memory = memoryOf(startOut + M * N);
  for (let row = 0; row < M; row++)
    for (let i = 0, at = (row - (row % ROWS)) * k + (row % ROWS), from = row * k; i < k; i++, at += ROWS)
      memory[at] = row < m ? a[from + i] : 0;
  for (let first = 0, at = startB; first < N; first += COLUMNS_AT_ONCE)
    for (let i = 0; i < k; i++)
      for (let c = first, from = i * n; c < first + COLUMNS_AT_ONCE; c++) memory[at++] = c < n ? b[from + c] : 0;
  wasm.product(4 * startOut, 0, 4 * startB, M, k, N);
  for (let row = 0; row < m; row++)
    for (let c = 0, at = startOut + row * N, to = row * n; c < n; c++) out[to + c] += memory[at + c];
}

"use strict";
// Latent vectors: those of a seed, and those between two others.

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

// Between inputs a and b at the share t, for normal latent vectors along the great circle, since their lengths are nearly
// the same, and on a line for uniform ones
function between(a, b, t, prior) {
  const mix = (u, v, s, r) => u.map((value, i) => s * value + r * v[i]);
  const length = (v) => Math.hypot(...v);
  const cosine = a.z.reduce((sum, value, i) => sum + value * b.z[i], 0) / (length(a.z) * length(b.z));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine || 0)));
  const round = prior === "normal" && Math.sin(angle) > 1e-3;
  const shares = round ? [Math.sin((1 - t) * angle), Math.sin(t * angle)].map((v) => v / Math.sin(angle)) : [1 - t, t];
  return { z: mix(a.z, b.z, ...shares), y: mix(a.y, b.y, 1 - t, t) };
}

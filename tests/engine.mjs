// What a page draws: its program on the latents and conditions of stdin, and the latents of a seed, as JSON.
import { readFileSync } from "node:fs";

const page = readFileSync(process.argv[2], "utf8");
const part = (id) => page.match(new RegExp(`<script[^>]*id="${id}">([\\s\\S]*?)</script>`))[1];
const engine = new Function(`${part("engine")}; return { generate, readConstants, sampleInputs };`)();
const { program, constants, facts, codes } = JSON.parse(part("generator"));
const { inputs, count, seed } = JSON.parse(readFileSync(0, "utf8"));
const weights = await engine.readConstants(constants, part("weights"));
const started = performance.now();
const images = inputs.map(({ z, y }) => Array.from(engine.generate(program, weights, z, y)));
const milliseconds = (performance.now() - started) / inputs.length;
const sampled = engine.sampleInputs(facts.prior, facts.latent_dim, codes, count, seed);
const latents = sampled.map(({ z, continuous }) => ({ z: Array.from(z), continuous: Array.from(continuous) }));
console.log(JSON.stringify({ images, latents, milliseconds }));

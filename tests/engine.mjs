// What a page computes: its programs on the inputs of stdin, and the latents of a seed, as JSON.
import { readFileSync } from "node:fs";

const page = readFileSync(process.argv[2], "utf8");
const part = (id) => page.match(new RegExp(`<script[^>]*id="${id}">([\\s\\S]*?)</script>`))[1];
const names = "runProgram, withConstants, unzip, asBytes, sampleInputs";
const engine = new Function(`${part("engine")}\n${part("latents")}; return { ${names} };`)();
const { runs, classifiers, codes } = JSON.parse(part("content"));
const { inputs, count, seed } = JSON.parse(readFileSync(0, "utf8"));
const bytes = await engine.unzip(engine.asBytes(part("weights")));
const program = engine.withConstants(runs[0].program, bytes);
const images = inputs.map(({ z, y }) => engine.runProgram(program, [Float32Array.from(z), Float32Array.from(y)]));
const [classifier] = Object.values(classifiers).map((each) => engine.withConstants(each.program, bytes));
const classes = classifier ? images.map((image) => engine.runProgram(classifier, [image])) : [];
const sampled = engine.sampleInputs(runs[0].facts.prior, runs[0].facts.latent_dim, codes, count, seed);
const latents = sampled.map(({ z, continuous }) => ({ z: [...z], continuous: [...continuous] }));
const plain = (arrays) => arrays.map((array) => [...array]);
console.log(JSON.stringify({ images: plain(images), classes: plain(classes), latents }));

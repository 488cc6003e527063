"""A page computes what PyTorch does, says what it cannot carry, and holds a stranger's words as words."""

import json
import shutil
import subprocess

import pytest
import torch
from torch import nn

from gan_lightning.__main__ import run_command
from gan_lightning.errors import UserError
from gan_lightning.export import read_run
from gan_lightning.export.interpret import interpret
from gan_lightning.export.page import Shown, make_page, trace_generator
from gan_lightning.export.program import trace
from gan_lightning.export.reference import reference_of
from gan_lightning.models.conditioning import ClassLabels, LatentCodes, Unconditional
from gan_lightning.models.prior import Prior
from gan_lightning.sampling import Inputs, Sampler
from tests.exports import GENERATORS, LATENT_DIM, SHAPE, facts_of, sampler_of
from tests.helpers import ROOT

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

NODE = {"_target_": "x.Generator"}


def shown(sampler: Sampler, shape=SHAPE, name="a run", classes=(), reference=None) -> Shown:
    return Shown(name, sampler, facts_of(NODE, {}, sampler, shape, classes), reference)


def made(name: str) -> Shown:
    options = {"shape": SHAPE, **GENERATORS[name]}
    return shown(sampler_of(name.split()[0], **options), options["shape"])


def in_float64(run: Shown, inputs: Inputs) -> torch.Tensor:
    """The images of a page's program, whose weights are those of the page, in float64."""
    program = trace_generator(run)
    program = program._replace(constants={name: value.double() for name, value in program.constants.items()})
    return torch.cat([interpret(program, z[None].double(), y[None].double()) for z, y in zip(*inputs, strict=True)])


def in_javascript(page: str, inputs: Inputs, seed: int, folder) -> dict:
    """What the page's own code computes."""
    (folder / "page.html").write_text(page)
    z, y = (part.tolist() for part in inputs)
    asked = {"inputs": [{"z": a, "y": b} for a, b in zip(z, y, strict=True)], "count": len(z), "seed": seed}
    words = ["node", str(ROOT / "tests" / "engine.mjs"), str(folder / "page.html")]
    done = subprocess.run(words, input=json.dumps(asked), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.usefixtures("float64")
def test_a_program_computes_what_its_network_does(name):
    options = {"shape": SHAPE, **GENERATORS[name]}
    sampler = sampler_of(name.split()[0], **options)
    inputs = sampler.sample_inputs(2, seed=5)
    program = trace(sampler.generator, *(part[:1] for part in inputs))
    program = program._replace(constants={name: value.double() for name, value in program.constants.items()})
    images = torch.cat([interpret(program, z[None], y[None]) for z, y in zip(*inputs, strict=True)])
    expected = sampler.generate(inputs)
    torch.testing.assert_close(images, expected, rtol=1e-5, atol=1e-5)  # constants were in float32


@pytest.mark.slow
@needs_node
@pytest.mark.parametrize("name", GENERATORS)
def test_a_page_computes_what_its_program_does(name, tmp_path):
    run = made(name)
    count, seed = 7, 5  # 70 coordinates: not a multiple of 16
    inputs = run.sampler.sample_inputs(count, seed)
    found = in_javascript(make_page([run]).text, inputs, seed, tmp_path)
    expected = in_float64(run, inputs)
    images = torch.tensor(found["images"], dtype=torch.double).reshape(expected.shape)
    assert (images - expected).abs().max() < 1e-4 * expected.abs().max().clamp(min=1)  # float32 between the layers
    latents = torch.tensor([each["z"] for each in found["latents"]])
    torch.testing.assert_close(latents, inputs.z, atol=1e-5, rtol=1e-5)
    if isinstance(run.sampler.conditioning, LatentCodes):
        continuous = torch.tensor([each["continuous"] for each in found["latents"]])
        torch.testing.assert_close(continuous, inputs.y[:, run.sampler.conditioning.categories :])


@pytest.mark.slow
@needs_node
def test_a_page_classifies_as_the_reference_classifier_does(finished, tmp_path):
    reference = reference_of(read_run(str(finished.path)).facts)
    assert reference.name == "mnist_cnn" and reference.classes == list("0123456789")
    run = shown(sampler_of("mlp", shape=(1, 28, 28), hidden=[16]), (1, 28, 28), reference=reference)
    inputs = run.sampler.sample_inputs(3, seed=5)
    found = in_javascript(make_page([run]).text, inputs, 5, tmp_path)
    with torch.no_grad():
        expected = reference.network(torch.tensor(found["images"]).reshape(3, 1, 28, 28))
    assert (torch.tensor(found["classes"]) - expected).abs().max() < 0.01  # its weights are rounded to float16


def test_a_page_fetches_nothing(finished, tmp_path, capsys):
    run_command("export", f"run={finished.path}", f"out={tmp_path / 'page.html'}")
    page = (tmp_path / "page.html").read_text()
    assert "{{" not in page and page.count("<script") == 6
    assert not any(word in page for word in ("http://", "https://", "src=", "@import", "url("))
    assert "differ from PyTorch's by 0." in capsys.readouterr().out


def test_explore_writes_the_page_into_the_run_folder(finished, capsys):
    run_command("explore", f"run={finished.path}", "browser=false")
    assert (finished.path / "playground.html").is_file() and "open in a browser: " in capsys.readouterr().out


def test_several_runs_stand_on_one_page(finished, tmp_path):
    run_command("export", f"run=[{finished.path},{finished.path}]", f"out={tmp_path / 'page.html'}")
    page = (tmp_path / "page.html").read_text()
    content = json.loads(page.split('id="content">')[1].split("</script>")[0])
    assert [run["name"] for run in content["runs"]] == [f"{finished.path.parent.name}/run"] * 2
    assert list(content["classifiers"]) == ["mnist_cnn"]  # once for both
    assert str(finished.path) not in page


# What a page cannot carry


class Sorted(nn.Module):
    def forward(self, z, y):
        return self.inner(z)

    def __init__(self):
        super().__init__()
        self.inner = Inner()


class Inner(nn.Module):
    def forward(self, z):
        return z.sort(1).values


def test_a_layer_that_a_page_cannot_carry_is_named():
    with pytest.raises(UserError, match=r"cannot carry the layer inner, Inner \(sort\); type format=safetensors"):
        trace(Sorted(), torch.zeros(1, 4), torch.zeros(1, 0))


class Planes(nn.Module):
    """The sum of z as the pixels of an image, times a factor of which 1000 is taken off again."""

    def __init__(self, factor: float, channels: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels * 4, LATENT_DIM), factor))
        self.register_buffer("thousand", torch.full((channels * 4, LATENT_DIM), 1000.0))
        self.channels = channels

    def forward(self, z, y):
        pixels = nn.functional.linear(z, self.weight) - nn.functional.linear(z, self.thousand)
        return torch.tanh(pixels.reshape(-1, self.channels, 2, 2))


def planes(factor: float = 1.0, channels: int = 1, dim: int = LATENT_DIM, prior="normal", **words) -> Shown:
    sampler = Sampler(Planes(factor, channels).eval(), Prior(dim, prior), Unconditional(0))
    return shown(sampler, (channels, 2, 2), **words)


def test_images_that_are_neither_gray_nor_rgb_are_refused():
    with pytest.raises(UserError, match="of 1 or 3 channels, and those of a run have 2; type format=safetensors"):
        make_page([planes(channels=2)])


def test_weights_that_16_bits_do_not_hold_are_refused():
    assert make_page([planes(1.0)]).error < 1e-3
    with pytest.raises(UserError, match=r"would differ from PyTorch's by [\d.]+/255, and 1/255 is allowed"):
        make_page([planes(1000.3)])  # 1000.5 in float16
    with pytest.raises(UserError, match="too large for a page, or not finite: training diverged"):
        make_page([planes(1e6)])


DIFFERENT = {
    "latent_dim": (lambda: planes(dim=4, name="B"), "the same latent_dim: a run has 10, B has 4"),
    "prior": (lambda: planes(prior="uniform", name="B"), "the same prior: a run has normal, B has uniform"),
    "conditioning": (
        lambda: shown(Sampler(Planes(1.0), Prior(10, "normal"), ClassLabels(3, "none")), name="B"),
        "the same conditioning: a run has no classes, B has 3 classes",
    ),
    "codes": (
        lambda: shown(Sampler(Planes(1.0), Prior(10, "normal"), LatentCodes(0, 3, 2)), name="B"),
        "the same conditioning: a run has no classes, B has latent codes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DIFFERENT)
def test_runs_of_different_inputs_are_refused(case):
    make, message = DIFFERENT[case]
    with pytest.raises(UserError, match=message):
        make_page([planes(), make()])


def test_several_runs_in_one_file_of_weights_are_refused():
    with pytest.raises(UserError, match="holds one generator: type run=A, or format=html"):
        run_command("export", "run=[A,B]", "format=safetensors")


def test_a_strangers_words_end_no_script():
    hostile = "</script><img src=x onerror=alert(1)>"
    sampler = sampler_of("mlp", ClassLabels(2, "none"), hidden=[16])
    page = make_page([shown(sampler, classes=[hostile, "b"], name=hostile)]).text
    assert "<img" not in page and page.count("</script>") == 6

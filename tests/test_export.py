"""Exports: what is read back draws the same, a page computes what PyTorch does, and a stranger's file is data."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import gan_lightning
from gan_lightning.__main__ import run_command
from gan_lightning.build import load_sampler
from gan_lightning.errors import UserError
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.export import read_export
from gan_lightning.export.card import describe
from gan_lightning.export.facts import Facts
from gan_lightning.export.onnx_file import NEEDED, encode_onnx, running
from gan_lightning.export.parity import check_parity
from gan_lightning.export.weights import KEY, MAX_FACTS, encode_export
from gan_lightning.networks.heads import apply_spectral_norm
from tests.exports import GENERATORS, facts_of, sampler_of
from tests.helpers import built

CLASSES = {"_target_": "gan_lightning.models.ClassLabels", "discriminator": "none"}


# The file of weights


@pytest.fixture
def exported(finished, tmp_path) -> Path:
    run_command("export", f"run={finished.path}", "format=safetensors", f"out={tmp_path / 'g.safetensors'}")
    return tmp_path / "g.safetensors"


def test_what_is_read_back_draws_the_same_images(finished, exported):
    found, (sampler, _) = read_export(exported), load_sampler(str(finished.path))
    assert torch.equal(found.sampler.sample(5, seed=3), sampler.sample(5, seed=3))
    assert found.facts.image_shape == (1, 28, 28) and found.facts.generator_steps == 6
    assert found.facts.network["_target_"] == "gan_lightning.networks.MLPGenerator"
    assert str(finished.path) not in found.facts.model_dump_json()


def test_spectral_norm_is_written_as_what_it_comes_to(tmp_path):
    module = built("network=resnet", "network.generator.width=4", "conditioning=labels", "data.batch_size=9")
    apply_spectral_norm(module.generator, "")
    module.generator.eval()
    sampler = module.sampler("raw")
    node = {"_target_": "gan_lightning.networks.ResNetGenerator", "width": 4, "norm": "batch", "attention": False}
    facts = facts_of(node, CLASSES, sampler, (1, 28, 28))
    (tmp_path / "g.safetensors").write_bytes(encode_export(sampler, facts))
    found = read_export(tmp_path / "g.safetensors").sampler
    assert torch.equal(found.sample(4), sampler.sample(4))


def rewrite(file: Path, change) -> None:
    """Change what a file says about itself."""
    facts = json.loads(read_export(file).facts.model_dump_json())
    change(facts)
    save_file(load_file(file), file, metadata={KEY: json.dumps(facts)})


HOSTILE = {
    "code of elsewhere": (lambda facts: facts["network"].update(_target_="os.system"), "names code that an export"),
    "another group's class": (
        lambda facts: facts["network"].update(_target_="gan_lightning.losses.NonSaturating"), "names code",
    ),
    "an unknown option": (lambda facts: facts["network"].update(depth=3), "is not a valid option"),
    "more weights": (lambda facts: facts["network"].update(hidden=[10**12]), "other weights than its description"),
    "more layers": (lambda facts: facts["network"].update(hidden=[1] * 9999), "asks for more"),
    "huge images": (lambda facts: facts.update(image_shape=[1, 10**9, 10**9]), "less than or equal to 4096"),
    "another number of classes": (lambda facts: facts.update(latent_dim=3), "other weights than its description"),
    "a long story": (lambda facts: facts.update(torch="2" * MAX_FACTS), "longer than"),
    "classes without a name": (lambda facts: facts.update(num_classes=3, classes=["a"]), "3 classes have 1 names"),
    "a classifier elsewhere": (lambda facts: facts.update(reference="../x"), "reference: String should match"),
    "no score": (lambda facts: facts.update(scores=[{"value": 1}]), "cannot be read as an exported generator"),
    "a key of its own": (lambda facts: facts.update(run="here"), "cannot be read as an exported generator"),
}  # fmt: skip


def test_an_exported_file_is_enough_for_python_and_for_the_commands(finished, exported, tmp_path):
    of_file, of_run = gan_lightning.load(exported), gan_lightning.load(finished.path)
    assert torch.equal(of_file.sample(3, seed=2), of_run.sample(3, seed=2))
    assert torch.equal(of_file.interpolate(2, steps=3), of_run.interpolate(2, steps=3))
    assert of_file.facts == of_run.facts
    for words in (["sample", "n=4", "out=grid.png"], ["interpolate", "n=2", "steps=2", "out=paths.png"]):
        run_command(words[0], f"run={exported}", *words[1:-1], f"out={tmp_path / words[-1][4:]}")
    run_command("export", f"run={exported}", "format=safetensors", f"out={tmp_path / 'again.safetensors'}")
    assert (tmp_path / "again.safetensors").read_bytes() == exported.read_bytes()


def test_half_the_bytes_differ_by_less_than_a_gray_level(finished, exported, tmp_path):
    half = tmp_path / "half.safetensors"
    run_command("export", f"run={finished.path}", "format=safetensors", "half=true", f"out={half}")
    assert 0.45 < half.stat().st_size / exported.stat().st_size < 0.6
    assert 0 < check_parity(read_export(half).sampler, read_export(exported).sampler.generate) < 1


def test_an_export_that_draws_other_images_is_refused(finished):
    sampler, _ = load_sampler(str(finished.path))
    darker = 1.01 / 127.5
    with pytest.raises(UserError, match="by up to 1.01 of 255, and 1 is allowed; nothing was written"):
        check_parity(sampler, lambda inputs: sampler.generate(inputs) - darker)
    with pytest.raises(UserError, match="by up to nan of 255"):
        check_parity(sampler, lambda inputs: sampler.generate(inputs) * torch.nan)
    assert check_parity(sampler, sampler.generate) == 0


def test_other_weights_than_an_exported_file_has_are_refused(exported):
    rewrite(exported, lambda facts: facts.update(weights="ema"))
    with pytest.raises(UserError, match="holds the averaged weights alone; leave out weights=raw"):
        gan_lightning.load(exported, weights="raw")


@pytest.mark.parametrize("case", HOSTILE)
def test_a_strangers_file_is_data(exported, case):
    change, message = HOSTILE[case]
    rewrite(exported, change)
    with pytest.raises(UserError, match=message):
        read_export(exported)


def test_what_is_no_export_is_refused(exported, tmp_path):
    content = exported.read_bytes()
    for damaged in (b"", content[:7], content[:-1], b"\xff" * 8 + content[8:], content[:8] + b"[" * 5000):
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(UserError, match="cannot be read as an exported generator"):
            read_export(tmp_path / "damaged")
    save_file(load_file(exported), tmp_path / "plain")
    with pytest.raises(UserError, match="nothing about what they are of"):
        read_export(tmp_path / "plain")


# The model card


def record(value: float, when: str, baseline: float | None = 1.25) -> ScoreRecord:
    return ScoreRecord(
        evaluated_at=when, source="raw", score="frechet", value=value, error=None, real_baseline=baseline,
        real_baseline_error=None, higher_is_better=False, data="mnist", split="test", n=500, extractor="mnist",
        extractor_sha256="0" * 64,
    )  # fmt: skip


def test_a_card_says_what_a_generator_is_and_what_it_scores(finished, exported):
    card = exported.with_name("g.card.md").read_text()
    assert exported.with_name("g.samples.png").is_file() and "![Samples of seed 0](g.samples.png)" in card
    assert f'gl.load("{exported.name}")' in card and "None was measured" in card and "None was named" in card
    assert "optimizer.generator.lr: 0.0" in card and "\nseed: 0\n" in card and "network.generator.hidden: [" in card
    assert str(finished.path) not in card
    facts = read_export(exported).facts
    scores = [record(9.0, "2026-01-01"), record(2.5, "2026-01-02"), record(0.75, "2026-01-02", None)]
    licensed = facts.model_copy(update={"scores": scores, "license": "CC-BY-4.0"})
    card = describe(licensed, 0, 0.0, "g.onnx", "g.png")
    name = scores[0].full_name
    assert f"| {name} | 2.5 | 1.25 |\n| {name} | 0.75 |  |\n" in card and "| 9 |" not in card
    assert "## License\n\nCC-BY-4.0" in card


# ONNX

needs_onnx = pytest.mark.skipif(
    any(find_spec(name) is None for name in NEEDED), reason="gan-lightning[onnx] is not installed"
)


@pytest.mark.slow
@needs_onnx
@pytest.mark.parametrize("name", ["dcgan", "mlp", "conv_pool", "r3gan", "resnet", "sagan"])
def test_onnx_computes_what_pytorch_does(name):
    sampler = sampler_of(name, **GENERATORS[name])
    facts = facts_of({"_target_": "x.Generator"}, {}, sampler)
    content = encode_onnx(sampler, facts)
    assert check_parity(sampler, running(content)) < 0.1
    import onnx

    properties = {each.key: each.value for each in onnx.load_from_string(content).metadata_props}
    assert Facts.model_validate_json(properties[KEY]) == facts


@pytest.mark.slow
@needs_onnx
@pytest.mark.parametrize("run", ["finished", "conditional_run"])
def test_the_lines_of_a_card_draw_images(run, request, tmp_path):
    out = tmp_path / "g.onnx"
    run_command("export", f"run={request.getfixturevalue(run).path}", "format=onnx", f"out={out}")
    lines = (tmp_path / "g.card.md").read_text().split("```python\n")[1].split("```")[0]
    found: dict = {}
    exec(lines.replace('"g.onnx"', repr(str(out))), found)
    assert found["images"].shape[0] == 64 and abs(found["images"]).max() <= 1


def test_onnx_without_its_packages_says_what_to_type(finished, monkeypatch, tmp_path):
    monkeypatch.setattr("gan_lightning.export.onnx_file.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"onnxruntime: type pip install 'gan-lightning\[onnx\]'"):
        run_command("export", f"run={finished.path}", "format=onnx", f"out={tmp_path / 'g.onnx'}")
    assert not list(tmp_path.iterdir())


# Mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["out=page.png"], "type out=page.html"),
        (["out=page.safetensors"], "type out=page.html, or format=safetensors"),
        (["format=torchscript"], "onnx"),
        (["half=true"], "half=true is for format=safetensors"),
    ],
)
def test_mistakes_are_named_before_anything_is_read(words, message):
    with pytest.raises(UserError, match=message):
        run_command("export", "run=nowhere", *words)

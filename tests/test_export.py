"""Exports: what is read back draws the same, a page computes what PyTorch does, and a stranger's file is data."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from gan_lightning.__main__ import run_command
from gan_lightning.build import load_sampler
from gan_lightning.errors import UserError
from gan_lightning.export import read_export, write_export
from gan_lightning.export.weights import KEY, MAX_FACTS
from gan_lightning.networks.heads import apply_spectral_norm
from tests.exports import facts_of
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
    write_export(sampler, facts_of(node, CLASSES, sampler, (1, 28, 28)), tmp_path / "g.safetensors")
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
    "a key of its own": (lambda facts: facts.update(run="here"), "cannot be read as an exported generator"),
}  # fmt: skip


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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["out=page.png"], "type out=page.html"),
        (["out=page.safetensors"], "type out=page.html, or format=safetensors"),
        (["format=onnx"], "html"),
    ],
)
def test_mistakes_are_named_before_anything_is_read(words, message):
    with pytest.raises(UserError, match=message):
        run_command("export", "run=nowhere", *words)

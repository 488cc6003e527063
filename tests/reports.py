"""Run folders written by hand, whose numbers a test chooses."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from gan_lightning.config.compose import compose
from gan_lightning.evaluation.protocol import SCORES
from gan_lightning.evaluation.records import ScoreRecord
from gan_lightning.images import grid, save_grid
from gan_lightning.training.run_folder import RunFolder

BASELINES = {"frechet": 0.5, "precision": 0.95, "pixel_mean": -0.74}


@cache
def config_text(words: tuple[str, ...]) -> str:
    return OmegaConf.to_yaml(compose(*words), resolve=True)


def record(score: str, value: float, **facts: Any) -> ScoreRecord:
    """A record of a score on 300 test digits, of the last checkpoint."""
    known: dict[str, Any] = {
        "evaluated_at": "2026-11-25T12:00:00+00:00", "source": "ema", "score": score, "value": value, "error": None,
        "real_baseline": BASELINES[score], "real_baseline_error": None,
        "higher_is_better": SCORES[score].higher_is_better, "data": "mnist_5k", "split": "test", "n": 300,
        "extractor": None if SCORES[score].network is None else "mnist_cnn",
        "extractor_sha256": None if SCORES[score].network is None else "5efd", "generator_steps": 40,
        "images_seen": 2560,
    }  # fmt: skip
    return ScoreRecord(**known | facts)


def write_run(folder: Path, model: str, seed: int, records: list[ScoreRecord], *words: str, **status: Any) -> RunFolder:
    """A run folder of a finished run of 40 generator steps.

    Args:
        folder: The folder to make.
        model: The choice of the group `model`.
        seed: The run's seed.
        records: Its scores.
        words: Further words that it was started with.
        status: What status.json says otherwise.
    """
    run = RunFolder(folder)
    run.config_file.parent.mkdir(parents=True)
    run.config_file.write_text(config_text((f"model={model}", "data=mnist_5k", f"seed={seed}", *words)))
    command = f"python -m gan_lightning model={model} data=mnist_5k seed={seed} {' '.join(words)}".strip()
    known = {
        "state": "finished", "generator_steps": 40, "images_seen": 2560, "seconds": 8.0, "ended": "2026-11-25T12:00:00",
        "label": {"name": f"{model} mnist_5k seed {seed}", "choices": {"model": model, "data": "mnist_5k"}},
        "sessions": [{"command": command, "gan_lightning": "0.4.0", "torch": "2.13.0"}],
    }  # fmt: skip
    run.write_status(known | status)
    run.write_scores(records)
    rows = [f"{step},{step * 64},{step / 5},{0.6 + seed / 50},{0.4 - seed / 50}" for step in (20, 40)]
    run.metrics.write_text("\n".join(["generator_steps,images_seen,seconds,d_real,d_fake", *rows]) + "\n")
    for step in (0, 20, 40):
        images = torch.full((4, 1, 28, 28), 5 * step, dtype=torch.uint8)
        save_grid(grid(images), f"{step} steps", run.samples / f"step-{step:07}.png")
    return run


def live(value: float, step: int) -> ScoreRecord:
    """A record of the Fréchet distance that was measured in training."""
    return record(
        "frechet", value, split="validation", during_training=True, generator_steps=step, images_seen=64 * step
    )


def write_study(folder: Path) -> Path:
    """Two arms of three seeds, the second far better; and one run that failed, one torn, one still running."""
    for model, offset in {"wgan": 8.0, "wgan_gp": 5.0}.items():
        for seed in range(3):
            value = offset + [0.1, 2.0, 1.7][seed] + (0.1 * seed if model == "wgan" else 0)
            scores = [live(3 * value, 20), live(value, 40), record("frechet", value), record("precision", 1 / value)]
            write_run(folder / f"{seed}_{model}", model, seed, [*scores, record("pixel_mean", -0.7 + seed / 100)])
    failed = folder / "failed"
    failed.mkdir()
    (failed / "status.json").write_text(json.dumps({"state": "failed", "error": "loss is <b>nan</b> | at once"}))
    (write_run(folder / "torn", "wgan", 3, []).config_file).write_text("model: {")
    write_run(folder / "goes_on", "wgan", 4, [record("frechet", 1e-3)], state="running", generator_steps=10)
    return folder

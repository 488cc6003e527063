"""The plan of a study: its grammar, its jobs, and what is refused before any of them starts."""

from pathlib import Path

import pytest
import yaml

from gan_lightning.__main__ import run_command
from gan_lightning.cli.study import read_plan
from gan_lightning.config.compose import options
from gan_lightning.errors import UserError
from gan_lightning.study.checking import check_arms
from gan_lightning.study.plan import Budget, as_time, make_jobs, quote_words, words_of
from gan_lightning.training.ending import in_seconds

STUDIES = list(options("study"))

REST = ("data=mnist_5k", "budget.max_images=8", "out=x")


def arms_of(*words: str) -> dict[str, list[str]]:
    return read_plan([*words, *REST]).arms


ARMS = {
    "arms=[model=dcgan,model=lsgan]": {"dcgan": ["model=dcgan"], "lsgan": ["model=lsgan"]},
    "arms=[[model=wgan, network=mlp],loss=hinge]": {"wgan-mlp": ["model=wgan", "network=mlp"], "hinge": ["loss=hinge"]},
    "arms=[[network=mlp,network.generator.hidden=[8,8]]]": {
        "mlp-hidden_8_8": ["network=mlp", "network.generator.hidden=[8,8]"]
    },
    "arms=['model=gan',\"loss=hinge\"]": {"gan": ["model=gan"], "hinge": ["loss=hinge"]},
    "arms=[updates.n_critic=2,model=vanilla]": {"n_critic_2": ["updates.n_critic=2"], "gan": ["model=gan"]},
    "arms.small=network=mlp": {"small": ["network=mlp"]},
    "arms.plain=[]": {"plain": []},
    "arms.both=[loss=hinge,~penalty.wgan_gp]": {"both": ["loss=hinge", "~penalty.wgan_gp"]},
}


@pytest.mark.parametrize("word", ARMS)
def test_arms_are_read_and_named(word):
    arms = arms_of(word)
    if word == "arms=[updates.n_critic=2,model=vanilla]":  # a name is made of what was typed
        assert list(arms.values()) == list(ARMS[word].values())
    else:
        assert arms == ARMS[word]


def test_what_holds_no_overrides_stays_as_it_was_typed():
    for word in ("data=[mnist,fashion_mnist]", "budget.minutes=2", "arms", "out=a=b"):
        assert quote_words(word) == word


def test_other_words_go_to_every_run():
    plan = read_plan(["arms=[model=gan]", *REST, "network=mlp", "data.size=32", "lr_g=1e-3"])
    assert plan.overrides == ["network=mlp", "data.size=32", "optimizer.generator.lr=1e-3"]
    (job, *_) = make_jobs(plan, Path("x"))
    assert job.words[:4] == (*plan.overrides, "model=gan") and job.folder.parent == Path("x")


def test_each_arm_data_set_and_seed_is_a_job_with_a_folder_of_its_own_and_each_arm_comes_before_the_next_seed():
    plan = read_plan(["study=comparative", "seeds=[3,5]"])
    jobs = make_jobs(plan, Path("x"))
    names = [job.name for job in jobs]
    assert len(names) == len(set(names)) == len(plan.arms) * len(plan.data) * 2
    assert {job.seed for job in jobs[: len(names) // 2]} == {3}
    assert names[0] == "vanilla-mnist-seed3" and names[-1] == "added_wgan-fashion_mnist-seed5"


def test_a_budget_takes_the_place_of_every_other():
    assert Budget(minutes=1.5).words() == [
        "max_images=null", "max_generator_steps=null", "trainer.max_epochs=null", "trainer.max_time=00:00:01:30"
    ]  # fmt: skip
    assert str(Budget(max_images=50000)) == "50,000 images"
    plan = read_plan(["study=comparative", "budget.minutes=2"])
    assert plan.budget == Budget(minutes=2)
    assert "max_images=null" in words_of(plan, "vanilla", "mnist", 0)


@pytest.mark.parametrize("minutes", [0.001, 0.5, 1, 61.25, 60 * 24 * 3 + 7])
def test_minutes_are_as_many_seconds(minutes):
    assert in_seconds(as_time(minutes)) == max(1, round(60 * minutes))


def test_the_command_line_comes_before_the_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"arms": ["model=gan"], "seeds": [7], "budget": {"minutes": 1}, "data": "mnist_5k"}))
    plan = read_plan([f"study={file}", "seeds=[1,2]", "arms.wide=latent_dim=99", "scores=recall"])
    assert plan.arms == {"gan": ["model=gan"], "wide": ["model.latent_dim=99"]}
    assert (plan.seeds, plan.scores, plan.data) == ([1, 2], ["recall"], ["mnist_5k"])
    assert read_plan([f"study={file}", "arms=[loss=hinge]"]).arms == {"hinge": ["loss=hinge"]}


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_every_arm_of_every_study_can_be_trained(study):
    plan = read_plan([f"study={study}"])
    composed = check_arms(plan)
    assert len(composed) == len(plan.arms) * len(plan.data)
    for cfg in composed.values():
        assert cfg.max_images == plan.budget.max_images and cfg.trainer.max_epochs is None


REFUSED = {
    "arms=[model=gan]": r"^the budget of each run is missing: type budget.max_images=",
    "arms=[model=gan] budget.minutes=1": r"^out= is missing: type out=FOLDER",
    "budget.minutes=1 out=x": r"^arms= is missing: type study=NAME \(comparative, .*\), or arms=\[model=dcgan,",
    "arms=[model=gan,model=gan]": "^arms=.* should not have gan twice$",
    "arms=[model=gan,[]]": r"should have arms whose names are letters.* not '': name the arm, arms.NAME=\[...\]$",
    "arms=[[[model=gan]]]": r"should have arms that are overrides or lists of them, such as arms=\[model=dcgan,",
    "arms=model=gan,model=wgan": r"^arms=model=gan,model=wgan is not allowed: it should be a list, such as arms=\[",
    "arms.a/b=model=gan": "^arms.a/b",
    "study=comparativ": r"^study=comparativ is neither a plan nor a file. Did you mean comparative\?",
    "study=comparative budget.max_image=3": r"^budget.max_image is not a valid option. Did you mean budget.max_images",
    "study=comparative budget.max_images=3 budget.minutes=1": "should have one of max_images, max_generator_steps, min",
    "study=comparative budget.minutes=0": "^budget.minutes=0 is not allowed: it should be greater than 0",
    "study=comparative scores=[fid]": "should not have fid, which is no score. Allowed: frechet, kernel",
    "study=comparative seeds=[]": r"^seeds=\[\] is not allowed: it should not be empty",
    "study=comparative seeds=0,1": r"names several values.* seeds=\[0,1\]",
    "study=comparative data=[mnist,mnist]": "should not have mnist twice",
    "study=comparative jobs=0": "^jobs=0 is not allowed",
}


@pytest.mark.parametrize("words", REFUSED)
def test_plans_are_refused_in_words(words):
    with pytest.raises(UserError, match=REFUSED[words]):
        read_plan(words.split())


def test_a_file_that_is_no_plan_is_refused(tmp_path):
    file = tmp_path / "mine.yaml"
    for text, message in {
        "arm: [model=gan]": r"arm is not a valid option. Did you mean arms\?",
        "- model=gan": "is not a plan: it should have keys such as arms",
        "arms: [": "cannot be read",
        "arms: [model=gan]\nbudget: {steps: 3}": "budget.steps is not a valid option",
    }.items():
        file.write_text(text)
        with pytest.raises(UserError, match=message):
            read_plan([f"study={file}"])


NOT_TRAINED = {
    "arms=[model=wgam,model=gan]": r"^1 of 2 arms cannot be trained, and none was:\n  wgam \(model=wgam\), on mnist_5k:"
    r" model=wgam is not a valid choice. Did you mean wgan\?",
    "arms=[model=wgam,loss=hing]": r"(?s)^2 of 2 arms .* wgam .*\n  hing \(loss=hing\), .* Did you mean hinge\?",
    "arms=[[model=gan,seed=3]]": r"seed=3 is the same for all arms: type seeds=\[0,1,2\] for the study",
    "arms=[[model=gan,epochs=3]]": "trainer.max_epochs=3 is the same for all arms: type budget.max_images= for the",
    "arms=[[model=gan,data=mnist]]": r"data=mnist is the same for all arms: type data=\[mnist,fashion_mnist\]",
    "arms=[model=gan] seed=1": "^seed=1 is the same for all arms",
    "arms=[model=gan] nework=mlp": r"nework is not a valid option. Did you mean network\?",
    "arms=[model=gan] objective=frechet": "objective=frechet is never measured",
    "arms=[[model=gan,devices=2]]": r"type trainer.devices=1",
    "arms.a=[] arms.b=model=dcgan": "^the arms a and b are the same run: leave one out$",
}


@pytest.mark.parametrize("words", NOT_TRAINED)
def test_arms_that_do_not_compose_are_named_before_anything_starts(words, tmp_path):
    out = tmp_path / "study"
    with pytest.raises(UserError, match=NOT_TRAINED[words]):
        run_command("study", *words.split(), *REST[:2], f"out={out}", "network=mlp")
    assert not out.exists()


def test_list_shows_the_studies(capsys):
    run_command("list", "study")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "study=" and [line.split()[0] for line in lines[1:]] == STUDIES
    run_command("list", "study=comparative")
    text = capsys.readouterr().out
    assert options("study")["comparative"] in text and "experiment=comparative_vanilla" in text
    with pytest.raises(UserError, match=r"study=comparativ is not a valid choice. Did you mean comparative\?"):
        run_command("list", "study=comparativ")
    with pytest.raises(UserError, match="quick is a choice, not a group; type list study=quick"):
        run_command("list", "quick")


def test_a_training_takes_no_study():
    with pytest.raises(
        UserError, match="study=comparative is not a valid option: type python -m gan_lightning study study=NAME"
    ):
        run_command("train", "study=comparative")

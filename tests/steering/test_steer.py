"""The training loop: one forward pass, what each setting does, resuming, processes."""

from __future__ import annotations

import importlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.steering.small_training import small_config, small_data, small_model
from visteer.attribution import GradCAM, dead_maps
from visteer.checkpoint import load_checkpoint, load_training_state, save_training_state
from visteer.edits.map_edit import MapEdit
from visteer.errors import VisteerError
from visteer.steering import RunFolder, SteeringConfig, SteeringDataset, steer
from visteer.steering.steer import computes_bf16

WORKER = Path(__file__).with_name("small_training.py")
TWO_PROCESSES = [
    *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0"),
    *("--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"),
]


def weights_of(model: nn.Module) -> torch.Tensor:
    return torch.cat([value.double().flatten() for value in model.state_dict().values()])


def test_plain_training_learns():
    model = small_model()
    run = steer(model, small_data(), small_config(method="none", epochs=15))
    assert run.history[-1]["train_accuracy"] > 0.9
    assert run.history[-1]["prediction_loss"] < run.history[0]["prediction_loss"]
    assert run.history[-1]["attention_loss"] == 0


def test_steering_moves_the_maps_into_the_region():
    losses = {}
    for gamma in (0.0, 10.0):
        model = small_model()
        run = steer(model, small_data(), small_config(gamma=gamma, epochs=8))
        losses[gamma] = run.history[-1]["attention_loss"]
    assert losses[10.0] < 0.7 * losses[0.0]


def test_one_forward_pass_a_step():
    model, calls = small_model(), []
    model.register_forward_hook(lambda module, *_: calls.append(module.training))
    data = small_data()
    steer(model, data, small_config(epochs=2, batch_size=8))
    assert calls.count(False) == 1  # the look at the layer, before training
    assert sum(calls) == 2 * math.ceil(len(data) / 8)


def test_every_image_is_seen_once_an_epoch_in_batches_of_nearly_equal_size():
    model, sizes = small_model(), []
    model.register_forward_hook(lambda _m, inputs, _o: sizes.append(len(inputs[0])))
    data = small_data(count=34)
    steer(model, data, small_config(epochs=1, batch_size=8, method="none"))
    assert sum(sizes) == 34
    assert max(sizes) - min(sizes) <= 1


def test_accumulation_gives_the_same_weights():
    results = []
    for accumulate in (1, 3):
        model = small_model()
        steer(model, small_data(), small_config(accumulate=accumulate))
        results.append(weights_of(model))
    assert torch.allclose(results[0], results[1], atol=1e-6)


def test_same_seed_same_weights_other_seed_others():
    results = []
    for seed in (0, 0, 1):
        model = small_model()
        steer(model, small_data(), small_config(seed=seed, irrelevant="transplant", augment="strong"))
        results.append(weights_of(model))
    assert torch.equal(results[0], results[1])
    assert not torch.allclose(results[0], results[2], atol=1e-4)


def test_global_random_state_and_flags_are_as_before():
    model = small_model().eval()
    model[0].weight.requires_grad_(False)
    before = torch.random.get_rng_state()
    steer(model, small_data(), small_config(freeze=("3",), epochs=1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not any(module.training for module in model.modules())
    assert [p.requires_grad for p in model.parameters()] == [False] + [True] * (
        len(list(model.parameters())) - 1
    )


def test_frozen_modules_do_not_change():
    model = small_model()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    steer(model, small_data(), small_config(freeze=("0", "1"), epochs=1))
    after = model.state_dict()
    changed = {key.split(".")[0] for key in after if not torch.equal(after[key], before[key])}
    assert not {"0", "1"} & changed
    assert changed


def test_a_large_seed_trains():
    run = steer(small_model(), small_data(), small_config(seed=1_800_000_000, epochs=1))
    assert math.isfinite(run.history[0]["prediction_loss"])


def test_an_unknown_frozen_module_is_named():
    with pytest.raises(ValueError, match="no module 'layer9'"):
        steer(small_model(), small_data(), small_config(freeze=("layer9",)))


@pytest.mark.parametrize("irrelevant", ["none", "replace", "transplant"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_every_optimizer_and_treatment_runs(irrelevant, optimizer):
    run = steer(
        small_model(),
        small_data(),
        small_config(irrelevant=irrelevant, optimizer=optimizer, epochs=1, channels_last=True),
    )
    assert math.isfinite(run.history[0]["prediction_loss"])
    assert run.history[0]["attention_loss"] > 0


def test_bf16_trains():
    run = steer(small_model(), small_data(), small_config(precision="bf16", epochs=4, method="none"))
    assert run.history[-1]["prediction_loss"] < run.history[0]["prediction_loss"]


def test_edits_without_anywhere_to_look_are_skipped_unless_asked_for():
    base, target = small_data(), np.zeros((16, 16))
    target[4:9, 4:9] = 1
    region = MapEdit(target, np.ones((16, 16)), author="test")
    empty = MapEdit(np.zeros((16, 16)), np.ones((16, 16)), author="test")

    def trained(edits: dict[str, MapEdit], empty_regions: str) -> torch.Tensor:
        model = small_model()
        data = SteeringDataset(np.asarray(base.images), base.labels, base.class_names, edits=edits)
        steer(model, data, small_config(epochs=1, empty_regions=empty_regions))
        return weights_of(model)

    alone = trained({"0": region}, "skip")
    assert torch.equal(trained({"0": region, "1": empty}, "skip"), alone)
    assert not torch.equal(trained({"0": region, "1": empty}, "suppress"), alone)


def test_steering_brings_dead_maps_to_life():
    """A head that says no to everything has only dead maps; under a plain ReLU none would get a gradient."""
    data, model = small_data(), small_model()
    with torch.no_grad():
        model[-1].weight.copy_(-0.1 * model[-1].weight.abs())

    def share_dead() -> float:
        with GradCAM(model.eval(), "3") as cam:
            steered = [row for row in range(len(data)) if row % 5 in (0, 2, 4)]
            batch = data.batch(steered)
            return float(dead_maps(cam.maps(model(batch.images), batch.labels)).double().mean())

    assert share_dead() > 0.9
    steer(model, data, small_config(epochs=15, gamma=10.0))
    assert share_dead() < 0.1


def test_class_weights_make_a_rare_class_count():
    data = small_data(count=40)
    labels = np.zeros(40, np.int64)
    labels[:4] = 1
    rare = SteeringDataset(data.images, labels, ["a", "b"])
    recalls = {}
    for weighting in ("none", "balanced"):
        model = small_model()
        steer(model, rare, small_config(method="none", class_weights=weighting, epochs=2))
        with torch.no_grad():
            recalls[weighting] = model.eval()(rare.batch(range(4)).images).softmax(1)[:, 1].mean().item()
    assert recalls["balanced"] > recalls["none"]


def test_validation_picks_the_epoch_and_the_model_ends_with_its_weights(tmp_path):
    scores = iter([0.2, 0.9, 0.4])
    seen = []

    def validate(model: nn.Module) -> dict[str, float]:
        seen.append(weights_of(model))
        return {"f2": next(scores), "auc": 0.5, "epg": math.nan}

    model = small_model()
    config = small_config(epochs=3, select_by="f2+auc")
    run = steer(model, small_data(), config, validate, folder=tmp_path / "run")
    assert (run.best_epoch, run.score) == (2, pytest.approx(0.7))
    assert torch.equal(weights_of(model), seen[1])
    assert "val_epg" not in run.history[0]


def test_early_stopping():
    scores = iter([0.5, 0.4, 0.3, 0.2, 0.1])
    config = small_config(epochs=5, patience=2, select_by="f2")
    run = steer(small_model(), small_data(), config, lambda _model: {"f2": next(scores)})
    assert len(run.history) == 3
    assert run.best_epoch == 1


def test_of_equal_epochs_the_later_is_kept_and_an_equal_one_is_no_progress(tmp_path):
    scores = iter([0.5, 1.0, 1.0, 0.9, 1.0, 1.0])
    seen = []

    def validate(model: nn.Module) -> dict[str, float]:
        seen.append(weights_of(model))
        return {"f2": next(scores)}

    model = small_model()
    config = small_config(epochs=6, patience=3, select_by="f2")
    run = steer(model, small_data(), config, validate, folder=tmp_path / "run")
    assert len(run.history) == 5  # the second epoch was the last progress
    assert run.best_epoch == 5
    assert torch.equal(weights_of(model), seen[4])


def test_a_score_that_validation_does_not_give_is_named():
    config = small_config(select_by="f3", epochs=1)
    with pytest.raises(ValueError, match="f3; validation gives f2"):
        steer(small_model(), small_data(), config, lambda _model: {"f2": 0.5})


def test_a_loss_that_is_no_number_stops_with_the_mend():
    with pytest.raises(VisteerError, match="lower the learning rate"):
        steer(small_model(), small_data(), small_config(optimizer="sgd", learning_rate=1e12, epochs=3))


def test_nothing_to_steer_with_is_said():
    data = small_data()
    without = SteeringDataset(data.images, data.labels, data.class_names)
    with pytest.raises(VisteerError, match="no edit to steer with"):
        steer(small_model(), without, small_config())


def test_the_run_folder_tells_what_was_done(tmp_path):
    config = small_config(epochs=2)
    steer(small_model(), small_data(), config, folder=tmp_path / "run", facts={"start_from": None})
    folder = RunFolder(tmp_path / "run")
    described = folder.describe()
    assert SteeringConfig.from_dict(described["config"]) == config
    assert described["state"] == "finished"
    assert len(described["data_digest"]) == 64
    assert torch.__version__.startswith(described["versions"]["torch"])
    assert [row["epoch"] for row in folder.history()] == [1, 2]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "metrics.jsonl",
        "model.safetensors",
        "run.json",
    ]


@pytest.mark.parametrize("amx", [False, True])
def test_a_cpu_takes_bf16_by_itself_only_with_amx(monkeypatch, amx):
    """With AVX-512's bf16 alone it is slower than float32."""
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: amx)
    assert computes_bf16(torch.device("cpu")) == amx
    model, dtypes = small_model(), set()
    model[2].register_forward_hook(lambda _m, _i, output: dtypes.add(output.dtype))
    steer(model.train(), small_data(), small_config(epochs=1, method="none", precision="auto"))
    assert (torch.bfloat16 in dtypes) == amx


def test_without_epochs_the_network_is_kept_as_it_is(tmp_path):
    model = small_model()
    before = weights_of(model)
    run = steer(model, small_data(), small_config(epochs=0), lambda _: {"f2": 1.0}, folder=tmp_path / "run")
    assert (run.best_epoch, run.history) == (0, ())
    assert math.isnan(run.score)
    assert torch.equal(weights_of(model), before)
    kept = load_checkpoint(tmp_path / "run" / "model.safetensors", small_model()).model
    assert torch.equal(weights_of(kept), before)
    assert RunFolder(tmp_path / "run").describe()["state"] == "finished"
    steer(model, small_data(), small_config(epochs=0))
    assert torch.equal(weights_of(model), before)


def test_a_folder_in_use_is_refused(tmp_path):
    steer(small_model(), small_data(), small_config(epochs=1), folder=tmp_path / "run")
    with pytest.raises(VisteerError, match="holds a run already"):
        steer(small_model(), small_data(), small_config(epochs=1), folder=tmp_path / "run")
    with pytest.raises(VisteerError, match="nothing to resume"):
        steer(small_model(), small_data(), small_config(epochs=1), folder=tmp_path / "run", resume=True)


def test_resuming_on_other_data_is_refused(tmp_path):
    process = start_worker(tmp_path / "run", epochs=60)
    wait_for_epochs(tmp_path / "run", 1)
    kill(process)
    with pytest.raises(VisteerError, match="have changed"):
        steer(small_model(), small_data(count=32), small_config(), folder=tmp_path / "run", resume=True)


def test_resuming_with_other_settings_is_refused(tmp_path):
    process = start_worker(tmp_path / "run", epochs=60)
    wait_for_epochs(tmp_path / "run", 1)
    kill(process)
    config = small_config(epochs=61, irrelevant="transplant", augment="light")
    with pytest.raises(VisteerError, match=r"other settings \(epochs 60, now 61\)"):
        steer(small_model(), small_data(), config, folder=tmp_path / "run", resume=True)
    with pytest.raises(ValueError, match="resume needs the folder"):
        steer(small_model(), small_data(), config, resume=True)


def test_a_damaged_or_other_run_is_not_resumed(tmp_path):
    """The line says what is wrong and what to do."""
    process = start_worker(tmp_path / "run", epochs=60)
    wait_for_epochs(tmp_path / "run", 1)
    kill(process)
    config = small_config(epochs=60, irrelevant="transplant", augment="light")

    def refused(model: nn.Module, said: str) -> None:
        with pytest.raises(VisteerError, match=said) as error:
            steer(model, small_data(), config, folder=tmp_path / "run", resume=True)
        assert "\n" not in str(error.value)

    other = small_model()
    other[2] = nn.Conv2d(8, 16, 5, stride=2, padding=2)
    refused(
        other, r"the network of .*run does not fit Sequential: of another shape: 2\.weight \(16, 8, 3, 3\)"
    )
    state = load_training_state(tmp_path / "run" / "state.pt")
    for lacking in ({}, {**state, "optimizer": {}}, {**state, "history": [{}]}, {**state, "history": []}):
        save_training_state(tmp_path / "run" / "state.pt", lacking)
        refused(small_model(), "state.pt is damaged: it lacks .*delete .*run and start it anew")
    save_training_state(tmp_path / "run" / "state.pt", state)
    best = tmp_path / "run" / "best.safetensors"
    best.rename(best.with_suffix(".away"))
    refused(small_model(), "best.safetensors is missing; .*delete .*run and start it anew")
    best.with_suffix(".away").rename(best)
    (tmp_path / "run" / "state.pt").write_bytes(b"PK")
    refused(small_model(), "state.pt: it is damaged, .*delete .*run and start it anew")
    facts = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    for config_then in (None, [1], "x"):
        changed = json.dumps({**facts, "config": config_then})
        (tmp_path / "run" / "run.json").write_text(changed, encoding="utf-8")
        refused(small_model(), "run.json is damaged .it has no settings.; start a new run")


def test_nothing_to_transplant_is_found_before_a_run_is_begun(tmp_path):
    data = small_data()
    bare = SteeringDataset(data.images, data.labels, ["a", "b"])
    with pytest.raises(VisteerError, match="mark the shortcut itself"):
        steer(
            small_model(), bare, small_config(method="none", irrelevant="transplant"), folder=tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()


def test_there_must_be_a_run_to_resume(tmp_path):
    with pytest.raises(VisteerError, match="is not a run"):
        steer(small_model(), small_data(), small_config(), folder=tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


def test_weights_that_are_no_numbers_end_the_run_at_once(tmp_path):
    """A loss can still be one when the last step spoils the weights."""
    model = small_model()
    parameter = next(model.parameters())
    with pytest.raises(VisteerError, match="no number any more in epoch 1; lower the learning rate"):
        steer(
            model,
            small_data(),
            small_config(epochs=1),
            folder=tmp_path / "run",
            on_step=lambda done, total: parameter.data.fill_(math.nan) if done == total else None,
        )
    assert not list((tmp_path / "run").glob("*.safetensors"))


def test_a_run_in_training_is_not_resumed_by_another_process(tmp_path):
    """Two of them would mix their epochs. The lock ends with the process, also a killed one."""
    process = start_worker(tmp_path / "run", epochs=400)
    wait_for_epochs(tmp_path / "run", 1)
    for resume in (False, True):
        with pytest.raises(VisteerError, match=f"another process trains {tmp_path / 'run'}; wait for it"):
            steer(small_model(), small_data(), small_config(), folder=tmp_path / "run", resume=resume)
    assert process.poll() is None
    kill(process)
    history = RunFolder(tmp_path / "run").history()
    with pytest.raises(VisteerError, match="holds a run already"):
        steer(small_model(), small_data(), small_config(), folder=tmp_path / "run")
    assert RunFolder(tmp_path / "run").history() == history


def test_a_killed_run_resumes_to_the_same_weights(tmp_path):
    """Killed for real, at whatever point it is, and resumed twice: the same as never interrupted."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start_worker(whole, epochs=12).wait(timeout=120) == 0
    process = start_worker(killed, epochs=12)
    wait_for_epochs(killed, 2)
    kill(process)
    finished = len(RunFolder(killed).history())
    assert finished >= 2
    assert start_worker(killed, epochs=12, resume=True).wait(timeout=120) == 0
    assert (killed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    rows = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in RunFolder(f).history()]
        for f in (whole, killed)
    ]
    assert rows[0] == rows[1]


def test_two_processes_give_the_weights_of_one(tmp_path):
    """Same global batch, edits unevenly spread over the processes, transplanted marks and augmentation."""
    assert start_worker(tmp_path / "one", epochs=2).wait(timeout=120) == 0
    command = [*TWO_PROCESSES, str(WORKER), str(tmp_path / "two"), "2"]
    subprocess.run(command, check=True, env=worker_environment(), timeout=200, capture_output=True)
    one, two = small_model(), small_model()
    RunFolder(tmp_path / "one").load_best(one)
    RunFolder(tmp_path / "two").load_best(two)
    assert torch.allclose(weights_of(one), weights_of(two), atol=1e-5)
    start = small_model()
    assert not torch.allclose(weights_of(one), weights_of(start), atol=1e-3)


@pytest.mark.parametrize(
    ("process", "what"),
    [(0, "validate"), (0, "start"), (0, "save_best"), (0, "save_epoch"), (1, "load_best")],
)
def test_an_error_on_one_process_ends_the_other(tmp_path, process, what):
    """The process that fails stays alive, so only being told ends the other."""
    command = [*TWO_PROCESSES, str(WORKER), str(tmp_path / "run"), "1", "fail", str(process), what]
    launched = subprocess.Popen(command, env=worker_environment(), stderr=subprocess.DEVNULL)
    try:
        errors = [wait_for_text(tmp_path / f"error-{rank}") for rank in (0, 1)]
    finally:
        launched.terminate()  # the launcher then ends its processes
        launched.wait(timeout=60)
    assert errors[process] == "OSError: [Errno 28] No space left on device"
    assert errors[1 - process] == f"VisteerError: process {process} failed: {errors[process]}"


def worker_environment() -> dict[str, str]:
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(root), str(root / "src"), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}


def start_worker(folder: Path, epochs: int, resume: bool = False) -> subprocess.Popen:
    words = [sys.executable, str(WORKER), str(folder), str(epochs), *(["resume"] if resume else [])]
    return subprocess.Popen(words, env=worker_environment(), start_new_session=True)


def wait_for_epochs(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (folder / "metrics.jsonl").exists() and len(RunFolder(folder).history()) >= count:
            return
        time.sleep(0.02)
    pytest.fail(f"{folder}: no {count} epochs within two minutes")


def wait_for_text(path: Path) -> str:
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text()):
            return text
        time.sleep(0.1)
    pytest.fail(f"no {path} within 100 seconds")


def kill(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)


def test_a_cut_off_last_line_of_metrics_is_left_out(tmp_path):
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"epoch": 1}) + '\n{"epo')
    assert RunFolder(tmp_path).history() == ({"epoch": 1},)


def test_what_a_killed_process_was_writing_is_gone_when_the_run_is_finished(tmp_path):
    folder = RunFolder(tmp_path)
    folder.start({})
    (tmp_path / ".state.pt.1.partial").write_bytes(b"x")
    folder.finish({})
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("line", [b"\xff\xfe", b"5", b'{"epoch": {}}', b'{"epoch": "2"}', b"[" * 100_000])
def test_damaged_metrics_are_left_out(tmp_path, line):
    (tmp_path / "metrics.jsonl").write_bytes(b'{"epoch": 1}\n' + line + b"\n")
    assert RunFolder(tmp_path).history() == ({"epoch": 1},)


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000])
def test_a_damaged_run_is_named(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(VisteerError, match="damaged"):
        RunFolder(tmp_path).describe()


def test_constant_weights_train_otherwise():
    results = []
    for constant in (False, True):
        model = small_model()
        steer(model, small_data(), small_config(gamma=100.0, constant_weights=constant))
        results.append(weights_of(model))
    assert not torch.allclose(*results, atol=1e-4)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", {0: 9.0, 3: 9.0, 6: 6.0, 8: 9.0, 11: 9.0, 14: 6.0}),
        # gamma is 3 * step / 16 in step 0 to 15.
        ("linear", {s: 3 / 16 * n for s, n in {0: 3, 3: 12, 6: 13, 8: 27, 11: 36, 14: 29}.items()}),
    ],
)
def test_maps_of_every_third_step_keep_the_sum_of_gamma(monkeypatch, schedule, expected):
    """Eight steps an epoch: maps are made in the first, fourth and seventh, which stand for three, three and two."""
    loop, gammas, made = importlib.import_module("visteer.steering.steer"), [], []
    step, maps = loop._Loop._step, GradCAM.maps
    monkeypatch.setattr(loop._Loop, "_step", lambda *words: gammas.append(words[3]) or step(*words))
    monkeypatch.setattr(GradCAM, "maps", lambda *words, **more: made.append(1) or maps(*words, **more))
    config = small_config(epochs=2, batch_size=6, gamma=3.0, gamma_schedule=schedule, attention_every=3)
    run = steer(small_model(), small_data(count=48), config)
    assert {step: gamma for step, gamma in enumerate(gammas) if gamma is not None} == pytest.approx(expected)
    assert len(made) == 6
    assert all(row["attention_loss"] > 0 for row in run.history)


def test_a_step_without_maps_is_a_plain_one(monkeypatch):
    """From the same weights the second of two steps, which makes no maps, ends where plain training ends."""
    weights = []
    loop = importlib.import_module("visteer.steering.steer")
    step = loop._Loop._step

    def second_alone(self, rows, watch, gamma, seed):
        """The first step is left out, so that both networks come to the second alike."""
        return step(self, rows, watch, gamma, seed) if seed % 2 else torch.zeros(5).double()

    monkeypatch.setattr(loop._Loop, "_step", second_alone)
    for changes in ({"method": "none"}, {"attention_every": 2}, {"attention_every": 1}):
        model = small_model()
        config = small_config(epochs=1, batch_size=12, gamma=100.0, gamma_schedule="linear", **changes)
        steer(model, small_data(), config)
        weights.append(weights_of(model))
    assert torch.equal(weights[0], weights[1])
    assert not torch.allclose(weights[0], weights[2], atol=1e-4)


def test_one_step_with_maps_in_an_epoch_still_steers():
    """gamma rises from 0 in the first step; it stands for the second, too."""
    weights = []
    for gamma in (0.0, 100.0):
        model = small_model()
        steer(model, small_data(), small_config(epochs=1, batch_size=12, gamma=gamma, attention_every=2))
        weights.append(weights_of(model))
    assert not torch.allclose(*weights, atol=1e-4)


def test_maps_are_left_alone_while_the_prediction_is_at_chance():
    """A head whose rows are alike knows no class: weighed by confidence its first step is that of plain training."""
    weights = {}
    for name, changes in {
        "plain": {"method": "none"},
        "steered": {},
        "weighed": {"weigh_by_confidence": True},
    }.items():
        model = small_model()
        for parameter in model[-1].parameters():
            parameter.data[1] = parameter.data[0]
        steer(
            model, small_data(), small_config(epochs=1, batch_size=64, gamma_schedule="constant", **changes)
        )
        weights[name] = weights_of(model)
    assert torch.equal(weights["weighed"], weights["plain"])
    assert not torch.allclose(weights["steered"], weights["plain"], atol=1e-4)
    model = small_model()
    steer(model, small_data(), small_config(weigh_by_confidence=True, gamma=100.0))
    other = small_model()
    steer(other, small_data(), small_config(gamma=100.0))
    assert not torch.allclose(weights_of(model), weights_of(other), atol=1e-4)


def test_what_is_pasted_reaches_the_training(monkeypatch):
    """Marks lie in two corners, so that a marked image without a mark in a donor's place is found."""
    results = []
    for _ in range(2):
        model = small_model()
        steer(model, small_data(), small_config(irrelevant="transplant"))
        results.append(weights_of(model))
        # Under this name the package has the function.
        loop = importlib.import_module("visteer.steering.steer")
        monkeypatch.setattr(loop, "draw_contents", lambda donors, *_: donors)
    assert not torch.allclose(results[0], results[1], atol=1e-4)


def test_constant_weights_are_refused_where_they_could_do_nothing():
    with pytest.raises(VisteerError, match="nothing up to 3"):
        steer(small_model(), small_data(), small_config(freeze=("0", "2"), constant_weights=True))


def test_a_layer_without_height_and_width_is_named():
    with pytest.raises(VisteerError, match="5 gives no maps"):
        steer(small_model(), small_data(), small_config(target_layer="5"))


def test_edits_that_steer_nothing_are_not_called_steering():
    data = small_data()
    unknown, outside = (
        MapEdit(np.zeros((16, 16)), np.full((16, 16), known), author="test") for known in (0, 1)
    )
    for edit, said in ((unknown, "needs marks; this study has none"), (outside, "nowhere to look")):
        marked = SteeringDataset(np.asarray(data.images), data.labels, data.class_names, edits={"0": edit})
        with pytest.raises(VisteerError, match=said):
            steer(small_model(), marked, small_config())


def test_a_batch_of_one_for_batch_norm_is_said():
    net = nn.Sequential(nn.Conv2d(3, 4, 16), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(VisteerError, match="raise batch_size"):
        steer(net, small_data(), SteeringConfig(epochs=1, batch_size=1))

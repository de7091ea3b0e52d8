"""Wrong use ends with 2, failure with 1, each with a line that names the thing and the mend."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.command_line import call
from visteer.errors import VisteerError

MISUSES = {
    "no such command": (("nothing",), "No such command 'nothing'"),
    "split": (("evaluate", "STUDY", "--run", "plain-1", "--split", "all"), "train, val, test, not 'all'"),
    "explain split": (("explain", "STUDY", "--split", "all"), "train, val, test, not 'all'"),
    "compare split": (("compare", "STUDY", "plain-1", "plain-1", "--split", "all"), "not 'all'"),
    "report split": (("report", "STUDY", "--split", "all"), "not 'all'"),
    "explain method": (("explain", "STUDY", "--method", "no"), "grad-cam, hirescam"),
    "layout": (("init", "NEW", "--images", "IMAGES", "--layout", "no"), "folder, busi, isic9"),
    "on bad": (("init", "NEW", "--images", "IMAGES", "--on-bad", "no"), "stop, skip"),
    "image size": (("init", "NEW", "--images", "IMAGES", "--image-size", "100000"), "4096"),
    "no images": (("init", "NEW"), "--images"),
    "method": (("steer", "STUDY", "--method", "no"), "none, attention-mse"),
    "irrelevant": (("steer", "STUDY", "--irrelevant", "no"), "none, replace, transplant"),
    "preset": (("train", "STUDY", "--preset", "no"), "default, paper"),
    "setting": (("train", "STUDY", "--set", "no=1"), "not a setting: no; there are method, gamma"),
    "setting's form": (("train", "STUDY", "--set", "gamma"), "NAME=VALUE"),
    "setting's number": (
        ("train", "STUDY", "--set", "momentum=much"),
        "momentum must be a number, not 'much'",
    ),
    "setting's whole number": (("train", "STUDY", "--set", "patience=1.5"), "must be a whole number"),
    "setting given twice": (
        ("train", "STUDY", "--set", "freeze=a", "--set", "freeze=b"),
        "--set freeze stands there twice",
    ),
    "method by --set": (
        ("steer", "STUDY", "--set", "method=abn"),
        "method is not for --set: it has an option of its own, --method",
    ),
    "irrelevant by --set": (
        ("train", "STUDY", "--set", "irrelevant=replace"),
        "--irrelevant of visteer steer",
    ),
    "setting's truth": (("train", "STUDY", "--set", "channels_last=1"), "true or false"),
    "setting's choice": (("train", "STUDY", "--set", "optimizer=no"), "sgd, adam, adamw"),
    "setting's range": (("train", "STUDY", "--set", "patience=0"), "patience must be from 1 to"),
    "augment": (("train", "STUDY", "--set", "augment=no"), "none, light, medical, strong"),
    "epochs": (("train", "STUDY", "--epochs", "-1"), "--epochs"),
    "epochs of steering": (("steer", "STUDY", "--epochs", "0"), "--epochs"),
    "seed": (("train", "STUDY", "--seed", str(2**63)), "seed must be 0 or more and fit 63 bits"),
    "seed of a study": (("init", "NEW", "--images", "IMAGES", "--seed", "-1"), "--seed"),
    "large seed of a study": (("init", "NEW", "--images", "IMAGES", "--seed", str(2**63)), "--seed"),
    "seed of a demo": (("demo", "--out", "NEW", "--seed", "-1"), "--seed"),
    "seed of a phantom": (("data", "phantom", "NEW", "--seed", "-1"), "--seed"),
    "import format": (("import", "STUDY", "--format", "no"), "masks, boxes, png"),
    "import outside": (("import", "STUDY", "--format", "masks", "--outside", "no"), "irrelevant, unknown"),
    "import fraction": (("import", "STUDY", "--format", "masks", "--fraction", "2"), "--fraction"),
    "png from nowhere": (("import", "STUDY", "--format", "png"), "--from FOLDER"),
    "phantom shortcut": (("data", "phantom", "NEW", "--shortcut", "no"), "caliper, tag, corner, none"),
}
FAILURES = {
    "missing study": (
        ("train", "NEW"),
        "new is not a study: it has no visteer.toml (make one: visteer init)",
    ),
    "a file as study": (("train", "STUDY/samples.csv"), "samples.csv is not a study"),
    "unknown run": (("evaluate", "STUDY", "--run", "no"), "has no run 'no'; there are: plain-1, steered-2"),
    "run outside": (("explain", "STUDY", "--run", "../study"), "has no run '../study'"),
    "unknown pair": (("compare", "STUDY", "plain-1", "no"), "has no run 'no'"),
    "unknown start": (("steer", "STUDY", "--from", "no"), "has no run 'no'"),
    "resume finished": (
        ("steer", "STUDY", "--resume", "steered-2"),
        "is finished: there is nothing to resume",
    ),
    "resume unknown": (("train", "STUDY", "--resume", "no"), "has no run 'no'"),
    "resume outside": (("train", "STUDY", "--resume", "../../x"), "has no run '../../x'"),
    "selection": (
        ("train", "STUDY", "--set", "select_by=no"),
        "there are accuracy, balanced_accuracy, f2, auc",
    ),
    "selection by a distance": (("train", "STUDY", "--set", "select_by=map_distance"), "map_distance"),
    "frozen": (("train", "STUDY", "--set", "freeze=no"), "the model has no module 'no'; there are backbone"),
    "all frozen": (("train", "STUDY", "--set", "freeze=backbone"), "freeze leaves nothing to train"),
    "layer without maps": (
        ("train", "STUDY", "--epochs", "0", "--set", "target_layer=backbone.fc"),
        "backbone.fc gives no maps: take a layer that gives",
    ),
    "layer": (("steer", "STUDY", "--set", "target_layer=no"), "has no layer 'no': did you mean"),
    "study taken": (("init", "STUDY", "--images", "IMAGES"), "holds a study already"),
    "images missing": (("init", "NEW", "--images", "NOWHERE"), "there is no folder"),
    "masks missing": (
        ("init", "NEW", "--images", "IMAGES", "--masks", "NOWHERE"),
        "there is no folder of masks",
    ),
    "class": (("init", "NEW", "--images", "IMAGES", "--classes", "benign,no"), "has 'benign', 'malignant'"),
    "one class": (
        ("init", "NEW", "--images", "IMAGES", "--classes", "benign"),
        "has one class only ('benign')",
    ),
    "model": (("init", "NEW", "--images", "IMAGES", "--model", "resnet1888"), "did you mean resnet18"),
    "weights missing": (("init", "NEW", "--images", "IMAGES", "--weights", "no.pt"), "no.pt: No such file"),
    "weights wrong": (
        ("init", "NEW", "--images", "IMAGES", "--weights", "STUDY/samples.csv"),
        ".safetensors, .pt",
    ),
    "offline": (
        ("init", "NEW", "--images", "IMAGES", "--weights", "offline"),
        "tf_efficientnet_lite0, not for",
    ),
    "database": (
        ("init", "NEW", "--images", "IMAGES", *["--weights", "none", "--database", "no"]),
        "sqlite:///PATH",
    ),
    "forgetful": (
        ("init", "NEW", "--images", "IMAGES", *["--weights", "none", "--database", "sqlite://"]),
        "would be forgotten",
    ),
    "database's folder": (
        ("init", "NEW", "--images", "IMAGES", *["--weights", "none", "--database", "sqlite:////no/v.db"]),
        "/no does not exist; create it first",
    ),
    "database's name": (
        ("init", "NEW", "--images", "IMAGES", *["--weights", "none", "--database", "sqlite:///a\0b"]),
        "is no file name",
    ),
    "layout's images": (
        ("init", "NEW", "--images", "IMAGES", "--layout", "isic2017"),
        "layout isic2017 expects",
    ),
    "boxes": (("import", "STUDY", "--format", "boxes"), "has no boxes to import"),
    "edits' folder": (("import", "STUDY", "--format", "png", "--from", "NOWHERE"), "there is no folder"),
    "report's folder": (("report", "STUDY", "--out", "NOWHERE/r.html"), "nowhere; make it first"),
    "report on a folder": (("report", "STUDY", "--out", "STUDY"), "it is a folder"),
    "report on a device": (("report", "STUDY", "--out", "PIPE"), "it is a device or a pipe"),
    "export to a file": (("export", "STUDY", "--out", "STUDY/samples.csv"), "samples.csv: File exists"),
    "below a file": (("init", "STUDY/samples.csv/x", "--images", "IMAGES"), "cannot make the study folder"),
    "check nothing": (("data", "check", "NOWHERE"), "there is no folder"),
}


@pytest.fixture
def words(flow, tmp_path):
    """Fills in the paths of a case."""
    places = {"STUDY": flow.study, "NEW": tmp_path / "new", "NOWHERE": tmp_path / "nowhere"}
    places["IMAGES"] = flow.phantom / "images"
    if hasattr(os, "mkfifo"):
        places["PIPE"] = tmp_path / "pipe"
        os.mkfifo(places["PIPE"])

    def fill(case):
        filled = []
        for word in case:
            head, slash, rest = word.partition("/")
            filled.append(f"{places[head]}{slash}{rest}" if head in places else word)
        if case[0] == "init" and "--model" not in case:
            filled += ["--model", "test_resnet"]
        return filled

    return fill


@pytest.mark.parametrize("case", MISUSES)
def test_wrong_use_ends_with_2(words, flow, case):
    call_words, told = MISUSES[case]
    runs = sorted((flow.study / "runs").iterdir())
    assert told in call(*words(call_words)).misuse
    assert sorted((flow.study / "runs").iterdir()) == runs


@pytest.mark.parametrize("case", FAILURES)
def test_failure_ends_with_1_and_one_line(words, flow, tmp_path, case):
    call_words, told = FAILURES[case]
    runs = sorted((flow.study / "runs").iterdir())
    assert told in call(*words(call_words)).error
    assert sorted((flow.study / "runs").iterdir()) == runs
    assert not (tmp_path / "new" / "visteer.toml").exists()


@pytest.mark.parametrize("place", [0, 1, 3])
def test_debug_anywhere_lets_the_error_through(place, tmp_path):
    line = ["evaluate", str(tmp_path), "--run", "plain-1"]
    line.insert(place, "--debug")
    with pytest.raises(VisteerError, match="is not a study"):
        call(*line)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\x00[[[", "visteer.toml is damaged"),
        ("", "entry study is missing"),
        ("study = 3\n", "entry study is of the wrong kind"),
        ("[study]\nformat = 2\n[data]\n[model]\n", "has format 2, and this version reads format 1"),
        ("[study]\nformat = 1\n[data]\nlayout = 'no'\n[model]\n", "layout must be one of folder"),
        (
            "[study]\nformat = 1\n[data]\nlayout = 'busi'\nimages = 3\n[model]\n",
            "entry images is of the wrong",
        ),
        (b"\xff\xfe", "visteer.toml is damaged"),
    ],
)
def test_a_damaged_visteer_toml_is_named(study, text, told):
    (study / "visteer.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert told in call("train", study).error


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("image_size = 48", "image_size = -1"),
        ("image_size = 48", "image_size = true"),
        ("image_size = 48", "image_size = 99999999"),
        ("seed = 0", "seed = -3"),
        ("seed = 0", f"seed = {2**63}"),
    ],
)
def test_a_number_out_of_range_in_visteer_toml_is_named(study, entry, value):
    text = (study / "visteer.toml").read_text()
    assert entry in text
    (study / "visteer.toml").write_text(text.replace(entry, value))
    told = f"the entry {value.split()[0]} must be a whole number from"
    assert told in call("evaluate", study, "--run", "plain-1").error
    assert told in call("import", study, "--format", "masks").error


HEADER = "id,label,class,split,group\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "samples.csv cannot be read: No such file"),
        (b"", "rows are missing"),
        (b"a,b\n1,2\n", "damaged at line 2"),
        (HEADER.encode() + b"x,0,a,train,0\nx,zero,a,train,0\n", "damaged at line 3"),
        (HEADER.encode() + b"x,0,a,tra", "damaged at line 2"),
        (HEADER.encode() + b"x,1,a,train,0\n", "rows are missing"),
        (HEADER.encode() + b"x,0,a,train,0\nx,1,b,val,0\n", "double"),
        (HEADER.encode() + b"x,0,a,train,0\ny,1,b,val,0\n", "does not fit the 80 images"),
        (b"\xff\xfe\x00", "is damaged"),
    ],
)
def test_a_damaged_samples_csv_is_named(study, text, told):
    if text is None:
        (study / "samples.csv").unlink()
    else:
        (study / "samples.csv").write_bytes(text)
    assert told in call("train", study).error


def test_a_cut_off_samples_csv_is_no_smaller_study(study):
    lines = (study / "samples.csv").read_text().splitlines(keepends=True)
    (study / "samples.csv").write_text("".join(lines[:-5]))
    assert "does not fit the 80 images" in call("train", study).error


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_the_cache_is_made_again(study, flow, damage):
    before = flow.calls["evaluate"].json
    if damage == "gone":
        shutil.rmtree(study / "cache")
    else:
        for path in (study / "cache").glob("*.npy"):
            path.write_bytes(path.read_bytes()[:999])
    again = call("evaluate", study, "--run", "steered-2", "--json").json
    assert again["accuracy"] == before["accuracy"]
    assert again["maps"] == before["maps"]


def test_the_cache_cannot_be_made_again_without_the_images(study):
    text = (study / "visteer.toml").read_text()
    shutil.rmtree(study / "cache")
    (study / "visteer.toml").write_text(text.replace("/images", "/nowhere"))
    assert "there is no folder" in call("explain", study).error


def test_images_that_are_gone_are_counted(study, flow, tmp_path):
    images = shutil.copytree(flow.phantom / "images", tmp_path / "images")
    text = (study / "visteer.toml").read_text()
    (study / "visteer.toml").write_text(text.replace(str(flow.phantom / "images"), str(images)))
    (Path(images) / "train/benign/benign_0003.png").unlink()
    shutil.rmtree(study / "cache")
    assert "has no image 'train/benign/benign_0003.png' any more (1 missing)" in call("explain", study).error


def test_a_corrupt_database_is_named_and_a_lost_one_is_not_taken_for_empty(study):
    for path in study.glob("visteer.db*"):
        path.write_bytes(b"nonsense" * 999)
    assert "visteer.db is damaged" in call("evaluate", study, "--run", "plain-1").error
    assert "visteer.db is damaged" in call("import", study, "--format", "masks").error
    for path in study.glob("visteer.db*"):
        path.unlink()
    (study / "visteer.db").touch()
    assert "with the edits is empty; restore it" in call("evaluate", study, "--run", "plain-1").error
    (study / "visteer.db").unlink()
    assert "with the edits is gone; restore it" in call("evaluate", study, "--run", "plain-1").error
    assert not (study / "visteer.db").exists()
    assert call("import", study, "--format", "masks", "--json").json == {"edits": 80}


def test_an_unfinished_run_says_how_to_finish_it(study):
    folder = study / "runs" / "steered-2"
    (folder / "model.safetensors").rename(folder / "best.safetensors")
    told = f"run steered-2 is not finished; finish it: visteer steer {study} --resume steered-2"
    assert told in call("evaluate", study, "--run", "steered-2").error
    assert told in call("explain", study, "--run", "steered-2").error
    assert told in call("steer", study, "--from", "steered-2").error
    assert "plain-1" in call("report", study).out  # it goes on without it


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "text",
    ["{", "{}", '{"config": {"no": 1}}', '{"config": {"target_layer": 5}}', '{"config": 3}', "[]", DEEP],
)
def test_a_damaged_run_json_is_named(study, text):
    (study / "runs/plain-1/run.json").write_text(text)
    assert "plain-1/run.json is damaged" in call("evaluate", study, "--run", "plain-1").error


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("evaluation-test.json", b"{"),
        ("evaluation-test.json", DEEP.encode()),
        ("evaluation-test.digest", b"\xff"),
    ],
)
def test_a_damaged_result_is_measured_anew(study, name, damage):
    path = study / "runs/plain-1" / name
    assert call("compare", study, "plain-1", "steered-2").code == 0
    whole = path.read_bytes()
    path.write_bytes(damage)
    assert call("compare", study, "plain-1", "steered-2").code == 0
    assert path.read_bytes() == whole


def test_a_layer_may_be_named_without_the_classifiers_own_prefix(study):
    words = ("--epochs", 1, "--set", "target_layer=layer3", "--json")
    assert call("steer", study, *words).json["run"] == "steered-3"


def test_damaged_weights_are_named(study):
    (study / "runs/plain-1/model.safetensors").write_bytes(b"x" * 99)
    assert "plain-1/model.safetensors is damaged" in call("evaluate", study, "--run", "plain-1").error


def test_without_a_run_there_is_nothing_to_show(study):
    shutil.rmtree(study / "runs")
    told = f"has no finished run yet (visteer train {study})"
    assert told in call("explain", study).error
    assert told in call("report", study).error
    assert "none yet (visteer train)" in call("evaluate", study, "--run", "plain-1").error


def test_without_edits_there_is_nothing_to_steer_with(init, tmp_path, study):
    assert init().code == 0
    assert "there is no edit to steer with" in call("steer", tmp_path / "new").error
    told = "there is no edit to steer with"
    assert told in call("steer", tmp_path / "new", "--irrelevant", "transplant").error
    assert not list((tmp_path / "new").glob("runs/*"))


def test_without_masks_there_is_nothing_to_import(phantom, tmp_path):
    words = (
        "--images",
        phantom / "images",
        "--model",
        "test_resnet",
        "--weights",
        "none",
        "--image-size",
        32,
    )
    assert call("init", tmp_path / "new", *words).code == 0
    assert (
        "name their folder by visteer init --masks"
        in call("import", tmp_path / "new", "--format", "masks").error
    )


def test_all_bad_files_are_listed_at_once_and_init_can_be_called_again(phantom, tmp_path):
    images = Path(shutil.copytree(phantom / "images", tmp_path / "images"))
    (images / "train/benign/cut.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(9))
    (images / "train/malignant/empty.png").write_bytes(b"")
    (images / "val/benign/[bold]notes.txt").write_text("x")
    (images / "train/benign/a\n\x1b[31mb.png").write_bytes(b"GIF")
    words = ("--images", images, "--model", "test_resnet", "--weights", "none", "--image-size", 32)
    stopped = call("init", tmp_path / "new", *words)
    assert "4 file(s) cannot be used" in stopped.error
    squeezed = "".join(stopped.err.split()).replace("│", "")
    for name in ("cut.png", "empty.png", "[bold]notes.txt", r"a\n\x1b[31mb.png"):
        assert name in squeezed
    assert "\x1b" not in stopped.err
    assert not (tmp_path / "new").exists()
    skipped = call("init", tmp_path / "new", *words, "--on-bad", "skip", "--json")
    assert skipped.json["skipped"] == 4
    assert skipped.json["images"] == {"train": 40, "val": 16, "test": 24}


def test_more_images_than_the_disk_holds_are_refused_before_decoding(init, monkeypatch, tmp_path):
    import visteer.study.study as module

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    assert "choose a smaller --image-size" in init().error
    monkeypatch.undo()
    assert init().code == 0


def test_a_folder_that_cannot_be_written(init, phantom, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o555)
    try:
        assert "cannot make the study folder" in init().error
    finally:
        tmp_path.chmod(0o755)


def test_a_report_that_cannot_be_written_is_named(study, monkeypatch):
    import visteer.study.reporting as module

    def full(path, text):
        raise OSError(28, "No space left on device", str(path.with_name(".partial")))

    monkeypatch.setattr(module, "render_report", lambda _: "")
    monkeypatch.setattr(module, "write_text", full)
    assert "report.html: No space left on device" in call("report", study).error


def test_a_weights_file_of_other_classes_or_with_code_is_refused(study, phantom, tmp_path):
    import torch

    torch.save({"fc.weight": torch.zeros(3)}, tmp_path / "odd.pt")
    words = ("--images", phantom / "images", "--model", "test_resnet", "--image-size", 32)
    refused = call("init", tmp_path / "new", *words, "--weights", tmp_path / "odd.pt")
    assert "odd.pt" in refused.error
    run = study / "runs/plain-1/model.safetensors"
    assert call("init", tmp_path / "new", *words, "--weights", run, "--json").json["classes"]


def test_the_visteer_command_itself(tmp_path):
    code = "import sys; from visteer.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "data", "check", str(tmp_path / "no")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("visteer: there is no folder")
    assert len(done.stderr.splitlines()) == 1


def test_output_that_cannot_show_every_letter_or_is_closed(tmp_path):
    for name in ("a", "ü"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (9, 9)).save(tmp_path / name / "1.png")
    code = "import sys; {}; from visteer.cli import main; main()"
    line = [sys.executable, "-c", code.format("pass"), "data", "check", str(tmp_path)]
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120, env=ascii_only)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xfc" in done.stdout
    line[2] = code.format("sys.stdout = sys.stderr = None")
    assert subprocess.run(line, capture_output=True, check=False, timeout=120).returncode == 0


def test_pictures_are_checked_without_loading_pytorch(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (9, 9)).save(tmp_path / name / "1.png")
    code = "import sys; from visteer.cli import main\ntry: main()\nfinally: sys.exit('torch' in sys.modules)"
    line = [sys.executable, "-c", code, "data", "check", str(tmp_path)]
    assert subprocess.run(line, capture_output=True, check=False, timeout=120).returncode == 0

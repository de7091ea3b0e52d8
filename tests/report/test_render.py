"""The page as a browser reads it: complete, closed to the outside, and deaf to hostile names."""

from __future__ import annotations

import dataclasses
import math
import re
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest

from tests.report.sample_report import NAN, make_content, make_gallery_row, make_history, make_result
from visteer.evaluation.result import EvaluationResult, PerImage
from visteer.report import ReportContent, RunReport, render_report
from visteer.report.number_text import difference_text, interval_text, value_text
from visteer.report.tables import MATRIX_CLASSES

VOID = {"meta", "img", "br", "link", "input", "hr"}
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    "</style></title></svg><b>",
    "line\nbreak\x00\x1b[31m",
    "gpj.\u202eexe\u2066\ufeff",
    "{{ 7 * 7 }}{% raw %}$\\frac{1}{2}$",
    "\udcff.png",
    "long " * 2000,
)


class Page(HTMLParser):
    """What a browser would make of the text: tags with attributes, and the text that is shown."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.shown: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.shown.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.shown).split(" "))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


SAMPLE = make_content(gallery_rows=7)


@pytest.fixture(scope="module")
def text() -> str:
    return render_report(SAMPLE)


@pytest.fixture(scope="module")
def page(text) -> Page:
    return Page(text)


@pytest.fixture(scope="module")
def hostile_text() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return render_report(hostile_content())


def hostile_content() -> ReportContent:
    """Hostile text in every place that takes text."""
    bad = "".join(HOSTILE[:-1])
    base = make_content()
    classes = HOSTILE[:7]
    result = make_result(accuracy=0.6, f2=0.5, auc=0.7, epg=0.2, iou=0.1, reliance=0.3, classes=classes)
    rows = tuple(
        dataclasses.replace(r, region=bad, replacement=bad + str(i))
        for i, r in enumerate(result.intervention_rows)
    )
    first = next(iter(result.figures.values()))
    result = dataclasses.replace(
        result,
        intervention_rows=rows,
        figures=result.figures | {bad: first},
        counts={bad: 3},
        per_class={name: measures | {bad: first} for name, measures in result.per_class.items()},
    )
    runs = tuple(
        RunReport(name, name, name, result, ({"epoch": 1.0, name: 1.0},), {name: name})
        for name in (bad, HOSTILE[-1])
    )
    gallery = tuple(
        dataclasses.replace(make_gallery_row(0), sample_id=name, true_class=name, predictions=(name, bad))
        for name in HOSTILE
    )
    comparison = (*base.comparison, dataclasses.replace(base.comparison[0], figure=bad, test=bad))
    return ReportContent(
        bad, runs, {bad: bad}, comparison, gallery, notes=(bad,), training=(bad,), measuring=(bad,)
    )


def test_the_same_content_gives_the_same_page(text):
    assert render_report(make_content(gallery_rows=7)) == text


def test_nothing_refers_to_the_outside(text, page):
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "form", "base", "a", "image"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "xlink:href", "action", "data", "poster", "srcset"}:
                assert value.startswith(("data:image/webp;base64,", "#")), (tag, name, value[:80])
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))


def test_the_policy_forbids_requests_and_scripts(page):
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "script-src" not in rules
    names = [tag for tag, _ in page.tags]
    assert names.index("meta") < names.index("style")


def test_every_figure_interval_and_difference_is_shown(page):
    content = SAMPLE
    for run in content.runs:
        for group in (run.result.figures, run.result.maps, run.result.interventions):
            for key, figure in group.items():
                assert value_text(key, figure.value) in page.text
                assert interval_text(key, figure) in page.text
        for row in run.result.intervention_rows:
            for key in ("flips", "probability_change", "accuracy"):
                assert value_text(key, getattr(row, key).value) in page.text
    for row in content.comparison:
        assert difference_text(row.figure, row.difference.value) in page.text


def test_the_words_come_before_the_figures(page):
    assert page.text.index("it relies less on what is marked irrelevant") < page.text.index("All figures")


def test_sections_notes_commands_and_settings_are_there(page):
    for part in ("In short", "What the predictions rely on", "Where it looks", "Class by class", "Training"):
        assert part in page.text
    assert "visteer steer busi-tags --gamma 10 --irrelevant transplant" in page.text
    assert "visteer report busi-tags plain-1 steered-2 --split test" in page.text
    assert "One seed. Repeat with others before you rely on it." in page.text
    assert "tf_efficientnet_lite0" in page.text
    # One plot a quantity, and the IoU sweep.
    assert len([svg for svg in page.all("svg") if svg.get("class") != "swatch"]) == 5


def test_the_gallery_shows_the_worst_first_and_those_without_a_score_last(page):
    order = sorted(SAMPLE.gallery, key=lambda row: page.text.index(f"{row.sample_id} "))
    scores = [row.scores[-1] for row in order]
    assert math.isnan(scores[-1])
    assert scores[:-1] == sorted(scores[:-1])
    assert scores[:-1] != [row.scores[-1] for row in SAMPLE.gallery if not math.isnan(row.scores[-1])]


def test_the_worst_may_be_the_highest():
    rows = SAMPLE.gallery[:2]
    content = dataclasses.replace(SAMPLE, gallery=rows, gallery_score="map_distance")
    shown = Page(render_report(content)).text
    worst, best = sorted(rows, key=lambda row: -row.scores[-1])
    assert shown.index(f"{worst.sample_id} ") < shown.index(f"{best.sample_id} ")
    assert "worst first by Map distance" in shown


def test_a_dead_map_and_a_missing_edit_are_said():
    row = make_gallery_row(0, edited=False)
    dead = dataclasses.replace(row, maps=(np.zeros((7, 7)), row.maps[1]))
    text = Page(render_report(dataclasses.replace(make_content(), gallery=(dead,)))).text
    assert text.count("dead map") == 1
    assert "no edit" in text


def test_hostile_names_stay_text(hostile_text, page):
    hostile_text.encode("utf-8")
    hostile = Page(hostile_text)
    assert {tag for tag, _ in hostile.tags} <= {tag for tag, _ in page.tags}
    assert {name for _, found in hostile.tags for name in found} <= {"title"} | {
        name for _, found in page.tags for name in found
    }
    assert not set(hostile_text) & set("\x00\x1b\u202e\u2066\ufeff")
    for shown in (
        "<script>alert(1)</script>",
        '"><img src=x',
        "{{ 7 * 7 }}",
        "$\\frac",
        "‹U+202E›",
        "‹U+DCFF›",
    ):
        assert shown in hostile.text


def test_long_names_are_short_on_the_page_and_whole_in_the_title(hostile_text):
    page = Page(hostile_text)
    assert HOSTILE[-1][:700] not in page.text
    assert HOSTILE[-1] in {attributes.get("title") for attributes in page.all("bdi")}


def test_what_was_not_measured_is_no_number():
    result = make_content().runs[0].result
    nothing = dataclasses.replace(
        result,
        figures=dict.fromkeys(result.figures, NAN),
        maps=dict.fromkeys(result.maps, NAN),
        iou_sweep=dict.fromkeys(result.iou_sweep, NAN),
        interventions=dict.fromkeys(result.interventions, NAN),
        per_class={name: dict.fromkeys(measures, NAN) for name, measures in result.per_class.items()},
        intervention_rows=tuple(
            dataclasses.replace(row, flips=NAN, probability_change=NAN, accuracy=NAN)
            for row in result.intervention_rows
        ),
    )
    history = ({"epoch": 1.0, "loss": math.nan},)
    text = render_report(ReportContent("Nothing", (RunReport("a", "A", "", nothing, history),)))
    page = Page(text)
    assert not re.search(r"\bnan\b", re.sub(r"base64,[^\"]+", "", text), re.IGNORECASE)
    assert page.text.count("not measured") > 30
    assert "IoU was not measured." in page.text
    assert [svg for svg in page.all("svg") if svg.get("class") != "swatch"] == []


def test_an_empty_result_and_a_single_run_make_a_page():
    images = PerImage((), np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros(0, np.bool_), {})
    empty = EvaluationResult(("a", "b"), {}, {}, np.zeros((2, 2), int), {}, {}, {}, (), {}, images)
    page = Page(render_report(ReportContent("Empty", (RunReport("r", "Only", "", empty),))))
    assert "Difference" not in page.text
    assert "Training" not in page.text
    assert "Accuracy was not measured." in page.text


def test_four_runs_stand_side_by_side():
    result = make_content().runs[0].result
    runs = tuple(RunReport(n, f"Run {n}", "", result, make_history(0.5)) for n in "abcd")
    content = dataclasses.replace(SAMPLE, runs=runs, gallery=(make_gallery_row(0, runs=4),))
    page = Page(render_report(content))
    styles = {line["class"] for line in page.all("line")}
    assert styles == {f"run-line run-{n}" for n in range(4)}
    assert "Run d against Run a :" in re.sub(r"\s+", " ", page.text)


def test_many_classes_give_a_list_of_mistakes_instead_of_a_matrix():
    names = tuple(f"class {i}" for i in range(MATRIX_CLASSES + 1))
    result = make_result(accuracy=0.5, f2=0.5, auc=0.5, epg=0.2, iou=0.2, reliance=0.2, classes=names)
    page = Page(render_report(ReportContent("Many", (RunReport("a", "A", "", result),))))
    assert "the most frequent mistakes" in page.text
    assert not [table for table in page.all("table") if table.get("class") == "matrix"]


def test_the_page_can_be_read_aloud(page):
    assert page.all("html")[0]["lang"] == "en"
    assert all(img.get("alt") for img in page.all("img"))
    assert all(th.get("scope") for th in page.all("th"))
    for name, svg in page.tags:
        assert name != "svg" or svg.get("aria-hidden") or svg.get("width")
    labels = [div["aria-label"] for div in page.all("div") if div.get("role") in {"img", "region"}]
    assert labels
    assert all(labels)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(section["aria-labelledby"] in ids for section in page.all("section"))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(theme, text):
    """WCAG 2 AA: a contrast of at least 4.5 for text on the page and on panels."""
    root = re.findall(r":root \{(.*?)\}", text, re.DOTALL)[theme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", root))
    for ink in ("ink", "muted", "accent", "warn"):
        for ground in ("page", "panel"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for line in ("run-0", "run-1"):
        assert contrast(colours[line], colours["page"]) >= 3


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)

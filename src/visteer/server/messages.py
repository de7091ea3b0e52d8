"""What the editor's server and its page say to each other, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from visteer.data.sample import Split
from visteer.edits.consensus import ConsensusMethod
from visteer.edits.rating import BEST, WORST
from visteer.edits.verdict import VerdictKind

StateName = Literal["none", "edited", "accepted", "nothing", "skipped"]
GroupName = Literal[
    "right_reasonable",
    "right_unreasonable",
    "right_unjudged",
    "wrong_reasonable",
    "wrong_unreasonable",
    "wrong_unjudged",
]
SortName = Literal["queue", "misalignment", "confidence", "class", "state", "name"]
JobState = Literal["waiting", "running", "done", "failed"]
OrderName = Literal["asc", "desc"]

MAX_COMMENT = 4000
MAX_REVISION = 2**31 - 1


class Message(BaseModel):
    """Base of all: nothing unknown is taken in."""

    model_config = ConfigDict(extra="forbid")


class ErrorMessage(Message):
    """What is wrong, and how to mend it, in one line."""

    detail: str


class ConflictMessage(ErrorMessage):
    """Somebody else saved first; nothing was stored. `latest` is the revision to look at, by `author`."""

    latest: int
    author: str | None


class RunMessage(Message):
    """A finished run."""

    id: str
    kind: str


class JobMessage(Message):
    """Maps and predictions of one split by one run, made in the background; `total` is 0 until it is known."""

    run: str
    split: Split
    state: JobState
    done: int
    total: int
    detail: str


class StudyMessage(Message):
    """The study, and the defaults of this server. `unpainted` is what a cell means that nobody painted.

    `authors` are all who have drawn or judged.
    """

    name: str
    classes: list[str]
    image_size: int
    runs: list[RunMessage]
    run: str | None
    author: str
    unpainted: Literal["unknown", "irrelevant"]
    methods: list[str]
    splits: list[Split]
    authors: list[str]
    count: int


class Item(Message):
    """One image of the list, under the run that was asked for. `class` and `predicted` are names of classes."""

    key: int
    id: str
    split: Split
    label: int
    class_: str = Field(serialization_alias="class")
    predicted: str | None
    confidence: float | None
    right: bool | None
    reasonable: bool | None
    misalignment: float | None
    state: StateName
    revision: int
    author: str | None


class Counts(Message):
    """Images by prediction and judgement; images without a prediction are in none."""

    right_reasonable: int
    right_unreasonable: int
    right_unjudged: int
    wrong_reasonable: int
    wrong_unreasonable: int
    wrong_unjudged: int


class States(Message):
    """Images by what was last done to them."""

    none: int
    edited: int
    accepted: int
    nothing: int
    skipped: int


class ListMessage(Message):
    """A part of the list. `counts` are under all filters but `group`, `states` under all but `state`."""

    total: int
    counts: Counts
    states: States
    items: list[Item]


class Probability(Message):
    """The run's probability of one class."""

    class_: str = Field(serialization_alias="class")
    p: float


class ImageMessage(Item):
    """One image. `width` and `height` are those of the picture as served; `verdict` is the latest one."""

    width: int
    height: int
    probabilities: list[Probability]
    verdict: VerdictKind | None
    comment: str


class MapMessage(Message):
    """A map in 0 to 1: `values` is base64 of float32, little-endian, row by row. `dead`: it was zero everywhere."""

    height: int
    width: int
    values: str
    dead: bool
    method: str
    class_: str = Field(serialization_alias="class")


class RevisionMessage(Message):
    """The number under which an edit is on disk."""

    revision: int


class HistoryEntry(Message):
    """One revision of an image."""

    revision: int
    author: str
    time: datetime
    source: str
    comment: str
    has_relevant: bool


class RestoreMessage(Message):
    """Take `revision` again, if `based_on` is still the latest."""

    revision: int = Field(ge=1, le=MAX_REVISION)
    based_on: int = Field(ge=0, le=MAX_REVISION)


class VerdictMessage(Message):
    """A judgement of the map of `run`, without drawing."""

    verdict: VerdictKind
    run: str | None = Field(default=None, max_length=200)
    comment: str = Field(default="", max_length=MAX_COMMENT)


class RatingsMessage(Message):
    """How many trials there are and have this rater's rating; `next` is the first without, None for none."""

    total: int
    rated: int
    next: int | None


class TrialMessage(Message):
    """One map to rate, without its run; `value` is this rater's latest rating of it."""

    number: int
    key: int
    class_: str = Field(serialization_alias="class")
    value: int | None


class RatingMessage(Message):
    """1 (looks exactly where an expert looks) to 5 (somewhere else)."""

    value: int = Field(ge=BEST, le=WORST, strict=True)


class RatedMessage(Message):
    """A rating that is on disk."""

    number: int
    value: int


class RatingResult(Message):
    """The ratings of one run: mean over images with its 95 % interval, and Krippendorff's alpha of the raters."""

    run: str
    images: int
    raters: int
    mean: float | None
    low: float | None
    high: float | None
    alpha: float | None


class ComparedRun(Message):
    """One run on one image; the scores are null without a relevant region to measure against."""

    run: str
    predicted: str
    right: bool
    probabilities: list[Probability]
    dead: bool
    misalignment: float | None
    epg: float | None
    iou: float | None


class ComparisonMessage(Message):
    """Two runs on one image."""

    key: int
    id: str
    class_: str = Field(serialization_alias="class")
    before: ComparedRun
    after: ComparedRun


Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
MAX_POINTS = 64


class PointMessage(Message):
    """A click; x and y are shares of the picture's width and height. `inside`: it is on the object that is meant."""

    x: Share
    y: Share
    inside: bool = True


class BoxMessage(Message):
    """A box, in shares of the picture's width and height."""

    left: Share
    top: Share
    right: Share
    bottom: Share

    @model_validator(mode="after")
    def _is_a_box(self) -> BoxMessage:
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError("left must be less than right, and top less than bottom")
        return self


class SelectMessage(Message):
    """Which object is meant: either `points`, at least one of them inside, or a `box` round it.

    `sketch` is a rough drawing of what is in the box: base64 of one bit a cell, row by row, the highest bit first, of
    the picture made at most 512 on its long side, as the answer is.
    """

    points: list[PointMessage] = Field(default=[], max_length=MAX_POINTS)
    box: BoxMessage | None = None
    sketch: str | None = Field(default=None, max_length=44000)

    @model_validator(mode="after")
    def _means_one(self) -> SelectMessage:
        if (self.box is None) != any(point.inside for point in self.points):
            raise ValueError("give either points, one of them inside, or a box")
        if self.box is None and self.sketch is not None:
            raise ValueError("a sketch needs a box")
        return self


class PlaceMessage(Message):
    """Where an image stands in a list, from 0; null where the filters leave it out. `total`: how long the list is."""

    place: int | None
    total: int


class AnnotatorMessage(Message):
    """Somebody who drew on the image, and the latest revision of theirs."""

    author: str
    revision: int


class PairMessage(Message):
    """Soft Dice of two people's edits on what both know; None where neither marks anything relevant."""

    first: str
    second: str
    dice: float | None


class AgreementMessage(Message):
    """How far the people who drew on an image agree; `alpha` is Krippendorff's over the cells, None without one.

    `left_out` says how many people's edits were too many to compare.
    """

    annotators: list[AnnotatorMessage]
    pairs: list[PairMessage]
    alpha: float | None
    left_out: int


class ConsensusMessage(Message):
    """Make one edit of the latest ones of all people, if `based_on` is still the latest revision."""

    method: ConsensusMethod
    based_on: int = Field(ge=0, le=MAX_REVISION)

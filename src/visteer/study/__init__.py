"""A study on disk, and the stages run on it."""

from visteer.data.readers import Layout
from visteer.study.edits import Outside, export_edits, import_drawn, import_regions
from visteer.study.edits import Source as EditSource
from visteer.study.reporting import (
    result_rows,
    run_ratings,
    runs_to_report,
    save_explanation_sheet,
    write_report,
)
from visteer.study.setup import BadFiles, NewStudy, OnBad, make_study
from visteer.study.stages import (
    ExplainedSplit,
    Reporting,
    TrainingData,
    chosen_irrelevant,
    compare_runs,
    default_selection,
    evaluate_run,
    explain_run,
    finished_runs,
    is_steered,
    load_run,
    own_map_method,
    run_config,
    save_explanation,
    stored_result,
    train_run,
    variant_dataset,
)
from visteer.study.study import Study, StudySettings

__all__ = [
    "BadFiles",
    "EditSource",
    "ExplainedSplit",
    "Layout",
    "NewStudy",
    "OnBad",
    "Outside",
    "Reporting",
    "Study",
    "StudySettings",
    "TrainingData",
    "chosen_irrelevant",
    "compare_runs",
    "default_selection",
    "evaluate_run",
    "explain_run",
    "export_edits",
    "finished_runs",
    "import_drawn",
    "import_regions",
    "is_steered",
    "load_run",
    "make_study",
    "own_map_method",
    "result_rows",
    "run_config",
    "run_ratings",
    "runs_to_report",
    "save_explanation",
    "save_explanation_sheet",
    "stored_result",
    "train_run",
    "variant_dataset",
    "write_report",
]

"""visteer data: check, download and generate images."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from visteer.cli.options import JsonOption, one_of
from visteer.cli.output import (
    print_json,
    print_table,
    progress_bar,
    progress_bars,
    say,
    show_problems,
    suggest,
)
from visteer.data.catalogue_report import CatalogueReport, catalogue_report
from visteer.data.download import download, download_instructions
from visteer.data.inspection import check_files, drop_bad
from visteer.data.phantom import Shortcut, generate_phantom
from visteer.data.readers import Layout, read_catalogue


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, help="Check, download or generate images."
    )
    group.command("check")(check)
    group.command("download")(download_data)
    group.command("phantom")(phantom)
    app.add_typer(group, name="data")


def check(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The folder of the images.")],
    layout: Annotated[str, typer.Option(help="folder, busi, isic9, isic2017 or imagenette.")] = "folder",
    masks: Annotated[Path | None, typer.Option(help="Masks of what is relevant, paired by name.")] = None,
    irrelevant_masks: Annotated[
        Path | None, typer.Option(help="Masks of what must not be used, paired by name.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Look for bad files, near-duplicates, pictures under two classes; count classes, masks and sizes.

    Ends with exit code 1 if a file cannot be used.

    Example: visteer data check Dataset_BUSI_with_GT --layout busi
    """
    catalogue = read_catalogue(
        one_of(layout, Layout, "--layout"),  # type: ignore[arg-type]
        path,
        masks=masks,
        irrelevant_masks=irrelevant_masks,
    )
    with progress_bars() as bars:
        problems = check_files(catalogue, lambda done, total: bars("checking files", done, total))
        usable = drop_bad(catalogue, problems)
        report = catalogue_report(
            usable, progress=lambda done, total: bars("finding near-duplicates", done, total)
        )
    errors = [problem for problem in problems if problem.severity == "error"]
    if json:
        listed = [{**dataclasses.asdict(p), "path": str(p.path)} for p in problems]
        print_json({"problems": listed, **report.to_json()})
    else:
        show_report(report)
        if problems:
            show_problems("Files that cannot be used, and files that are converted", problems)
    if errors:
        raise typer.Exit(1)


def show_report(report: CatalogueReport) -> None:
    """Print what a data set holds, as tables."""
    rows = [
        [
            name,
            str(found.images),
            f"{found.share:.0%}",
            f"{found.annotated:.0%}",
            str(found.empty_masks),
            f"{found.coverage['50%']:.1%}" if found.coverage else "–",
            f"{found.boxed:.0%}",
        ]
        for name, found in report.classes.items()
    ]
    header = ["class", "images", "share", "with mask", "empty masks", "median mask area", "with box"]
    print_table(f"{report.images} images", header, rows)
    sizes = [[side, str(count)] for side, count in report.shorter_sides.items()]
    print_table("Shorter side in pixels", ["side", "images"], sizes)
    for title, groups in (
        ("Near-duplicates", report.duplicates),
        (
            "The same picture under two classes, so that one label is doubtful",
            report.duplicates_across_classes,
        ),
        (
            "The same picture in two given splits, so that the test knows what was trained on",
            report.duplicates_across_splits,
        ),
    ):
        if groups:
            count = f"{len(groups)} group{'s' if len(groups) > 1 else ''}"
            print_table(f"{title}: {count}", ["images"], [[", ".join(group)] for group in groups])
        else:
            say(f"{title.partition(',')[0]}: none")


def download_data(
    name: Annotated[str, typer.Argument(metavar="NAME", help="imagenette, busi or isic.")],
    folder: Annotated[Path, typer.Option("--to", help="Where to put it.")] = Path(),
    url: Annotated[str | None, typer.Option(help="Another address of the same archive.")] = None,
    sha256: Annotated[str | None, typer.Option(help="The archive's checksum.")] = None,
    json: JsonOption = False,
) -> None:
    """Fetch a public data set; an interrupted download goes on where it stopped.

    BUSI and ISIC need a login at their hosts: for these it says what to fetch and where to put it.

    Example: visteer data download imagenette --to data
    """
    if name in ("busi", "isic"):
        text = download_instructions(name)
        if json:
            print_json({"instructions": text})
            return
        for line in text.splitlines():
            say(line)
        return
    with progress_bar(f"downloading {name}") as bar:
        path = download(name, folder, url=url, sha256=sha256, progress=bar)
    if json:
        print_json({"path": str(path)})
        return
    say(f"{name} is in {path}")


def phantom(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder to make.")],
    train: Annotated[int, typer.Option(help="Training pictures.", min=0)] = 300,
    val: Annotated[int, typer.Option(help="Validation pictures.", min=0)] = 80,
    test: Annotated[int, typer.Option(help="Test pictures.", min=0)] = 200,
    shortcut: Annotated[str, typer.Option(help="caliper, tag, corner or none.")] = "tag",
    image_size: Annotated[int, typer.Option(help="Side in pixels.", min=32)] = 128,
    seed: Annotated[int, typer.Option(help="Same seed, same pictures.", min=0)] = 0,
    json: JsonOption = False,
) -> None:
    """Draw ultrasound-like pictures with a burnt-in shortcut that tells the class in training and not in the test.

    Example: visteer data phantom phantom --shortcut tag
    """
    with progress_bar("drawing pictures") as bar:
        made = generate_phantom(
            folder,
            counts={"train": train, "val": val, "test": test},
            image_size=image_size,
            shortcut=one_of(shortcut, Shortcut, "--shortcut"),  # type: ignore[arg-type]
            seed=seed,
            progress=bar,
        )
    folders = {"images": str(made.images), "masks": str(made.masks), "marks": str(made.marks)}
    if json:
        print_json(folders)
        return
    say(f"{train + val + test} pictures in {made.images}")
    folders_given = ("--images", made.images, "--masks", made.masks, "--irrelevant-masks", made.marks)
    suggest("init", "my-study", *folders_given)

"""visteer edit: see and correct maps in the browser."""

from __future__ import annotations

import getpass
import secrets
import sys
import webbrowser
from threading import Thread
from typing import Annotated

import typer

from visteer.cli.opening import open_study
from visteer.cli.options import JsonOption, StudyArgument
from visteer.cli.output import note, print_json, say
from visteer.server.app import create_app
from visteer.server.gate import allowed_hosts
from visteer.server.routes.page import STATIC, check_page
from visteer.server.serving import is_local, link, listen, listen_at_own_port, serve
from visteer.server.sessions import session_secret
from visteer.study import Study, load_run
from visteer.study.study import SPLITS


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("edit")(edit)


def edit(
    study: StudyArgument,
    run: Annotated[
        str | None, typer.Option(metavar="ID", help="The run shown first. Default: the latest finished run.")
    ] = None,
    author: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who edits. Default: your name on this machine.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes the study's own, or a free one.")] = 0,
    host: Annotated[
        str, typer.Option(metavar="NAME", help="Where to listen. Others can reach any but the default.")
    ] = "127.0.0.1",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the link only.")] = False,
    no_maps: Annotated[
        bool, typer.Option("--no-maps", help="Do not make the maps that are missing, in the background.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """See what the classifier looks at, image by image, and correct it in the browser. Ctrl-C stops it.

    Example: visteer edit my-study --author Ada
    """
    if author is not None and not author.strip():
        raise typer.BadParameter("--author must not be empty")
    opened = open_study(study)
    check_page(STATIC)
    if run is not None:
        load_run(opened, run)
    token = secrets.token_urlsafe(32)
    listening = listen(host, port) if port else listen_at_own_port(host, session_secret(opened.folder))
    try:
        bound = listening.getsockname()[1]
        app = create_app(
            opened,
            token=token,
            hosts=allowed_hosts(bound, host),
            author=author or _own_name(),
            run=run,
            make_maps=not no_maps,
            static=STATIC,
        )
        _warn(opened, host, no_maps=no_maps)
        address = link(host, bound, token)
        print_json({"url": address}) if json else say(address)
        sys.stdout.flush()
        if not (no_browser or json):
            Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        serve(app, listening)
    except KeyboardInterrupt:
        return
    finally:
        listening.close()


def _warn(study: Study, host: str, *, no_maps: bool) -> None:
    """Say on standard error what the link alone does not."""
    if not is_local(host):
        note(
            "others can reach this address: whoever has the link can read and edit, and nothing is encrypted"
        )
    runs = [path.name.rpartition(".")[0] for path in (study.folder / "maps").glob("*.npz")]
    missing = [split for split in SPLITS if not any(name.endswith(f"-{split}") for name in runs)]
    if no_maps and study.runs() and missing:
        note(
            f"no maps of the {missing[0]} images yet, so that they cannot be sorted by misalignment; "
            f"make them: visteer explain {study.folder} --split {missing[0]}"
        )
    note("Ctrl-C stops the editor; what was saved stays")


def _own_name() -> str:
    """The user's name on this machine."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "expert"

"""visteer methods: what can be added to the prediction loss."""

from __future__ import annotations

import typer

from visteer.cli.options import JsonOption
from visteer.cli.output import print_json, print_table
from visteer.steering import METHODS


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("methods")(methods)


def methods(json: JsonOption = False) -> None:
    """List the methods of steering: what each adds, which marks it needs, what a step costs.

    Example: visteer methods
    """
    if json:
        shown = ("name", "adds", "formula", "marks", "cost", "gamma", "source")
        print_json({"methods": [{key: getattr(method, key) for key in shown} for method in METHODS.values()]})
        return
    header = ["method", "adds to the prediction loss", "needs marks", "cost", "gamma", "source"]
    rows = [
        [m.name, f"{m.adds}: {m.formula}", m.marks, m.cost, f"{m.gamma:g}", m.source]
        for m in METHODS.values()
    ]
    print_table("methods of visteer train and visteer steer", header, rows)

"""visteer methods: what can be added to the prediction loss."""

from __future__ import annotations

import typer

from visteer.cli.options import JsonOption
from visteer.cli.output import print_json, print_table, say
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
    rows = [[m.name, m.adds, m.marks, m.cost, f"{m.gamma:g}", m.source] for m in METHODS.values()]
    print_table("methods of visteer train and visteer steer", header, rows)
    say(
        "cost: of a step, a plain one being 1; gamma: the factor if none is given; formulas: --json, docs/steering.md"
    )

"""Figures as text: values, intervals, differences and p-values, and a plain word where there is none."""

from __future__ import annotations

import math

from visteer.evaluation.result import Figure
from visteer.report.glossary import meaning_of

NOT_MEASURED = "not measured"
NO_INTERVAL = "–"


def value_text(key: str, value: float) -> str:
    r"""Write `value` of the figure `key`: per cent with one decimal for shares, else three decimals.

    Example:
        >>> value_text("accuracy", 0.8631), value_text("f2", 0.5), value_text("auc", float("nan"))
        ('86.3\xa0%', '0.500', 'not measured')
    """
    if math.isnan(value):
        return NOT_MEASURED
    return f"{_scaled(key, value)}\N{NO-BREAK SPACE}%" if meaning_of(key).percent else _scaled(key, value)


def interval_text(key: str, figure: Figure) -> str:
    """Write the interval of `figure`, without a unit; a dash where there is none.

    Example:
        >>> interval_text("accuracy", Figure(0.8631, 0.821, 0.9))
        '82.1 to 90.0'
    """
    if math.isnan(figure.low) or math.isnan(figure.high):
        return NO_INTERVAL
    return f"{_scaled(key, figure.low)} to {_scaled(key, figure.high)}"


def difference_text(key: str, value: float) -> str:
    """Write a difference of the figure `key` with its sign; shares differ by points.

    Example:
        >>> difference_text("accuracy", 0.182), difference_text("f2", -0.02)
        ('+18.2 points', '−0.020')
    """
    if math.isnan(value):
        return NOT_MEASURED
    return f"{_signed(key, value)} points" if meaning_of(key).percent else _signed(key, value)


def difference_interval_text(key: str, figure: Figure) -> str:
    """Write the interval of a difference, with signs; a dash where there is none."""
    if math.isnan(figure.low) or math.isnan(figure.high):
        return NO_INTERVAL
    return f"{_signed(key, figure.low)} to {_signed(key, figure.high)}"


def p_text(p_value: float) -> str:
    """Write a p-value as it is usually written.

    Example:
        >>> p_text(0.0002), p_text(0.0312), p_text(0.4), p_text(float("nan"))
        ('p < 0.001', 'p = 0.031', 'p = 0.40', '–')
    """
    if math.isnan(p_value):
        return NO_INTERVAL
    if p_value < 0.001:
        return "p < 0.001"
    return f"p = {p_value:.3f}" if p_value < 0.1 else f"p = {p_value:.2f}"


def _scaled(key: str, value: float) -> str:
    text = f"{100 * value:.1f}" if meaning_of(key).percent else f"{value:.3f}"
    text = text.removeprefix("-") if float(text) == 0 else text
    return text.replace("-", "−")


def _signed(key: str, value: float) -> str:
    text = _scaled(key, value)
    return text if text.startswith("−") or not text.strip("0.") else f"+{text}"

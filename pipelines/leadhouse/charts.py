"""Small bar charts as SVG: a bar a run, its height the value, its colour the outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from leadhouse.markup import tag
from leadhouse.times import in_words

_WIDTH = 300
_HEIGHT = 60
_WIDEST = 12.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A run in a chart.

    Attributes:
        value: how high it is; None: the run tells none.
        about: the run, for who points at it.
        failed: the run failed.
    """

    value: float | None
    about: str
    failed: bool = False


def chart(title: str, bars: Sequence[Bar], unit: str) -> Element:
    """Return a figure with its title, the last value and the largest.

    Args:
        title: what is shown.
        bars: the oldest first.
        unit: "s" for seconds, "" for a number.
    """
    values = [bar.value for bar in bars if bar.value is not None]
    top, last = max(values, default=0.0), next(iter(reversed(values)), None)
    told = "no values" if last is None else f"last {_told(last, unit)}, largest {_told(top, unit)}"
    step = min(_WIDEST, _WIDTH / max(1, len(bars)))
    shown = [
        tag(
            "rect",
            tag("title", f"{bar.about}: {'no value' if bar.value is None else _told(bar.value, unit)}"),
            x=f"{position * step:.2f}",
            y=f"{_HEIGHT - height:.2f}",
            width=f"{max(0.5, step - min(1.0, step / 4)):.2f}",
            height=f"{height:.2f}",
            class_="failed" if bar.failed else "done",
        )
        for position, bar in enumerate(bars)
        if (height := _height(bar, top))
    ]
    picture = tag(
        "svg",
        tag("title", f"{title}: {told}"),
        tag("line", x1="0", y1=str(_HEIGHT), x2=str(_WIDTH), y2=str(_HEIGHT)),
        *shown,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT + 1}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{title} of the last {len(bars)} runs: {told}",
    )
    return tag("figure", tag("figcaption", tag("b", title), tag("span", told)), picture)


def _height(bar: Bar, top: float) -> float:
    """Return how high a bar is; a failed run is seen also where its value is nothing."""
    least = 3.0 if bar.failed else 0.0
    return max(least, 1.5 if bar.value else 0.0, _HEIGHT * (bar.value or 0.0) / top if top else 0.0)


def _told(value: float, unit: str) -> str:
    if unit != "s":
        return f"{value:,.0f}"
    return in_words(value) if value >= 60 else f"{value:,.1f} s"

"""Figures beside their goals, and the one table that shows them."""

from dataclasses import dataclass, field
from statistics import median

from rich.console import Console
from rich.table import Table

# Wide enough for the longest row, also where the output is no terminal.
_WIDTH = 120


@dataclass(slots=True)
class Figures:
    """Rows of the table: measure, figure, goal, and whether the goal was met (None: no goal of its own)."""

    rows: list[tuple[str, str, str, bool | None]] = field(default_factory=list)

    def add(self, measure: str, figure: str, goal: str = "", *, met: bool | None = None) -> None:
        """Add a row, and print it at once so that a long benchmark shows life."""
        self.rows.append((measure, figure, goal, met))
        Console(stderr=True).print(f"{measure}: {figure}", highlight=False)

    def at_least(self, measure: str, value: float, goal: float, form: str) -> None:
        """Add a figure whose goal is a lower bound; `form` formats both."""
        self.add(measure, form.format(value), f"≥ {form.format(goal)}", met=value >= goal)

    def at_most(self, measure: str, value: float, goal: float, form: str) -> None:
        """Add a figure whose goal is an upper bound; `form` formats both."""
        self.add(measure, form.format(value), f"≤ {form.format(goal)}", met=value <= goal)

    def show(self) -> None:
        """Print the table."""
        table = Table("Measure", "Figure", "Goal", "")
        for column in table.columns[1:3]:
            column.justify = "right"
        for measure, figure, goal, met in self.rows:
            mark = "" if met is None else "met" if met else "[bold red]missed"
            table.add_row(measure, figure, goal, mark)
        Console(width=_WIDTH).print(table)


def spread(values: list[float], form: str) -> str:
    """Return the median of some runs, with the span where there are several."""
    middle = form.format(median(values))
    return middle if len(values) == 1 else f"{middle} ({form.format(min(values))} to {form.format(max(values))})"

"""What the doctor found: a line a check, which says that it is well, or the cure."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from leadhouse.errors import InternalError, LeadhouseError, TransientError
from leadhouse.redact import redact

OK = "ok"
UNKNOWN = "unknown"
TRANSIENT = "transient"
OPERATOR = "operator"
T = TypeVar("T")

_EXIT = {OPERATOR: 2, TRANSIENT: 1}
_SHOWN = {OK: "ok", UNKNOWN: "--", TRANSIENT: "WAIT", OPERATOR: "ACT"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A check and what came of it.

    Attributes:
        check: what was looked at.
        outcome: "ok", "unknown" (could not be looked at, or nobody tells), "transient" or "operator" as in errors.
        text: one redacted line.
    """

    check: str
    outcome: str
    text: str


@dataclass(slots=True)
class Findings:
    """The findings of a visit, in order."""

    found: list[Finding] = field(default_factory=list)

    def add(self, check: str, outcome: str, text: str) -> None:
        """Add a finding."""
        self.found.append(Finding(check, outcome, redact(" ".join(text.split()))))

    def ok(self, check: str, text: str) -> None:
        """Add that a check went well."""
        self.add(check, OK, text)

    def unknown(self, *checks: str, why: str) -> None:
        """Add checks that could not be made."""
        for check in checks:
            self.add(check, UNKNOWN, f"not checked: {why}")

    def refused(self, check: str, problem: LeadhouseError) -> None:
        """Add what an error says."""
        self.add(check, TRANSIENT if isinstance(problem, TransientError) else OPERATOR, str(problem))

    def check(self, name: str, look: Callable[[], T]) -> T | None:
        """Return what a look gives, None where it failed; other checks go on."""
        problem: LeadhouseError
        try:
            return look()
        except LeadhouseError as error:
            problem = error
        except Exception as error:  # noqa: BLE001 - the visit goes on whatever one check meets
            problem = InternalError(f"{type(error).__name__} while looking; report this with --verbose")
        self.refused(name, problem)
        return None

    @property
    def exit_status(self) -> int:
        """0 all well, 1 what failed heals by itself, 2 a person must act."""
        return max((_EXIT.get(one.outcome, 0) for one in self.found), default=0)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"exit_status": self.exit_status, "checks": [asdict(one) for one in self.found]}

    def render(self) -> str:
        """Return a line for each."""
        width = max((len(one.check) for one in self.found), default=0)
        return "\n".join(f"{_SHOWN[one.outcome]:<4}  {one.check:<{width}}  {one.text}" for one in self.found)

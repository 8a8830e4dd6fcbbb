"""What a vendor's refusal means for the run: the rows of every source's error table."""

from dataclasses import dataclass

from leadhouse.errors import LeadhouseError


@dataclass(frozen=True, slots=True)
class Rule:
    """The class of error, and the text for the operator, another one where an application calls."""

    error: type[LeadhouseError]
    text: str
    application: str = ""

    def problem(self, *, portal: str, method: str, code: str, application: bool = False) -> LeadhouseError:
        """Return the error to raise."""
        return self.error((application and self.application) or self.text, portal=portal, method=method, code=code)

"""Keep secrets and personal data out of everything that is written for people.

The webhook URL of Bitrix24 *is* a secret: its code stands in the path, where generic tools do not look for it.
"""

import re
from collections.abc import Callable, Iterable

MASK = "***"

# As it stands in a path, in PHP's JSON and in a query.
_SLASH = r"(?:\\*/|%2F)"
_KEY = r"(?:auth|access_token|refresh_token|client_secret|password)"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"(?i)({_SLASH}rest{_SLASH}(?:api{_SLASH})?\d+{_SLASH})[^/\\%\s\"'?]+"), rf"\1{MASK}"),
    (re.compile(rf"(?i)({_KEY}[\"']?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|[^&\s\"']+)"), rf"\1{MASK}"),
    (re.compile(r"(?i)(bearer\s+)[\w.~+/-]+=*"), rf"\1{MASK}"),
    (re.compile(r"(\w+://[^\s:/@]*):[^\s@]+@(?:[^\s@\"']*@)*"), rf"\1:{MASK}@"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "<e-mail>"),
    (re.compile(r"\+\d[\d\s().-]{6,}\d"), "<phone>"),
)

_secrets: set[str] = set()
_told: set[Callable[[str], None]] = set()


def register_secrets(secrets: Iterable[str]) -> None:
    """Remember strings that `redact` removes wherever they stand; those under 6 characters are ignored."""
    new = {secret for secret in secrets if len(secret) >= 6} - _secrets
    _secrets.update(new)
    for tell in _told:
        for secret in new:
            tell(secret)


def share_secrets(tell: Callable[[str], None]) -> None:
    """Let a host of leadhouse that masks its own output know every secret, those of later on as well."""
    _told.add(tell)
    for secret in _secrets:
        tell(secret)


def redact(text: str) -> str:
    """Return `text` without webhook codes, tokens, passwords, e-mail addresses and international phone numbers."""
    for secret in _secrets:
        text = text.replace(secret, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text

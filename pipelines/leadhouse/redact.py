"""Keep secrets and personal data out of everything that is written for people.

The webhook URL of Bitrix24 *is* a secret: its code stands in the path, where generic tools do not look for it.
"""

import re
from collections.abc import Iterable

MASK = "***"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(/rest/(?:api/)?\d+/)[^/\s\"'?]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)((?:auth|access_token|refresh_token|client_secret|password)=)[^&\s\"']+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(bearer\s+)[\w.~+/-]+=*"), rf"\1{MASK}"),
    (re.compile(r"(\w+://[^\s:/@]*):[^\s@]+@"), rf"\1:{MASK}@"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "<e-mail>"),
    (re.compile(r"\+\d[\d\s().-]{6,}\d"), "<phone>"),
)

_secrets: set[str] = set()


def register_secrets(secrets: Iterable[str]) -> None:
    """Remember strings that `redact` removes wherever they stand; those under 6 characters are ignored."""
    _secrets.update(secret for secret in secrets if len(secret) >= 6)


def redact(text: str) -> str:
    """Return `text` without webhook codes, tokens, passwords, e-mail addresses and international phone numbers."""
    for secret in _secrets:
        text = text.replace(secret, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text

"""A portal's address: its parts, its host, and whether a secret sent there could be read on the way."""

from urllib.parse import SplitResult, urlsplit


def split_url(url: str) -> SplitResult:
    """Return the parts of `url`, empty ones where it cannot be read."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return urlsplit("")
    return parts


def host_of(url: str) -> str:
    """Return host and port of `url`."""
    return urlsplit(url).netloc.rpartition("@")[2]


def in_the_open(parts: SplitResult) -> bool:
    """True for plain http that leaves this machine."""
    return parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1")

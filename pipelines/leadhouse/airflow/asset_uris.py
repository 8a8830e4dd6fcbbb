"""The URIs of assets, as Airflow checks them when an asset is made; apart from the assets, which are made by then."""

import re
from urllib.parse import SplitResult

_NAME = re.compile(r"[a-z][a-z0-9_]{0,50}")


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return the URI of an asset as it is.

    Raises:
        ValueError: it is not leadhouse://{dataset}/{table}.
    """
    table = uri.path.removeprefix("/")
    if not _NAME.fullmatch(uri.netloc) or not _NAME.fullmatch(table) or uri.query:
        raise ValueError("an asset of leadhouse is leadhouse://{dataset}/{table}, lower case, without anything else")
    return uri

"""Kommo and amoCRM: client, decoder and dlt source.

The package is callable: `leadhouse.kommo()` is the dlt source, also after one of its modules was imported (an import
binds the package to that name).
"""

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the dlt source; see `leadhouse.kommo.source.kommo` for its arguments."""
        from leadhouse.kommo.source import kommo  # noqa: PLC0415 - loads dlt

        return kommo(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage

"""Bitrix24: client, decoder and dlt source.

The package is callable: `leadhouse.bitrix24()` is the dlt source, also after one of its modules was imported (an import
binds the package to that name).
"""

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the dlt source; see `leadhouse.bitrix24.source.bitrix24` for its arguments."""
        from leadhouse.bitrix24.source import bitrix24  # noqa: PLC0415 - loads dlt

        return bitrix24(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage

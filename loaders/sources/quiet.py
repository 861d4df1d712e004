"""What other packages say on the screen while they work for us is not heard."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_PACKAGES = ("torch", "torchvision", "timm", "onnx", "onnx2torch")
"""Whose loggers are not heard, with all that stand below them."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what torch and its kind log, warn of and print from the screen, for this thread.

    Tracing a network that cannot be traced is an answer, and what came of it is in the error that
    is raised; torch also logs or prints its own traceback, which tells a user nothing. Other
    threads are heard as before. ``CIRCUITKB_DEBUG=1`` lets everything through.

    Examples
    --------
    >>> with quiet():
    ...     logging.getLogger("torch.export").error("a traceback of 36 lines")
    ...     print("another one", file=sys.stderr)
    """
    if os.environ.get("CIRCUITKB_DEBUG") == "1":
        yield
        return
    unheard = _OfThisThread()
    handlers = _handlers()
    for handler in handlers:
        handler.addFilter(unheard)
    heard = sys.stderr
    # Not a file of its own: what other threads print, such as a progress bar, goes on.
    sys.stderr = _Unheard(heard)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stderr = heard
        for handler in handlers:
            handler.removeFilter(unheard)


def _handlers() -> list[logging.Handler]:
    """Return the handlers that print what the packages' loggers say."""
    found = [logging.lastResort] if logging.lastResort else []
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] in _PACKAGES and isinstance(logger, logging.Logger):
            found += logger.handlers
    return found


class _OfThisThread(logging.Filter):
    """Drops what the packages log in the thread that made it."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        ours = record.thread == self._thread
        return not (ours and record.name.partition(".")[0] in _PACKAGES)


class _Unheard:
    """A stream that drops what the thread that made it writes."""

    def __init__(self, heard: Any) -> None:
        self._heard = heard
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        if threading.get_ident() == self._thread:
            return len(text)
        return int(self._heard.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._heard, name)

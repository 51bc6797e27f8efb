# SPDX-License-Identifier: Apache-2.0
"""Structured logs, as JSON lines or for a console. Nothing is logged per frame."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

Logger = FilteringBoundLogger
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _Lossy:
    """A text stream that loses what can't be written: a full disk, or a log that nobody reads any more, must not break
    the call that has something to say."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        # Past the buffer, which would keep what was not written and fail with it at the process's end.
        self._raw: Any = getattr(getattr(stream, "buffer", None), "raw", None)

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            if self._raw is None:
                self._stream.write(text)
            else:
                self._raw.write(text.encode(errors="backslashreplace"))

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


def configure(
    form: Literal["console", "json"] = "console",
    level: Literal["debug", "info", "warning", "error"] = "info",
    stream: TextIO | None = None,
) -> None:
    """Set up logging for the process; call once, before the server starts. Default stream: stderr."""
    out = _Lossy(sys.stderr if stream is None else stream)
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if form == "json":
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # Not the renderer's own tracebacks, which show local variables: tokens and players' data among them.
        plain = structlog.dev.plain_traceback
        processors += [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=plain)]
    factory: Any = structlog.PrintLoggerFactory(cast("TextIO", out))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=factory,
        cache_logger_on_first_use=False,
    )


def logger(name: str) -> Logger:
    """A logger that carries its module's name."""
    bound: Logger = structlog.get_logger(part=name)
    return bound

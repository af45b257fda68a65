"""aiohttp's runner, with an answer of ours to what the server cannot even read as a request.

Such a request (an unknown compression, two lengths, no HTTP at all) never reaches an application:
aiohttp answers it in plain text and logs a traceback as if we had failed.
"""

from __future__ import annotations

from typing import Any, Final

import structlog
from aiohttp import web

from shared import log as logs
from shared import problem
from shared.errors import BadRequest, Text

_log = structlog.get_logger(__name__)
_UNREADABLE: Final = Text(
    "This is no request that can be read here: check its headers, its length and its compression",
    "Такой запрос здесь не читается: проверьте его заголовки, длину и сжатие",
)


class Runner(web.AppRunner):
    """Serves an application, and answers for it where nothing reaches it."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            loop=made._loop,
            **made._kwargs,
        )


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class _Handler(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be read as a problem; a failure of ours as aiohttp does."""
        if status >= 500 or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        with logs.bind_correlation(logs.new_correlation_id()):
            _log.info("http.unreadable", status=status, fault=type(exc).__name__)
            answer = problem.response(request, BadRequest(_UNREADABLE))
            answer.headers[logs.CORRELATION_HEADER] = logs.correlation_id()
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log a failure of ours with its traceback, the rest of an unreadable body without."""
        if isinstance(kw.get("exc_info"), web.RequestPayloadError):
            _log.info("http.unreadable", fault=web.RequestPayloadError.__name__)
        else:
            super().log_exception(*args, **kw)

"""Errors over HTTP: RFC 9457 ``application/problem+json`` for programs, a page for people."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson
import structlog
from aiohttp import web

from shared import log as logs
from shared.db import is_outage
from shared.errors import (
    BadRequest,
    Conflict,
    FieldError,
    Forbidden,
    Language,
    NotFound,
    SaldoError,
    Text,
    TooLarge,
    TooMany,
    Unauthorized,
    Unavailable,
    UnsupportedMedia,
)

CONTENT_TYPE: Final = "application/problem+json"

ErrorPage = Callable[[web.Request, SaldoError], web.StreamResponse | None]
ERROR_PAGE: Final[web.AppKey[ErrorPage]] = web.AppKey("error_page")
"""Set by an application with pages: makes the page for a browser, None for other callers."""

_log = structlog.get_logger(__name__)
_BROKEN: Final = Text(
    "Something broke on our side; it has been recorded. Try again later",
    "У нас что-то сломалось, мы это записали. Попробуйте позже",
)
_AWAY: Final = Text(
    "A part of ours does not answer at the moment: repeat the request",
    "Одна из наших частей сейчас не отвечает: повторите запрос",
)
_UNREADABLE: Final = Text(
    "The body cannot be read: check its length, chunks and compression",
    "Тело запроса не читается: проверьте его длину, части и сжатие",
)
_RETRY_SECONDS: Final = 5
_STATUSES: Final = {
    404: Text("There is nothing at this address", "По этому адресу ничего нет"),
    405: Text("This address does not take that method", "Этот адрес не принимает такой метод"),
    413: Text("The body is too large", "Слишком большой запрос"),
}


_KINDS: Final[Mapping[int, type[SaldoError]]] = {
    kind.status: kind
    for kind in (
        *(BadRequest, Unauthorized, Forbidden, NotFound, Conflict),
        *(TooLarge, UnsupportedMedia, TooMany, Unavailable),
    )
}


def language(request: web.BaseRequest) -> Language:
    """Return the language a caller of the API prefers; English unless Russian comes first."""
    first = re.split("[,;-]", request.headers.get("Accept-Language", ""))[0]
    return "ru" if first.strip().lower() == "ru" else "en"


def response(request: web.BaseRequest, error: SaldoError) -> web.Response:
    """Return the error as a problem document; each wrong field is named under ``errors``."""
    chosen, code = language(request), code_of(error)
    document: dict[str, Any] = {
        "type": "about:blank" if code is None else f"urn:saldo:refusal:{code}",
        "title": error.title.in_(chosen),
        "status": error.status,
        "detail": error.detail.in_(chosen),
        "correlation_id": logs.correlation_id(),
    }
    if code is not None:
        document["code"] = code
    if error.fields:
        document["errors"] = [_field(item, chosen) for item in error.fields]
    headers: dict[str, str] = {"Content-Language": chosen}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    body = orjson.dumps(document)
    return web.Response(body=body, status=error.status, content_type=CONTENT_TYPE, headers=headers)


def code_of(error: SaldoError) -> str | None:
    """Return the name of the rule that said no; of wrong fields, where all name the same one."""
    codes = {item.code for item in error.fields}
    return codes.pop() if error.code is None and len(codes) == 1 else error.code


def _field(item: FieldError, chosen: Language) -> dict[str, str]:
    said = {"field": item.field, "message": item.text.in_(chosen)}
    return said if item.code is None else {**said, "code": item.code}


@web.middleware
async def middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn every expected failure into its answer, and an unexpected one into a logged 500."""
    try:
        return await handler(request)
    except SaldoError as error:
        return _answer(request, error)
    except web.RequestPayloadError:
        # The rest of such a body cannot be read either, so nothing may follow it.
        unreadable = _answer(request, BadRequest(_UNREADABLE))
        unreadable.force_close()
        return unreadable
    except web.HTTPRequestEntityTooLarge:
        return _answer(request, TooLarge(_STATUSES[413]))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _with_headers(_answer(request, _from_status(error)), error)
    except Exception as error:
        return _answer(request, _unexpected(request, error))


def _unexpected(request: web.Request, error: Exception) -> SaldoError:
    """Log a failure; one of the database is temporary, so the caller hears when to repeat."""
    if is_outage(error):
        _log.warning("http.outage", method=request.method, path=request.path, error=repr(error))
        return Unavailable(_AWAY, retry_after_seconds=_RETRY_SECONDS)
    _log.error("http.failed", method=request.method, path=request.path, exc_info=error)
    return SaldoError(_BROKEN)


def _answer(request: web.Request, error: SaldoError) -> web.StreamResponse:
    for app in reversed(request.match_info.apps):
        page: ErrorPage | None = app.get(ERROR_PAGE)
        answer = page(request, error) if page is not None else None
        if answer is not None:
            return answer
    return response(request, error)


def _from_status(error: web.HTTPException) -> SaldoError:
    text = _STATUSES.get(error.status, Text(error.reason, error.reason))
    if error.status in _KINDS:
        return _KINDS[error.status](text)
    made = SaldoError(text)
    made.status = error.status
    made.title = Text(error.reason, error.reason)
    return made


def _with_headers(answer: web.StreamResponse, error: web.HTTPException) -> web.StreamResponse:
    if "Allow" in error.headers:
        answer.headers["Allow"] = error.headers["Allow"]
    return answer

"""HTML pages: templates, language, static files, and errors a person can read.

An application becomes one with pages by `setup`. Everything hangs on that application, so several
services can serve pages from one process, each below its own prefix.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from aiohttp import hdrs, web
from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined

from shared import log
from shared.errors import Language, NotFound, SaldoError, Text
from shared.problem import ERROR_PAGE
from shared.web import formats, headers
from shared.web.formats import moment, money
from shared.web.texts import COMMON, Catalogue, Translate, translator

__all__ = [
    "LANGUAGE",
    "address",
    "error_response",
    "language",
    "moment",
    "money",
    "render",
    "setup",
    "translate",
]

LANGUAGE = web.RequestKey("language", str)
"""Where a service puts the language it knows the person to read."""

_LANGUAGES: Final[Mapping[str, Language]] = {"ru": "ru", "en": "en"}
_NAMES: Final = {"ru": "Русский", "en": "English"}
_COOKIE: Final = "lang"
_YEAR_SECONDS: Final = 365 * 24 * 3600
_KINDS: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    kind: str
    version: str


@dataclass(frozen=True, slots=True)
class _Pages:
    environment: Environment
    catalogue: Catalogue
    files: Mapping[str, _File]


_PAGES = web.AppKey("pages", _Pages)


def setup(app: web.Application, package: str, texts: Catalogue | None = None, *others: str) -> None:
    """Give an application the templates and static files of a package, over those of the house.

    The package's folders `templates` and `static` may be missing. `texts` is its catalogue,
    `others` are further packages whose templates are used where it has none. Errors become pages
    for browsers; the link on them leads to the route called ``home``, if there is one.
    """
    packages = [name for name in (package, *others, __package__) if name]
    files = {
        file.name: _read(file)
        for name in reversed(packages)
        if (folder := _folder(name, "static")).is_dir()
        for file in folder.iterdir()
    }
    app[_PAGES] = _Pages(_environment(*packages), {**COMMON, **(texts or {})}, files)
    app[ERROR_PAGE] = error_response
    app.router.add_get("/static/{name}", _serve_file, name="static")
    app.on_response_prepare.append(headers.protect)


@lru_cache(maxsize=16)
def _environment(*packages: str) -> Environment:
    """Return the templates of packages; to read one again takes longer than to use it."""
    loaders: list[BaseLoader] = [
        PackageLoader(name) for name in packages if _folder(name, "templates").is_dir()
    ]
    return Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def render(
    request: web.Request,
    template: str,
    *,
    status: int = 200,
    pays_under: str | None = None,
    **context: Any,
) -> web.Response:
    """Return a page in the reader's language.

    Beside the context a template has `t`, `money`, `moment`, `typed`, `url(route, **parts)` and
    `static(file)`. A page whose form leads on to a provider names the
    public address it is served under.
    """
    app = _app(request)
    chosen = language(request)
    page = app[_PAGES].environment.get_template(template)
    text = page.render(**_tools(request, app, chosen), **context)
    response = web.Response(text=text, content_type="text/html", status=status)
    if pays_under is not None:
        response.headers["Content-Security-Policy"] = headers.policy_of_paying(pays_under)
    if request.query.get(_COOKIE) == chosen:
        response.set_cookie(
            _COOKIE, chosen, max_age=_YEAR_SECONDS, path="/", httponly=True, samesite="Lax"
        )
    return response


def language(request: web.Request) -> Language:
    """Return the reader's language: asked for, remembered, known to us, or the browser's."""
    for candidate in (
        request.query.get(_COOKIE),
        request.cookies.get(_COOKIE),
        request.get(LANGUAGE),
    ):
        if known := _LANGUAGES.get(candidate or ""):
            return known
    return _accepted(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""))


def translate(request: web.Request) -> Translate:
    """Return the lookup of the application's texts in the reader's language."""
    return translator(_app(request)[_PAGES].catalogue, language(request))


def address(request: web.Request, route: str, /, **parts: str) -> str:
    """Return the path of a named route, with the prefix the application is mounted under."""
    return str(_app(request).router[route].url_for(**parts))


def error_response(request: web.Request, error: SaldoError) -> web.Response | None:
    """Return an error as a page, or None where the caller is no browser."""
    app = _app(request)
    if "text/html" not in request.headers.get(hdrs.ACCEPT, ""):
        return None
    response = render(
        request,
        "error.html",
        status=error.status,
        error=error,
        code=log.correlation_id() if error.status >= 500 else "",
        home=address(request, "home") if "home" in app.router.named_resources() else "",
    )
    if error.retry_after_seconds is not None:
        response.headers[hdrs.RETRY_AFTER] = str(error.retry_after_seconds)
    return response


def _app(request: web.Request) -> web.Application:
    # The root's middlewares see the root as request.app; the mounted application is the last one.
    return request.match_info.apps[-1]


def _tools(request: web.Request, app: web.Application, chosen: Language) -> dict[str, Any]:
    files = app[_PAGES].files
    return {
        "language": chosen,
        "languages": _NAMES,
        "here": str(request.rel_url) if request.method in ("GET", "HEAD") else "",
        "in_language": lambda other: str(request.rel_url.update_query({_COOKIE: other})),
        "t": translator(app[_PAGES].catalogue, chosen),
        "money": lambda kopecks: money(kopecks, chosen),
        "typed": lambda kopecks: formats.typed(kopecks, chosen),
        "moment": lambda at, timezone: moment(at, timezone, chosen),
        "url": lambda route, **parts: address(request, route, **parts),
        "static": lambda name: f"{address(request, 'static', name=name)}?v={files[name].version}",
    }


def _accepted(header: str) -> Language:
    """Choose by `Accept-Language`; Russian where it names neither language."""
    best: tuple[float, Language] = (0.0, "ru")
    for item in header[:200].split(","):
        name, _, weight = item.strip().partition(";q=")
        known = _LANGUAGES.get(name.partition("-")[0].lower())
        try:
            wish = float(weight or 1)
        except ValueError:
            continue
        if known is not None and wish > best[0]:
            best = (wish, known)
    return best[1]


def _folder(package: str, name: str) -> Traversable:
    return resources.files(package) / name


def _read(file: Traversable) -> _File:
    body = file.read_bytes()
    kind = _KINDS[file.name.rpartition(".")[2]]
    return _File(body, kind, hashlib.sha256(body).hexdigest()[:12])


async def _serve_file(request: web.Request) -> web.Response:
    file = _app(request)[_PAGES].files.get(request.match_info["name"])
    if file is None:
        raise NotFound(Text("There is no such file", "Такого файла нет"))
    lasting = request.query.get("v") == file.version
    return web.Response(
        body=file.body,
        content_type=file.kind,
        charset="utf-8",
        headers={
            hdrs.CACHE_CONTROL: f"public, max-age={_YEAR_SECONDS}, immutable"
            if lasting
            else "no-cache"
        },
    )

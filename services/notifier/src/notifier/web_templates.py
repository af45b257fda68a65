"""`/notifier/v1/templates`: the texts of messages, as an operator reads and changes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, cast

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from notifier import template_check, template_store, texts, variables
from notifier.kinds import KIND_NAMES, KINDS, KindName
from notifier.template_language import FILTERS, LINE_WORDS, LINES
from notifier.template_parser import SOURCE_LENGTH_MAX
from notifier.template_store import Current
from notifier.texts import LANGUAGES, PARTS, Key, Part
from notifier.web import DB, api
from shared.api import ERRORS_MAX, TOKEN, answer
from shared.clock import Clock
from shared.db import reading, transaction
from shared.errors import FieldError, Invalid, Language, NotFound, Text


@dataclass(frozen=True)
class Desk:
    """Where texts are edited: how the operator presents itself, and what an SMS costs."""

    clock: Clock
    operator: str
    cabinet_url: str
    segment_kopecks: int | None = None
    """The price of a part of an SMS; None where nobody has said."""
    operators: Mapping[str, str] = field(default_factory=dict)
    """Names of the contracts' operators that have one of their own."""


DESK: Final = web.AppKey("notifier_template_desk", Desk)
_ONE: Final = "/v1/templates/{kind}/{language}/{part}"


class VariableView(BaseModel):
    """Something that a text may say."""

    name: str
    ru: str
    en: str


class TextView(BaseModel):
    """A text: what is used, and what would be used if the operator had written nothing."""

    kind: KindName
    language: Language
    part: Part
    text: str
    default: str
    written: bool = Field(description="the operator has written it")
    revision: int = Field(description="0 where nobody has ever changed it")
    changed_by: str | None
    changed_at: AwareDatetime | None


class KindView(BaseModel):
    """A kind of message with its texts."""

    kind: KindName
    ru: str
    en: str
    channels: list[str]
    refusable: bool
    variables: list[VariableView]
    texts: list[TextView]


class KindList(BaseModel):
    """All kinds, and the filters that any text may use."""

    kinds: list[KindView]
    filters: list[str]


class TemplatesQuery(BaseModel):
    """Which kinds and languages are wanted; all of them unless said."""

    model_config = ConfigDict(extra="forbid")

    kind: KindName | None = None
    language: Language | None = None


class TextChange(BaseModel):
    """A new text, written over the revision that was read."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=SOURCE_LENGTH_MAX)
    revision: Annotated[int, Field(ge=0, lt=2**62)]


class TextReset(BaseModel):
    """Return to the default, over the revision that was read."""

    model_config = ConfigDict(extra="forbid")

    revision: Annotated[int, Field(ge=0, lt=2**62)]


class Revision(BaseModel):
    """What a text was; none where it returned to the default."""

    revision: int
    text: str | None
    changed_by: str
    changed_at: AwareDatetime


class TextHistory(BaseModel):
    """What a text has been, newest first, at most 100."""

    revisions: list[Revision]


@api.get(
    "/v1/templates",
    answers={200: KindList},
    scope="templates:read",
    query=TemplatesQuery,
    summary="List the kinds of messages, their texts and what they may say",
)
async def list_templates(request: web.Request, query: TemplatesQuery) -> web.Response:
    """Answer the kinds."""
    async with reading(request.app[DB]) as tx:
        current = await template_store.current(tx)
    languages = (query.language,) if query.language else LANGUAGES
    kinds = (query.kind,) if query.kind else KIND_NAMES
    shown = [
        _kind(kind, [_text(Key(kind, lang, part), current) for lang in languages for part in PARTS])
        for kind in kinds
    ]
    return answer(KindList(kinds=shown, filters=sorted(FILTERS)))


@api.put(
    _ONE,
    body=TextChange,
    answers={200: TextView},
    scope="templates:write",
    summary="Write a text",
    refusals=(template_store.CHANGED_MEANWHILE,),
)
async def write_template(request: web.Request, asked: TextChange) -> web.Response:
    """Write a text over the revision that was read; raises Invalid that names what is wrong."""
    key = _asked_key(request)
    check(key, asked.text, "text", request)
    return await _change(request, key, asked.text, asked.revision)


@api.post(
    f"{_ONE}/reset",
    body=TextReset,
    answers={200: TextView},
    scope="templates:write",
    summary="Return a text to the default",
    refusals=(template_store.CHANGED_MEANWHILE,),
)
async def reset_template(request: web.Request, asked: TextReset) -> web.Response:
    """Return to the default."""
    return await _change(request, _asked_key(request), None, asked.revision)


@api.get(
    f"{_ONE}/history",
    answers={200: TextHistory},
    scope="templates:read",
    summary="Show what a text has been",
)
async def show_template_history(request: web.Request) -> web.Response:
    """Answer the revisions of a text."""
    async with reading(request.app[DB]) as tx:
        rows = await template_store.history(tx, _asked_key(request))
    made = [
        Revision(
            revision=row.revision,
            text=row.text,
            changed_by=row.changed_by,
            changed_at=row.changed_at,
        )
        for row in rows
    ]
    return answer(TextHistory(revisions=made))


def check(key: Key, text: str, field: str, request: web.Request) -> None:
    """Raise Invalid that names each place where a text cannot be used."""
    problems = template_check.problems(key, text, request.app[DESK].clock())
    if problems:
        wrong = (FieldError(field, one.text, one.code) for one in problems[:ERRORS_MAX])
        raise Invalid(*wrong)


async def _change(request: web.Request, key: Key, text: str | None, revision: int) -> web.Response:
    by, at = request[TOKEN].name, request.app[DESK].clock()
    async with transaction(request.app[DB]) as tx:
        await template_store.change(tx, key, text, revision, by, at)
        current = await template_store.current(tx)
    return answer(_text(key, current))


def _asked_key(request: web.Request) -> Key:
    """Read the address; raises NotFound for a kind, a language or a part that there is not."""
    kind, language, part = (request.match_info[name] for name in Key._fields)
    if kind not in KINDS or language not in LANGUAGES or part not in PARTS:
        raise NotFound(
            Text(
                f"There is no such text: kinds are {', '.join(KIND_NAMES)}, languages"
                f" {', '.join(LANGUAGES)}, parts {', '.join(PARTS)}",
                f"Такого текста нет: виды {', '.join(KIND_NAMES)}, языки"
                f" {', '.join(LANGUAGES)}, части {', '.join(PARTS)}",
            )
        )
    return Key(cast("KindName", kind), language, part)


def _kind(name: KindName, shown: list[TextView]) -> KindView:
    kind = KINDS[name]
    known = sorted(variables.names(name))
    known += [*LINE_WORDS] if LINES in known else []
    said = ((one, variables.meaning(one)) for one in known)
    return KindView(
        kind=name,
        ru=kind.title.ru,
        en=kind.title.en,
        channels=list(kind.channels),
        refusable=kind.refusable,
        variables=[VariableView(name=one, ru=what.ru, en=what.en) for one, what in said],
        texts=shown,
    )


def _text(key: Key, current: Current) -> TextView:
    row, written = current.get(key), template_store.written(current)
    return TextView(
        **key._asdict(),
        text=texts.source(key, written),
        default=texts.default(key, written),
        written=key in written,
        revision=row.revision if row else 0,
        changed_by=row.changed_by if row else None,
        changed_at=row.changed_at if row else None,
    )

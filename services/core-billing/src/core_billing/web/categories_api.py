"""Payment categories: addresses."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from core_billing import categories, category_changes
from core_billing.categories import BUILT_IN, Category
from core_billing.category_changes import CHANGING, DELETING, SAYING, Wanted
from core_billing.registration import Line
from core_billing.web.acting import Act, CheckView, Do, Done, perform, rehearse
from core_billing.web.base import CORE, api
from shared import api as apis
from shared.db import Tx, reading

PAGE_MAX: Final = 200
_ONE: Final = "/categories/{id:[0-9]{1,9}}"


class CategoryBody(BaseModel):
    """What a category is called, and the code by which 1C knows it."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Line, Field(min_length=1, max_length=100)]
    description: Annotated[Line, Field(max_length=500)] = ""
    external_code: Annotated[Line, Field(min_length=1, max_length=64)] | None = None

    def wanted(self) -> Wanted:
        """Return what is asked for."""
        given = {"description": self.description, "external_code": self.external_code}
        return Wanted(self.name, {n: v for n, v in given.items() if n in self.model_fields_set})


class CategoryChange(CategoryBody):
    """A category said anew; what is left out stays. `revision` is the one that was looked at."""

    revision: Annotated[int, Field(ge=0, lt=2**31)] | None = None


class CategoryDeletion(BaseModel):
    """`revision` is the one that the manager has seen."""

    model_config = ConfigDict(extra="forbid")

    revision: Annotated[int, Field(ge=0, lt=2**31)] | None = None


class CategoryView(BaseModel):
    """A category; a deleted one stays for the payments that bear it."""

    id: int
    name: str
    description: str
    external_code: str | None
    built_in: bool
    revision: int
    changed_by: str | None
    changed_at: datetime | None
    deleted_at: datetime | None


class CategoriesView(BaseModel):
    """A page of categories; `next_cursor` is null on the last one."""

    items: list[CategoryView]
    next_cursor: str | None


class CategoriesQuery(BaseModel):
    """Which page of the categories, and whether deleted ones are among them."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,9}$")] | None = None
    limit: int = Field(100, ge=1, le=PAGE_MAX)
    deleted: bool = False


@api.get(
    "/categories",
    answers={200: CategoriesView},
    scope="settings:read",
    query=CategoriesQuery,
    summary="Payment categories; 0 is built in",
)
async def list_categories(request: web.Request, query: CategoriesQuery) -> web.Response:
    """Answer with a page of categories."""
    after = -1 if query.cursor is None else int(query.cursor)
    async with reading(request.app[CORE].db) as tx:
        found = await categories.page(tx, after, query.limit + 1, deleted=query.deleted)
    shown = found[: query.limit]
    more = str(shown[-1].id) if len(found) > query.limit else None
    return apis.answer(CategoriesView(items=[_view(one) for one in shown], next_cursor=more))


@api.post(
    "/categories",
    body=CategoryBody,
    answers={201: CategoryView},
    scope="settings:create",
    summary="Make a payment category",
    refusals=SAYING,
)
async def create_category(request: web.Request, asked: CategoryBody) -> web.Response:
    """Make a category."""
    return await perform(request, "category.create", asked, _creating(asked))


@api.post(
    "/categories/check",
    body=CategoryBody,
    answers={200: CheckView[CategoryView]},
    scope="settings:create",
    summary="What making a payment category would do",
)
async def check_category_creation(request: web.Request, asked: CategoryBody) -> web.Response:
    """Answer what making it would do."""
    return await rehearse(request, _creating(asked))


@api.post(
    _ONE,
    body=CategoryChange,
    answers={200: CategoryView},
    scope="settings:edit",
    summary="Say a payment category anew: name, description and code",
    refusals=CHANGING,
)
async def change_category(request: web.Request, asked: CategoryChange) -> web.Response:
    """Change a category."""
    return await perform(request, "category.edit", asked, await _changing(request, asked))


@api.post(
    f"{_ONE}/check",
    body=CategoryChange,
    answers={200: CheckView[CategoryView]},
    scope="settings:edit",
    summary="What changing a payment category would do",
)
async def check_category_change(request: web.Request, asked: CategoryChange) -> web.Response:
    """Answer what changing it would do."""
    return await rehearse(request, await _changing(request, asked))


@api.post(
    f"{_ONE}/delete",
    body=CategoryDeletion,
    answers={200: CategoryView},
    scope="settings:annul",
    summary="Take a payment category out of use; it stays for history",
    refusals=DELETING,
)
async def delete_category(request: web.Request, asked: CategoryDeletion) -> web.Response:
    """Delete a category."""
    return await perform(request, "category.annul", asked, await _deleting(request, asked))


@api.post(
    f"{_ONE}/delete/check",
    body=CategoryDeletion,
    answers={200: CheckView[CategoryView]},
    scope="settings:annul",
    summary="What deleting a payment category would do",
)
async def check_category_deletion(request: web.Request, asked: CategoryDeletion) -> web.Response:
    """Answer what deleting it would do."""
    return await rehearse(request, await _deleting(request, asked))


def _creating(asked: CategoryBody) -> Do:
    async def do(tx: Tx, act: Act) -> Done:
        made = await category_changes.create(tx, asked.wanted(), act.actor, act.at)
        return _done(made, 201)

    return do


async def _changing(request: web.Request, asked: CategoryChange) -> Do:
    category_id, seen = await _seen(request, asked.revision)

    async def do(tx: Tx, act: Act) -> Done:
        now = await category_changes.change(
            tx, act.core.rules, category_id, seen, asked.wanted(), act.actor, act.at
        )
        return _done(now, 200)

    return do


async def _deleting(request: web.Request, asked: CategoryDeletion) -> Do:
    category_id, seen = await _seen(request, asked.revision)

    async def do(tx: Tx, act: Act) -> Done:
        rules = act.core.rules
        now = await category_changes.delete(tx, rules, category_id, seen, act.actor, act.at)
        return _done(now, 200)

    return do


async def _seen(request: web.Request, revision: int | None) -> tuple[int, int]:
    """Return the category's id, and the revision that the caller says or that stands now."""
    category_id = int(request.match_info["id"])
    if revision is not None:
        return category_id, revision
    async with reading(request.app[CORE].db) as tx:
        found = (await categories.find_all(tx, [category_id])).get(category_id)
    return category_id, 0 if found is None else found.revision


def _done(one: Category, status: int) -> Done:
    return Done(_view(one), f"category:{one.id}", status)


def _view(one: Category) -> CategoryView:
    return CategoryView(
        id=one.id,
        name=one.name,
        description=one.description,
        external_code=one.external_code,
        built_in=one.id == BUILT_IN,
        revision=one.revision,
        changed_by=one.changed_by or None,
        changed_at=one.changed_at,
        deleted_at=one.deleted_at,
    )

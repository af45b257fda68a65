"""All kinds of messages in both languages: everything they are made of is there, and reads well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier import facts, messages, segments, template_check, texts, variables
from notifier.declines import DECLINES, OTHER
from notifier.facts import FACTS, Fact
from notifier.kinds import AGE_MAX, KIND_NAMES, KINDS, KindName
from notifier.reader import Reader, Voice
from notifier.template_errors import Place
from notifier.texts import LANGUAGES, PARTS, Key
from shared.errors import Language
from shared.metrics import ALARMS

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
LATER = datetime(2026, 12, 31, 20, 59, tzinfo=UTC)
CABINET = "https://pay.example.org/cabinet/"
LINK = "https://pay.example.org/autopay/skip?token=" + "x" * 300
MOST = 10_000_000
"""A hundred thousand roubles: no subscriber's message is about more."""


def extremes(kind: KindName) -> Iterator[Fact]:
    """Yield the sample, and facts of a kind at their emptiest and at their largest."""
    yield variables.sample(kind, AT)
    yield from EXTREMES.get(kind, ())


def _method(title: str) -> Fact:
    return facts.Method(method_title=title, at=LATER)


def _low(blocks_on: date | None) -> Fact:
    return facts.LowBalance(balance_kopecks=-MOST, needed_kopecks=MOST, blocks_on=blocks_on)


def _failed(**given: object) -> Iterator[Fact]:
    for reason in [*DECLINES, "never heard of"]:
        common = {"amount_kopecks": MOST, "method_title": "Мир Сбербанк •4477", "reason": reason}
        yield facts.AutopayFailed.model_validate({**common, **given})


PAID = (
    facts.Payment(amount_kopecks=1, balance_kopecks=0, missing_kopecks=0, paid_at=AT),
    facts.Payment(amount_kopecks=MOST, balance_kopecks=-MOST, missing_kopecks=MOST, paid_at=LATER),
)
OWED = (facts.PromiseOwed(amount_kopecks=MOST, owed_kopecks=MOST, until=LATER),)
LOW = (_low(None), _low(LATER.date()), _low(AT.date()))
EXTREMES: dict[KindName, tuple[Fact, ...]] = {
    "payment": PAID,
    "autopay_done": PAID,
    "payment_annulled": (facts.Annulled(amount_kopecks=MOST, balance_kopecks=-MOST, at=LATER),),
    "refund": (
        facts.Refund(amount_kopecks=MOST, balance_kopecks=-MOST, at=LATER),
        facts.Refund(amount_kopecks=1, at=AT),
    ),
    "low_balance": LOW,
    "low_balance_reminder": LOW,
    "fee_upcoming": (
        facts.FeeComing(
            fees_on=LATER.date(),
            fee_kopecks=MOST,
            balance_kopecks=-MOST,
            needed_kopecks=MOST,
            lines=tuple(
                facts.Line(ru="<b>Интернет</b> " * 18, en="<b>Internet</b> " * 18, kopecks=-MOST)
                for _ in range(50)
            ),
            blocks_on=LATER.date(),
        ),
        facts.FeeComing(fees_on=AT.date(), fee_kopecks=1, balance_kopecks=0, needed_kopecks=1),
    ),
    "promise_granted": (
        facts.PromiseGiven(amount_kopecks=MOST, fee_kopecks=MOST, until=LATER, automatic=True),
        facts.PromiseGiven(amount_kopecks=1, fee_kopecks=0, until=AT),
    ),
    "promise_ending": OWED,
    "promise_overdue": OWED,
    "autopay_before": tuple(
        facts.AutopayBefore.model_validate(
            {
                "amount_kopecks": MOST,
                "charge_at": LATER,
                "method_title": title,
                "why": why,
                "balance_kopecks": -MOST,
                "skip_url": LINK,
                "mandate_url": LINK,
            }
        )
        for title in ("", "Мир Сбербанк •4477", "Visa •4477")
        for why in ("balance", "fee", "day")
    ),
    "autopay_failed": (
        *_failed(),
        *_failed(next_try_at=LATER, next_method_title="СБП, Альфа-Банк", mandate_url=LINK),
        *_failed(needs="new_method"),
        *_failed(needs="promise", method_title=""),
    ),
    "autopay_expiring": (
        facts.AutopayExpiring(method_title="", expires="2026-09"),
        facts.AutopayExpiring(method_title="Мир Сбербанк •4477", expires="2026-09"),
    ),
    "autopay_off": (facts.AutopayOff(at=LATER),),
    "method_saved": (_method(""), _method("Мир Сбербанк •4477")),
    "method_removed": (_method(""), _method("Мир Сбербанк •4477")),
    "blocked": tuple(
        facts.Access(reason=why, balance_kopecks=-MOST, missing_kopecks=MOST, at=LATER)
        for why in ("below_zero", "after_days", "above_sum", "a new one", "")
    ),
    "unblocked": (facts.Access(balance_kopecks=-MOST, at=LATER),),
    "statement": (
        facts.Statement(
            month="2026-09",
            opening_kopecks=-MOST,
            received_kopecks=MOST,
            charged_kopecks=MOST,
            closing_kopecks=-MOST,
        ),
    ),
}


def reader(language: Language, **given: str) -> Reader:
    """Return somebody whose names are as long as they may be in an SMS."""
    long = {"ru": "Очень Длинная Сеть Связи", "en": "A Very Long Network Name"}[language]
    person = {"contract": "1002451234", "operator": long, "cabinet_url": CABINET}
    return Reader(language=language, **{**person, **given})


def parts(kind: KindName, fact: Fact, who: Reader) -> dict[str, str]:
    """Return everything a kind says."""
    mail = messages.mail(kind, fact, who, AT)
    return {
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
        "sms": messages.sms(kind, fact, who, AT),
        "bot": messages.bot(kind, fact, who, AT),
    }


def test_every_kind_has_rules_facts_texts_and_meanings() -> None:
    assert set(KINDS) == set(KIND_NAMES) == set(FACTS)
    for name, kind in KINDS.items():
        assert kind.name == name
        assert timedelta(0) < kind.age <= AGE_MAX
        assert isinstance(variables.sample(name, AT), FACTS[name])
        for variable in variables.names(name):
            assert all(variables.meaning(variable))


def test_what_asks_for_money_says_when_it_is_enough() -> None:
    """A promise is the exception: it is over by its own event."""
    for name, kind in KINDS.items():
        enough = variables.sample(name, AT).enough_kopecks
        assert (enough is not None) == (kind.recheck and not name.startswith("promise"))
    assert variables.sample("low_balance", AT).enough_kopecks == 65_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_kinds_are_written_at_their_extremes(language: Language) -> None:
    for kind in KIND_NAMES:
        for fact in extremes(kind):
            for name in ("", "<script>x</script> & Co"):
                for part, text in parts(kind, fact, reader(language, name=name)).items():
                    where = f"{kind} {part}: {text}"
                    assert text.strip(), where
                    assert not re.search(r"\{[{%]|[%}]\}", text), where
                    assert "sealed:" not in text, where
                    assert "  " not in text.replace("\n  ", ""), where
                    assert not re.search(r"[(:,] *[).,]|\.\.| [.,:]", text), where
                    if part == "html":
                        assert "<script>" not in text, where
                        assert "<b>" not in text, where
                        assert ".</td>" not in text, "a sentence is no row"
                        tags = re.findall(r"<(/?)(p|table|tr|td|a)\b", text)
                        for tag in ("p", "table", "tr", "td", "a"):
                            assert tags.count(("", tag)) == tags.count(("/", tag)), where


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sms_fits_two_parts(language: Language) -> None:
    """67 characters of UCS-2 or 153 of GSM-7 in each part (3GPP TS 23.040)."""
    for kind in KIND_NAMES:
        for fact in extremes(kind):
            text = messages.sms(kind, fact, reader(language), AT)
            size = segments.size(text)
            latin = language == "en" and not re.search("[А-я]", text)
            assert size.segments <= (2 if latin or language == "ru" else 3), (size, text)
            assert size.encoding == ("GSM-7" if latin else "UCS-2"), text


def test_shipped_texts_pass_what_the_operators_have_to() -> None:
    for kind in KIND_NAMES:
        for language in LANGUAGES:
            for part in PARTS:
                key = Key(kind, language, part)
                assert template_check.problems(key, texts.default(key), AT) == []


def test_reasons_of_declines_are_short_and_never_codes() -> None:
    for text in (*DECLINES.values(), OTHER):
        assert max(map(len, text)) <= 32
        assert not re.search(r"[_\d]", text.en + text.ru)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"next_try_at": LATER}, "Повторим 31.12 23:59"),
        ({"needs": "new_method"}, "Привяжите другую карту"),
        ({"needs": "promise"}, "Пополните договор сами"),
        ({}, "Пополните договор сами"),
    ],
)
def test_a_failed_charge_says_what_is_next(given: dict[str, object], expected: str) -> None:
    fact = facts.AutopayFailed.model_validate(
        {"amount_kopecks": 65_000, "reason": "insufficient_funds", **given}
    )
    said = messages.sms("autopay_failed", fact, reader("ru", operator="Связь"), AT)
    start = "Связь: автоплатёж 650,00 ₽ не прошёл, договор 1002451234: не хватает денег. "
    assert said == start + expected


def test_the_link_that_skips_a_charge_is_a_button() -> None:
    fact = facts.AutopayBefore(
        amount_kopecks=65_000,
        charge_at=LATER,
        method_title="Visa •4477",
        why="balance",
        balance_kopecks=5_000,
        skip_url=LINK + '"><b>',
    )
    said = parts("autopay_before", fact, reader("ru"))
    assert f'<a class="button" href="{LINK}&quot;&gt;&lt;b&gt;">Не в этот раз</a>' in said["html"]
    assert f"Не в этот раз: {LINK}" in said["text"]
    assert said["bot"].endswith(LINK + '"><b>\n')
    assert LINK not in said["sms"]
    assert said["sms"].endswith("Отменить: pay.example.org/cabinet")


def test_links_are_sealed_in_the_journal() -> None:
    fact = facts.AutopayBefore(
        amount_kopecks=1, charge_at=AT, why="day", balance_kopecks=0, skip_url=LINK
    )
    sealed = facts.seal_links(fact, lambda link: link[::-1])
    written = sealed.model_dump_json()
    assert LINK not in written
    assert facts.read("autopay_before", written, lambda link: link[::-1]) == fact
    assert LINK[::-1] not in messages.mail("autopay_before", sealed, reader("ru"), AT).text

    def unreadable(_link: str) -> str:
        raise ValueError("no key")

    opened = facts.read("autopay_before", written, unreadable)
    assert CABINET in messages.mail("autopay_before", opened, reader("ru"), AT).text
    plain = variables.sample("payment", AT)
    assert facts.seal_links(plain, unreadable) is plain


def test_what_an_operator_writes_is_followed_by_html_and_bot() -> None:
    stored = {
        Key("payment", "ru", "text"): "Спасибо, {{ name }}!\n\nСумма: {{ amount }}\n",
        Key("payment", "ru", "sms"): "Пришло {{ amount }}",
    }
    fact = variables.sample("payment", AT)
    mail = messages.mail("payment", fact, reader("ru", name="<i>"), AT, stored)
    assert "<p>Спасибо, &lt;i&gt;!</p>" in mail.html
    assert "<tr><td>Сумма</td><td>650,00\u00a0₽</td></tr>" in mail.html
    assert messages.bot("payment", fact, reader("ru"), AT, stored) == (
        f"Пришло 650,00\u00a0₽\n{CABINET}\n"
    )


@pytest.mark.parametrize(
    "broken", ["{{ nothing }}", "{% if amount %}", "{{ amount|twist }}", "{{", " \n "]
)
def test_a_broken_text_of_the_operator_stops_no_message(broken: str) -> None:
    before = alarms()
    fact, who = variables.sample("payment", AT), reader("ru")
    stored = {Key("payment", "ru", part): broken for part in PARTS}
    assert messages.sms("payment", fact, who, AT, stored) == messages.sms("payment", fact, who, AT)
    assert messages.mail("payment", fact, who, AT, stored) == messages.mail(
        "payment", fact, who, AT
    )
    assert messages.bot("payment", fact, who, AT, stored) == messages.bot("payment", fact, who, AT)
    assert alarms() == before + len(PARTS)


def alarms() -> float:
    """Return how often a broken text has been cried about."""
    return ALARMS.labels("template_broken")._value.get()


@given(st.text(max_size=300))
def test_html_of_any_text_is_of_the_language_if_the_text_is(text: str) -> None:
    if not template_check.problems(Key("payment", "ru", "text"), text, AT):
        stored = {Key("payment", "ru", "text"): text}
        html = texts.source(Key("payment", "ru", "html"), stored)
        assert template_check.problems(Key("payment", "ru", "html"), html, AT) == []


@pytest.mark.parametrize(
    ("part", "text", "code", "place"),
    [
        ("html", "<p>\n<script>", "markup", (2, 1)),
        ("html", '<p onclick="x">', "markup", (1, 3)),
        ("html", "<img/onerror=x>", "markup", (1, 5)),
        ("html", '<img src="x"onerror=x>', "markup", (1, 12)),
        ("html", '<a href="javascript:x">', "markup", (1, 10)),
        ("html", "<html>", "markup", (1, 1)),
        ("sms", "д" * 671, "too_many_segments", (1, 1)),
        ("subject", "{% if lines %}", "not_closed", (1, 1)),
        ("text", "{% if not name %}x{% endif %}", "empty", (1, 1)),
        ("text", "д" * 10_001, "too_long", (1, 1)),
        ("text", "a: b\n" * 2_000, "made_too_long", (1, 1)),
        ("sms", "{% if missing %}" + "д" * 9_970 + "{% endif %}", "too_many_segments", (1, 1)),
        ("sms", "{% if not missing %}" + "д" * 9_965 + "{% endif %}д", "made_too_long", (1, 1)),
    ],
)
def test_texts_that_cannot_be_used(
    part: texts.Part, text: str, code: str, place: tuple[int, int]
) -> None:
    (problem,) = template_check.problems(Key("payment", "ru", part), text, AT)
    assert (problem.code, problem.place) == (code, Place(*place))


@pytest.mark.parametrize(
    ("title", "short"),
    [
        ("Visa •4477", "Visa •4477"),
        ("Mastercard •4477", "Masterca •4477"),
        ("Мир Сбербанк •4477", "Мир Сбер •4477"),
        ("Счёт в банке с именем", "Счёт в банке с"),
        ("Банк •12345678901234567", "Банк •12345678"),
    ],
)
def test_a_card_keeps_its_last_digits_in_a_short_text(title: str, short: str) -> None:
    assert Voice.of(Reader("100245", "", CABINET), AT).method(title)["method_short"] == short

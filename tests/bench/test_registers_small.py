"""The measurement of registers itself, over a thousand rows."""

from __future__ import annotations

import pytest

from bench import registers

ON_POSTGRES = (pytest.mark.connected, pytest.mark.postgres)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("database", "form"), [("sqlite", "csv"), pytest.param("postgres", "xlsx", marks=ON_POSTGRES)]
)
def test_a_register_of_a_thousand_rows(
    database: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--rows", "1000", "--form", form, "--databases", database]
    assert registers.main(given) == 0
    assert f"{database}, {form}: 999 rows in" in capsys.readouterr().out

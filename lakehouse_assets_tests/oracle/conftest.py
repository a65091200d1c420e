"""The fixture that lands rows written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse_assets_tests.oracle.by_hand import HEADERS, Land, jan


@pytest.fixture
def land(tmp_path: Path) -> Land:
    """Lands rows of a source on a day of January 2026 for the tenant acme, below a clean file's header."""

    def _land(source: str, day: int, *rows: str, name: str | None = None, header: str | None = None) -> None:
        folder = tmp_path / "acme" / "crm" / source / jan(day).isoformat()
        folder.mkdir(parents=True, exist_ok=True)
        lines = [HEADERS[source] if header is None else header, *rows]
        (folder / (name or f"{source}.csv")).write_text("\n".join(lines) + "\n", encoding="utf-8")

    return _land

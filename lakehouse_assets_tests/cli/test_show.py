"""What stands in data is shown as it is: no text is taken for the markup or the emoji of the library that draws it."""

from __future__ import annotations

import pytest
from rich.text import Text

from lakehouse_assets.cli.show import grid, in_colour, say

TEXTS = ["[/x]", "[red]warm[/red]", r"\[x\]", r"\alpha[i] \left[/b\right]", "C:\\", "[", ":smile:", "[@click=f]a"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_table_shows_a_text_as_it_is_wherever_it_stands(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    say(grid(f"title {text}", [f"column {text}"], [[f"cell {text}"]], caption=f"caption {text}"))
    shown = capsys.readouterr().out
    for place in ("title", "column", "cell", "caption"):
        assert f"{place} {text}" in shown


@pytest.mark.parametrize("text", TEXTS)
def test_a_sentence_shows_a_text_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    say(f"about {text}", in_colour("red", "failed:", text))
    assert capsys.readouterr().out == f"about {text}\nfailed: {text}\n"


def test_a_word_has_its_colour() -> None:
    sentence = in_colour("red", "failed:", "a [b]")
    assert sentence == Text("failed: a [b]", spans=sentence.spans)
    assert [(span.start, span.end, span.style) for span in sentence.spans] == [(0, 7, "red")]

"""What `--select` means: a domain, a layer, a table, or Dagster's own syntax."""

from __future__ import annotations

import pytest

from lakehouse_assets.house import tables
from lakehouse_assets.lake.errors import SelectionError
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.selection import select

ALL = list(tables())
FEATURES = TableName("crm", "gold", "customer_features")
LEADS = TableName("crm", "silver", "leads_clean")
CRM = [name for name in ALL if name.domain == "crm"]
GOLD = [name for name in CRM if name.layer == "gold"]


def test_no_selection_is_every_table() -> None:
    assert select(tables(), []) == ALL


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("crm", CRM),
        ("crm/", CRM),
        ("crm/gold", GOLD),
        ("crm.gold", GOLD),
        ("crm/gold/customer_features", [FEATURES]),
        (" crm.gold.customer_features ", [FEATURES]),
        ('key:"crm/gold/*"', GOLD),
        ("group:crm and tag:layer=gold", GOLD),
        ('key:"crm/silver/leads_clean"', [LEADS]),
    ],
)
def test_a_selection_names_these_tables(selection: str, expected: list[TableName]) -> None:
    assert expected
    assert select(tables(), [selection]) == expected


def test_what_reads_a_table_can_be_asked_for() -> None:
    found = select(tables(), ['key:"crm/silver/leads_clean"+'])
    assert LEADS in found
    assert FEATURES in found
    assert TableName("crm", "bronze", "leads") not in found


def test_several_selections_add_up_once_each_with_inputs_first() -> None:
    found = select(tables(), ["crm/gold/customer_features", "crm/silver", "crm/silver/leads_clean"])
    assert set(found) == {FEATURES} | {name for name in CRM if name.layer == "silver"}
    assert found == [name for name in ALL if name in found]


@pytest.mark.parametrize(
    "selection",
    [
        pytest.param("crn", id="a misspelt domain"),
        pytest.param("crm/gold/customer", id="a part of a name"),
        pytest.param("gold", id="a layer of no domain"),
        pytest.param("crm/gold/customer_features/x", id="more than a table"),
        pytest.param('key:"nowhere/*"', id="nothing by Dagster's syntax"),
        pytest.param("group:(", id="no syntax at all"),
        pytest.param("group:platform", id="tables that no one builds"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_selection_that_names_no_table_is_an_error_that_repeats_it(selection: str) -> None:
    with pytest.raises(SelectionError) as caught:
        select(tables(), [selection])
    assert f"'{selection}'" in str(caught.value)


def test_one_selection_that_names_nothing_spoils_the_others() -> None:
    with pytest.raises(SelectionError, match="'crn'"):
        select(tables(), ["crm", "crn"])

"""One name for one thing, and no tenant that could leave its folder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.lake.errors import LakeError
from lakehouse_assets.lake.names import LAYERS, TableName, check_tenant

FEATURES = TableName("crm", "gold", "customer_features")
WORDS = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)


def test_a_table_has_one_name_in_every_form() -> None:
    assert str(FEATURES) == "crm.gold.customer_features"
    assert FEATURES.key == ("crm", "gold", "customer_features")
    assert FEATURES.path == "crm/gold/customer_features"
    assert FEATURES.parameter == "gold_customer_features"


@given(WORDS, st.sampled_from(LAYERS), WORDS)
def test_every_form_leads_back_to_the_name(domain: str, layer: str, table: str) -> None:
    name = TableName(domain, layer, table)
    assert TableName.parse(str(name)) == name
    assert TableName.parse(f" {name.path} ") == name
    assert TableName.of_parameter(domain, name.parameter) == name


@pytest.mark.parametrize("text", ["", "crm", "crm.gold", "crm.gold.", "crm..features", "a.b.c.d", "crm gold features"])
def test_what_is_no_table_name_is_told_how_one_looks(text: str) -> None:
    with pytest.raises(LakeError, match=r"<domain>\.<layer>\.<table>"):
        TableName.parse(text)


@pytest.mark.parametrize("parameter", ["window", "gold_", "_gold", "quarantine_leads_clean", "goldfeatures"])
def test_a_parameter_of_no_layer_names_no_table(parameter: str) -> None:
    with pytest.raises(LakeError, match="<layer>_<table>"):
        TableName.of_parameter("crm", parameter)


def test_rejected_rows_and_malformed_records_lie_apart() -> None:
    assert str(TableName("crm", "silver", "leads_clean").quarantine) == "crm.quarantine.leads_clean"
    assert str(TableName("crm", "bronze", "leads").quarantine) == "crm.quarantine.leads_files"


@pytest.mark.parametrize("tenant", ["acme", "0", "a-b_c", "a" * 63])
def test_a_tenant_name_is_returned(tenant: str) -> None:
    assert check_tenant(tenant) == tenant


@pytest.mark.parametrize(
    "tenant",
    ["", "..", "../x", "a/b", "a\\b", "Acme", "-a", "_a", "ä", "a b", "a\n", "a\0", "a" * 64, "a.b", "a=b", "a|b"],
)
def test_a_name_that_could_leave_its_folder_is_no_tenant(tenant: str) -> None:
    with pytest.raises(LakeError, match="no tenant name"):
        check_tenant(tenant)

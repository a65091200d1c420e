"""Plan and backfill from outside: what is asked for is built, no more, and the exit status says whether all is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakehouse_assets_tests.cli.conftest import Demo, type_of_places

DAY = "2026-01-05"
FEATURES = "crm/gold/customer_features"


def test_a_backfill_builds_what_the_plan_lists_and_what_that_reads(new_place: type_of_places, tmp_path: Path) -> None:
    place = new_place(tmp_path / "place")
    asked = ("--select", "crm/silver/customers_clean", "--tenant", "initech", "--from", DAY, "--to", DAY)
    plan = place.run("plan", *asked, "--json").json
    assert set(plan["build"]) == {"crm.bronze.customers", "crm.silver.customers_clean"}
    done = place.run("backfill", *asked, "--json")
    assert done.status == 0, done.text
    assert done.json["built"] == plan["build"]
    assert (done.json["failed"], done.json["not_built"], done.json["dropped"]) == ({}, {}, {})
    assert len(done.json["runs"]) >= 1
    again = place.run("backfill", *asked)
    assert (again.status, "all is up to date" in again.text) == (0, True)
    registered = {row["tenant"]: row["registered"] for row in place.run("tenants", "--json").json["tenants"]}
    assert registered == {"acme": False, "globex": False, "initech": True}


def test_a_rebuild_builds_what_is_up_to_date(demo: Demo, tmp_path: Path) -> None:
    place = demo.place.copy_to(tmp_path / "place")
    done = place.run(
        "backfill", "--select", FEATURES, "--tenant", "acme", "--from", DAY, "--to", DAY, "--rebuild", "--json"
    )
    assert done.status == 0
    assert done.json["built"] == {"crm.gold.customer_features": [["acme", DAY]]}


def test_partitions_that_are_refused_are_named_and_the_others_are_built(demo: Demo, tmp_path: Path) -> None:
    place = demo.place.copy_to(tmp_path / "place")
    broken = place.folder / "landing" / "acme" / "crm" / "products" / "2026-01-06"
    broken.mkdir()
    (broken / "products.csv").write_text("product_id,list_price\n" + "".join(f"p{n},dear\n" for n in range(60)))

    done = place.run("backfill", "--json")

    assert done.status == 1
    assert ["acme", "2026-01-06"] in done.json["failed"]["crm.silver.products_clean"]
    assert done.json["built"]["crm.bronze.products"] == [["acme", "2026-01-06"]]
    assert any("60 of 60 rows are rejected" in reason for reason in done.json["reasons"])
    for_people = place.run("backfill")
    assert for_people.status == 1
    assert "lakehouse quarantine list" in for_people.text
    counted = place.run("quarantine", "list", "--json", "--table", "crm/silver/products_clean", "--tenant", "acme").json
    assert [(row["rule"], row["rows"]) for row in counted] == [("unparsable", 60)]


def test_plan_and_backfill_name_what_is_not_ingested(demo: Demo, tmp_path: Path) -> None:
    place = demo.place.copy_to(tmp_path / "place")
    (place.folder / "landing" / "acme" / "crm" / "leads" / "last week").mkdir()
    for command in (["plan"], ["backfill", "--select", "crm/bronze/leads"]):
        assert "last week" in place.run(*command).text
        assert [row["path"] for row in place.run(*command, "--json").json["refused"]] == ["acme/crm/leads/last week"]

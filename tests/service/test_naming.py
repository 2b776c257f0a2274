"""The members of answers and bodies that are named by what a series is about."""

import pytest
from pydantic import BaseModel, Field, ValidationError

from forecastle.service.naming import Named, named


class One(Named):
    """A series."""

    series: str = Field(description="Of a country.", examples=["GBR"])
    value: float


class Many(Named):
    """Several."""

    every: list[str]
    held: list[One]


class Plain(BaseModel):
    """Holds some."""

    one: One


def test_members_have_the_noun_and_its_plural_for_names() -> None:
    stores = named(Many, "store", "stores")
    held = [named(One, "store", "stores")(series="s1", value=1)]
    answer = stores(every=["s1"], held=held)
    assert answer.model_dump() == {"stores": ["s1"], "held": [{"store": "s1", "value": 1.0}]}
    assert answer.every == ["s1"] and answer.noun == "store"
    assert stores.model_validate_json(answer.model_dump_json()) == answer


def test_a_model_that_holds_named_ones_names_them() -> None:
    made = named(Plain, "store", "stores")
    assert made.model_validate({"one": {"store": "s1", "value": 2}}).one.series == "s1"
    with pytest.raises(ValidationError):
        made.model_validate({"one": {"country": "GBR", "value": 2}})


def test_the_schema_says_what_a_country_is_of_countries_alone() -> None:
    of_country = named(One, "country", "countries").model_json_schema()["properties"]["country"]
    assert (of_country["description"], of_country["examples"]) == ("Of a country.", ["GBR"])
    of_store = named(One, "store", "stores").model_json_schema()["properties"]["store"]
    assert of_store["description"] == "Its identifier." and "examples" not in of_store


def test_the_same_class_is_made_once() -> None:
    assert named(One, "store", "stores") is named(One, "store", "stores")

"""places.py: the table of countries."""

import pycountry

from forecastle.places import CODES, NAMES


def test_countries() -> None:
    """The table of countries is ISO 3166 as pycountry has it, and Kosovo."""
    iso = {country.alpha_2: country.alpha_3 for country in pycountry.countries} | {"XK": "XKX"}
    assert set(NAMES) == set(iso.values())
    assert {alpha2: alpha3 for alpha2, alpha3 in CODES.items() if len(alpha2) == 2} == iso
    assert len(set(NAMES.values())) == len(NAMES)

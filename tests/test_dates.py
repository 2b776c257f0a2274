import datetime
import zoneinfo

import pytest

from forecastle.dates import iso_day, newest_day


def test_newest_day_is_that_of_kiribati() -> None:
    kiritimati = zoneinfo.ZoneInfo("Pacific/Kiritimati")
    before = datetime.datetime.now(kiritimati).date()
    assert before <= newest_day() <= datetime.datetime.now(kiritimati).date()


def test_iso_day_reads_a_day() -> None:
    assert iso_day("2020-04-24") == datetime.date(2020, 4, 24)


@pytest.mark.parametrize(
    "text",
    ["", "20200424", "2020-W17-5", "2020-4-24", "2020-02-30", "2020-04-24 ", "٢٠٢٠-٠٤-٢٤", "24/04/2020"],
)
def test_iso_day_refuses_other_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"date|day"):
        iso_day(text)

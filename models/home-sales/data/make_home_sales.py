"""Make `home-sales.csv`: homes sold a month in 46 places of Texas, January 2000 to July 2015.

    python models/home-sales/data/make_home_sales.py

The counts are those of the data set `txhousing`, as the package plotnine has it (MIT licence), which has it
from ggplot2 (MIT): sales through the multiple listing services of Texas, collected by the Real Estate Center
at Texas A&M University. Beside them stand the working days of each month, which are known ahead: Monday to
Friday without federal holidays, by pandas' calendar. The twelve months after the last have these alone.
Two runs write the same bytes. It needs pandas.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar

TARGET = Path(__file__).with_name("home-sales.csv")
REQUIREMENT = "plotnine==0.15.9"
SHA256 = "36f4526235b3ddd9ea379dd677093ea2ee1b58ab98adec1bde891930283448cd"
MEMBER = "plotnine/data/txhousing.csv"
AHEAD = 12  # months whose working days are known, after the last one with sales


def main() -> None:
    """Fetch, convert, write, and say what was found."""
    reported = sales()
    first, last = (pd.Timestamp(reported.columns[i]) for i in (0, -1))
    months = pd.date_range(first, last + pd.DateOffset(months=AHEAD), freq="MS")
    days = [working_days(month) for month in months]
    places = [
        pd.DataFrame({"date": months, "city": code(str(name)), "name": name, "working_days": days}).assign(
            sales=counts.reindex(months).astype("Int64").array
        )
        for name, counts in reported.iterrows()
    ]
    rows = pd.concat(places)[["date", "city", "name", "sales", "working_days"]]
    rows.sort_values(["city", "date"]).to_csv(
        TARGET, index=False, date_format="%Y-%m-%d", lineterminator="\n"
    )
    missing = reported.isna().sum().sum()
    print(
        f"wrote {TARGET}: {len(reported)} places, {first:%Y-%m} to {last:%Y-%m}, "
        f"{missing} months without a report"
    )


def sales() -> pd.DataFrame:
    """Homes sold: a row for each place, a column for each month; missing is no report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        if subprocess.run([*pip, "--dest", name, "--requirement", str(requirements)]).returncode:
            sys.exit(f"pip could not fetch {REQUIREMENT}: its reason stands above")
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel, wheel.open(MEMBER) as file:
            rows = pd.read_csv(file)
    rows["date"] = pd.to_datetime(rows[["year", "month"]].assign(day=1))
    return rows.pivot(index="city", columns="date", values="sales")


def code(name: str) -> str:
    """A place's identifier, such as san-antonio."""
    return re.sub("[^a-z]+", "-", name.lower())


def working_days(month: pd.Timestamp) -> int:
    """Monday to Friday, without federal holidays."""
    end = month + pd.offsets.MonthBegin()
    holidays = USFederalHolidayCalendar().holidays(month, end).to_numpy().astype("datetime64[D]")
    return int(np.busday_count(month.date(), end.date(), holidays=holidays))


if __name__ == "__main__":
    main()

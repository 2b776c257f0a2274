"""Make `first-wave-2020.csv`: daily cases and deaths by country, 19 January to 8 June 2020.

    python data/make_first_wave.py

The counts are DXY's, as the fixtures of django-covid19 keep them (MIT licence). They are written as reported,
negative increments included: cleaning is the reader's work (`forecastle.observations`), where it can be seen.
Two runs write the same bytes. `README.md` tells what is in the data and what was done to it.
"""

import csv
import datetime
import itertools
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent
TARGET = DATA / "first-wave-2020.csv"
COUNTRIES = DATA.parent / "shared" / "forecastle" / "countries.csv"
REQUIREMENT = "django-covid19==0.4rc1"
SHA256 = "ce0407b4dcee075a1921d0c2f555973d855143a17f1517fb96e7c541b7f11906"
FIXTURE = "django_covid19/fixtures/country.json"

Rows = dict[tuple[str, datetime.date], tuple[str, int, int]]  # (country, date): (name, cases, deaths)

# The source's codes that are not ISO 3166 alpha-3.
CODES = {
    "AI": "AIA",  # Anguilla
    "BL": "BLM",  # Saint Barthélemy
    "CIB": "GIB",  # Gibraltar, miscoded
    "CNMI": "MNP",  # Northern Mariana Islands
    "CW": "CUW",  # Curaçao
    "FO": "FRO",  # Faroe Islands
    "GBN": "GNB",  # Guinea-Bissau, miscoded
    "GG": "GGY",  # Guernsey
    "GU": "GUM",  # Guam
    "JE": "JEY",  # Jersey
    "MS": "MSR",  # Montserrat
    "Mann": "IMN",  # Isle of Man
    "Saint Martin": "MAF",
    "Sint Maarten": "SXM",
    "USVI": "VIR",  # United States Virgin Islands
    "VG": "VGB",  # British Virgin Islands
}
SHIPS = {"Princess"}  # the Diamond Princess belongs to no country


def main() -> None:
    """Fetch, convert, write, and say what was found."""
    with COUNTRIES.open(encoding="utf-8", newline="") as file:
        names = {row["alpha3"]: row["name"] for row in csv.DictReader(file)}
    rows: Rows = {}
    for entry in (item["fields"] for item in fixture()):
        code, source_name = entry["countryCode"], entry["countryFullName"]
        days = json.loads(entry["dailyData"])
        if code in SHIPS:
            print(f"dropped  {code} ({source_name}): a ship, {len(days)} days")
            continue
        country = CODES.get(code, code)
        if country not in names:
            sys.exit(f"{code} ({source_name}) is not ISO 3166 alpha-3: add it to CODES or SHIPS")
        if country != code:
            print(f"mapped   {code} to {country} ({names[country]})")
        if source_name != names[country]:
            print(f"renamed  {source_name} to {names[country]}")
        for day in days:
            key = country, datetime.datetime.strptime(str(day["dateId"]), "%Y%m%d").date()
            if key in rows:
                sys.exit(f"{country} has two rows for {key[1]}: {source_name} is there under another code")
            rows[key] = names[country], day["confirmedIncr"], day["deadIncr"]
    write(rows)
    report(rows)


def fixture() -> list[dict[str, Any]]:
    """The entries of the fixture, out of the wheel, which pip checks against its hash."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        if subprocess.run([*pip, "--dest", name, "--requirement", str(requirements)]).returncode:
            sys.exit(f"pip could not fetch {REQUIREMENT}: its reason stands above")
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
            return json.loads(wheel.read(FIXTURE))


def write(rows: Rows) -> None:
    """Write the rows in the order of country and date."""
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["date", "country", "name", "cases", "deaths"])
        for (country, date), counts in sorted(rows.items()):
            writer.writerow([date.isoformat(), country, *counts])


def report(rows: Rows) -> None:
    """Print what the file holds, its gaps and its negative increments."""
    days: dict[str, list[datetime.date]] = {}
    for country, date in sorted(rows):
        days.setdefault(country, []).append(date)
    one_day = datetime.timedelta(days=1)
    for country, dates in days.items():
        for before, after in itertools.pairwise(dates):
            if after - before > one_day:
                print(f"gap      {country} has no row between {before} and {after}")
    print(f"kept     {sum(cases < 0 for _, cases, _ in rows.values())} negative case increments")
    print(f"kept     {sum(deaths < 0 for _, _, deaths in rows.values())} negative death increments")
    dates = [date for _, date in rows]
    print(f"wrote    {TARGET}: {len(rows)} rows, {len(days)} countries, {min(dates)} to {max(dates)}")


if __name__ == "__main__":
    main()

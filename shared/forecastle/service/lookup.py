"""Countries by their codes, and suggestions for a code that is unknown."""

import difflib

from forecastle.artifact import Artifact, Country
from forecastle.web.problems import ProblemError


def find(artifact: Artifact, code: str) -> Country:
    """The country of that ISO 3166 alpha-3 code, in capital letters or not.

    Raises:
        ProblemError: 404, with the reason why the country was left out, or with suggestions.
    """
    code = code.upper()[:60]
    if country := artifact.countries.get(code):
        return country
    if excluded := artifact.manifest.excluded.get(code):
        detail = f"{excluded.name} has no forecast: {excluded.reason}"
        raise ProblemError(404, detail, type="unknown-country")
    matches = near_matches(artifact, code)
    shown = " or ".join(f"{match['code']} ({match['name']})" for match in matches)
    hint = f"Did you mean {shown}?" if matches else "GET /countries lists all."
    raise ProblemError(
        404, f"There is no country {code} here. {hint}", type="unknown-country", near_matches=matches or None
    )


def near_matches(artifact: Artifact, text: str) -> list[dict[str, str]]:
    """Up to three countries whose code, name or initials look like the text in capitals, most alike first."""
    matcher = difflib.SequenceMatcher(b=text)  # `b` is what it prepares once
    likeness: dict[Country, float] = {}
    for country in artifact.countries.values():
        name = country.name.upper()
        if text == "".join(word[0] for word in name.split()):
            likeness[country] = 1.0
            continue
        for candidate in (country.code, name):
            matcher.set_seq1(candidate)
            if matcher.quick_ratio() > 0.6 and (ratio := matcher.ratio()) > 0.6:
                # GRB is GBR rather than BGR or GRC
                transposed = candidate[0] == text[0] and sorted(candidate) == sorted(text)
                likeness[country] = max(likeness.get(country, 0), ratio + 0.1 * transposed)
    best = sorted(likeness, key=lambda country: -likeness[country])[:3]
    return [{"code": country.code, "name": country.name} for country in best]

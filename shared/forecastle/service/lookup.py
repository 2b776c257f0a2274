"""Series by their codes, and suggestions for a code that is unknown."""

import difflib
from functools import lru_cache

from forecastle.artifact import Artifact, Series
from forecastle.web.problems import ProblemError

LONGEST = 64  # characters of an identifier


def find(artifact: Artifact, code: str) -> Series:
    """The series of that identifier, in capital letters or not.

    Raises:
        ProblemError: 404, with the reason why the series was left out, or with suggestions.
    """
    noun, plural = artifact.manifest.noun, artifact.manifest.plural
    code, problem = code[:LONGEST], "unknown-country" if noun == "country" else "unknown-series"
    if noun == "country":
        code = code.upper()
    if series := artifact.series.get(code) or _by_capitals(artifact).get(code.upper()):
        return series
    if excluded := artifact.manifest.excluded.get(code):
        detail = f"{excluded.name} has no forecast: {excluded.reason}"
        raise ProblemError(404, detail, type=problem)
    matches = near_matches(artifact, code.upper())
    shown = " or ".join(f"{match['code']} ({match['name']})" for match in matches)
    hint = f"Did you mean {shown}?" if matches else f"GET /{plural} lists all."
    raise ProblemError(
        404, f"There is no {noun} {code} here. {hint}", type=problem, near_matches=matches or None
    )


@lru_cache
def _by_capitals(artifact: Artifact) -> dict[str, Series]:
    """The series by their identifiers in capitals; not those that capitals alone tell apart."""
    known: dict[str, list[Series]] = {}
    for code, series in artifact.series.items():
        known.setdefault(code.upper(), []).append(series)
    return {capitals: found[0] for capitals, found in known.items() if len(found) == 1}


def near_matches(artifact: Artifact, text: str) -> list[dict[str, str]]:
    """Up to three series whose code, name or initials look like the text in capitals, most alike first."""
    matcher = difflib.SequenceMatcher(b=text)  # `b` is what it prepares once
    likeness: dict[Series, float] = {}
    for series in artifact.series.values():
        name = series.name.upper()
        if text == "".join(word[0] for word in name.split()):
            likeness[series] = 1.0
            continue
        for candidate in (series.code.upper(), name):
            matcher.set_seq1(candidate)
            if matcher.quick_ratio() > 0.6 and (ratio := matcher.ratio()) > 0.6:
                # GRB is GBR rather than BGR or GRC
                transposed = candidate[0] == text[0] and sorted(candidate) == sorted(text)
                likeness[series] = max(likeness.get(series, 0), ratio + 0.1 * transposed)
    best = sorted(likeness, key=lambda series: -likeness[series])[:3]
    return [{"code": series.code, "name": series.name} for series in best]

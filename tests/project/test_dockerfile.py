"""dockerfile.py: an ensemble's Dockerfile has the stages of its members, which other builds have, too."""

import re

from forecastle.project import compose, dockerfile

RECIPE = (compose.ROOT / compose.DOCKERFILE).read_text()
FROM = re.compile(r"^FROM (\S+) AS (\S+)$", re.MULTILINE)
USED = re.compile(r"from=([\w-]+)")


def stages(text: str) -> dict[str, str]:
    """The text of each stage, without comments."""
    parts = re.split(r"^(?=FROM )", text, flags=re.MULTILINE)[1:]
    lines = ("\n".join(line for line in part.splitlines() if line[:1] != "#").strip() for part in parts)
    return {FROM.findall(part)[0][1]: part for part in lines}


def test_it_has_its_members_stages_under_their_names_and_nothing_of_other_images() -> None:
    made = dockerfile.ensemble(RECIPE, "both", {"one": "train", "two-2": "given"})
    assert made.startswith(
        "# `make compose` writes this file: what ../Dockerfile says of both, and a copy of each"
    )
    known, found = stages(RECIPE), stages(made)
    assert known["train"].replace("FROM trainer AS train", "").replace("ARG MODEL", "ARG MODEL=one").replace(
        "from=model", "from=model-one"
    ) == found["train-one"].replace("FROM trainer-one AS train-one", "")
    assert found["origin-one"] == "FROM train-one AS origin-one"
    assert found["origin-two-2"] == "FROM given-two-2 AS origin-two-2"
    assert "target=/given" in found["given-two-2"] and "from=artifact-two-2" in found["given-two-2"]
    assert not {"train-two-2", "given-one", "gateway", "catalogue", "lock", "names", "serve-one"} & set(found)
    shared = {"tools", "binutils", "python", "data", "sources", "base", "pytest", "artifact"}
    assert {name: found[name] for name in shared} == {name: known[name] for name in shared}
    assert list(found)[-1] == "serve"


def test_it_learns_from_members_that_have_passed_their_tests() -> None:
    found = stages(dockerfile.ensemble(RECIPE, "both", {"one": "train", "two": "train"}))
    for name in ("one", "two"):
        assert f"COPY --from=gate-{name} /app/artifact/ ../{name}/artifact/" in found["train"].splitlines()
    assert not any("COPY --from=gate" in text for name, text in found.items() if name != "train")


def test_no_stage_uses_a_later_one_and_none_waits_for_the_argument() -> None:
    made = dockerfile.ensemble(RECIPE, "both", {"one": "train", "two": "given"})
    before: set[str] = set()
    for name, text in stages(made).items():
        base = FROM.findall(text)[0][0]
        assert base in before | {"scratch", "${PYTHON_IMAGE}", "${ORIGIN}"}
        assert set(USED.findall(text)) <= before
        before.add(name)
    assert set(re.findall(r"^ARG MODEL.*$", made, re.MULTILINE)) == {
        "ARG MODEL=both",
        "ARG MODEL=one",
        "ARG MODEL=two",
    }
    top = made.partition("\nFROM ")[0]
    assert re.findall(r"^ARG (\w+)", top, re.MULTILINE) == ["ORIGIN", "PYTHON_IMAGE"]

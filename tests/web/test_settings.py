"""settings.py: the variable that every app reads."""

import pytest

from forecastle.web.settings import SettingsError, WebSettings


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", ()),
        (" ", ()),
        ("*", ("*",)),
        ("https://a.example", ("https://a.example",)),
        ("https://a.example, http://b:8080 https://c", ("https://a.example", "http://b:8080", "https://c")),
    ],
)
def test_spaces_or_commas_separate_web_origins(
    monkeypatch: pytest.MonkeyPatch, value: str, origins: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CORS_ORIGINS", value)
    assert WebSettings().cors_origins == origins


@pytest.mark.parametrize(
    "value",
    ["example.org", "https://example.org/page", "https://example.org/", "ftp://a", "https://a, b", "**"],
)
def test_what_is_no_web_origin_is_one_line(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A browser never sends it as `Origin`, so the setting would have no effect."""
    monkeypatch.setenv("CORS_ORIGINS", value)
    with pytest.raises(SettingsError) as raised:
        WebSettings()
    words = "must be * or web origins such as https://example.org, with spaces between"
    assert str(raised.value) == f"CORS_ORIGINS {words}, not {value!r}"


def test_the_name_of_a_variable_is_in_capital_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORS_ORIGINS", raising=False)
    monkeypatch.setenv("cors_origins", "*")
    assert WebSettings().cors_origins == ()

"""The tests mirror the library: each module has a test module, and each test module has a module."""

from pathlib import Path

TESTS = Path(__file__).parent
LIBRARY = TESTS.parent / "shared/forecastle"
MODULES = {path.relative_to(LIBRARY) for path in LIBRARY.rglob("*.py")} - {Path("__init__.py")}
PACKAGES = {module.parts[0] for module in MODULES if len(module.parts) > 1}


def place(module: Path) -> Path:
    """`a/test_b.py` of `a/b.py` and of a package `a/b/`; `a/test_main.py` of `a/__main__.py`."""
    module = module.parent if module.stem == "__init__" else module
    return module.with_name(f"test_{module.stem.strip('_')}.py")


def test_every_module_has_its_test_module() -> None:
    """Packages and commands may have one. Migrations are tested one after the other, as they run."""
    needed = [module for module in MODULES if module.stem.strip("_") == module.stem]
    needed = [place(module) for module in needed if "migrations" not in module.parts]
    assert len(needed) > 50
    assert [str(path) for path in needed if not (TESTS / path).is_file()] == []


def test_every_test_module_of_a_package_has_its_module() -> None:
    known = {place(module) for module in MODULES}
    there = {path.relative_to(TESTS) for name in PACKAGES for path in (TESTS / name).rglob("test_*.py")}
    assert len(there) > 50
    assert [str(path) for path in there - known] == []

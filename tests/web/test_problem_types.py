"""problem_types.py: nginx answers errors with the types, titles and meanings of the table."""

import re
import subprocess
import sys
from pathlib import Path

from forecastle.web.problem_types import TYPES, of_status, uri

LIBRARY = Path(__file__).resolve().parents[2] / "shared"


def test_problems_have_types_and_titles_of_the_table() -> None:
    """The command is the Dockerfile's: it must run where no package is installed."""
    command = [sys.executable, "-I", "-S", "-c", "import sys, runpy; sys.path.insert(0, sys.argv.pop()); "]
    command[-1] += "runpy.run_module('forecastle.web.problem_types', run_name='__main__')"
    maps = subprocess.run([*command, LIBRARY], capture_output=True, text=True, check=True).stdout
    read = {}
    for variable, block in re.findall(r"map \$status \$(\w+) {\n(.*?)\n}", maps, re.DOTALL):
        read[variable] = dict(re.findall(r'^    (\S+) "([^"\\$]*)";$', block, re.MULTILINE))
        assert len(read[variable]) == len(block.splitlines())
    assert read["problem_type"].pop("default") == "about:blank"
    assert read["title"].pop("default") and read["meaning"].pop("default")
    by_status = {str(each.status): each for each in reversed(TYPES.values())}
    assert read["title"] == {status: each.title for status, each in by_status.items()}
    assert read["meaning"] == {status: each.meaning for status, each in by_status.items()}
    assert read["problem_type"] == {status: uri(of_status(int(status))) for status in by_status}

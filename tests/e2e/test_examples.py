"""The examples of the documents: what they show is what the gateway answers today."""

import sys

from .conftest import ROOT, Project, run


def test_the_documents_show_what_the_gateway_answers(stack: Project) -> None:
    """Numbers may differ within the tolerance that the script states: another machine draws others."""
    done = run(sys.executable, ROOT / "docs/examples.py", "--check", "--url", stack.url, check=False)
    assert done.returncode == 0, done.stdout

"""What docs/whatsapp.md names is there: each test, each kind of message, each picture, and no trap without its test."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests import kinds

TESTS = Path(__file__).resolve().parents[1]
DOCS = TESTS.parent / "docs"
PAGE = (DOCS / "whatsapp.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/]+\.py::\w+)`", PAGE)))
TRAPS = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)


@cache
def names_in(path: Path) -> frozenset[str]:
    return frozenset(
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize("name", NAMED)
def test_each_test_that_is_named_is_there(name):
    path, _colons, function = name.partition("::")

    assert function in names_in(TESTS / path), f"{name} is gone: what proves it now?"


def test_no_trap_is_left_out_and_each_has_its_tests():
    assert [int(number) for number, _trap, _tests in TRAPS] == list(range(1, 28))
    assert [trap for _number, trap, tests in TRAPS if not re.search(r"`[\w/]+\.py::test_\w+`", tests)] == []


@pytest.mark.parametrize("scene", kinds.SCENES, ids=lambda scene: scene.picture)
def test_each_kind_of_message_is_named_beside_its_picture(scene):
    picture = f"| [{scene.picture}.png](screenshots/{scene.picture}.png) |"
    (row,) = (line for line in PAGE.splitlines() if line.endswith(picture))

    assert [kind.name for kind in scene.kinds if kind.name not in row] == []
    assert (DOCS / "screenshots" / f"{scene.picture}.png").exists()

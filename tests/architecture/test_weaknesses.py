"""What is known to be dangerous is not in our code, nor, as far as can be asked, in the packages we use."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
# Views that a stranger's page may post to, each with what it asks for instead. (Webhooks come in before Django.)
WITHOUT_CSRF = {
    "whatsapp.flows.endpoint": "a signature over the bytes",
    "crm.views.clock": "a signature; only where the demonstration runs",
    "rest_framework": "a token, or the session with the check that the framework makes itself",
}


def views(patterns: list) -> Iterator[object]:
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from views(each.url_patterns)
        elif isinstance(each, URLPattern):
            yield each.callback


def keeper(view: object) -> str:
    """The module that answers for leaving the check out."""
    is_api = hasattr(view, "cls") and any(base.__module__ == "rest_framework.views" for base in view.cls.__mro__)
    return "rest_framework" if is_api else view.__module__  # type: ignore[attr-defined]


def test_only_what_asks_for_something_better_is_exempt_from_csrf():
    exempt = {keeper(view) for view in views(get_resolver().url_patterns) if getattr(view, "csrf_exempt", False)}

    assert exempt == set(WITHOUT_CSRF)


def test_bandit_finds_nothing_grave():
    done = subprocess.run(
        [BIN / "bandit", "-q", "-lll", "-f", "json", "-r", "tenants", "whatsapp", "crm", "sequences"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout)

    assert told["metrics"]["_totals"]["loc"] > 10_000
    assert told["errors"] == []
    assert [f"{each['filename']}:{each['line_number']} {each['issue_text']}" for each in told["results"]] == []


class CannotAsk(Exception):
    """The database of weaknesses was not reached, so that nothing is known about the packages; the text says why."""


def known_weaknesses(packages: Path, **environment: str) -> list[str]:
    """What pip-audit knows of the exact versions in a list. Raises CannotAsk."""
    done = subprocess.run(
        [
            BIN / "pip-audit",
            "-r",
            packages,
            "--disable-pip",
            "--require-hashes",
            "--progress-spinner",
            "off",
            "-f",
            "json",
        ],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), **environment},
        capture_output=True,
        text=True,
    )
    try:
        told = json.loads(done.stdout)["dependencies"]
    except ValueError:
        raise CannotAsk(done.stderr.strip().splitlines()[-1][:300] if done.stderr.strip() else "no answer") from None
    if skipped := [each["name"] for each in told if "skip_reason" in each]:
        raise CannotAsk(f"nothing is known of {', '.join(skipped)}")
    return [f"{each['name']} {each['version']}: {found['id']}" for each in told for found in each["vulns"]]


@pytest.mark.nightly
def test_no_package_has_a_known_weakness():
    try:
        found = known_weaknesses(ROOT / "requirements" / "base.txt")
    except CannotAsk as reason:
        pytest.skip(f"The packages were NOT checked for known weaknesses: {reason}")

    assert found == []


def test_a_database_of_weaknesses_that_cannot_be_reached_is_not_taken_for_a_good_answer(tmp_path):
    packages = tmp_path / "packages.txt"
    packages.write_text(f"django==5.2.19 --hash=sha256:{'0' * 64}\n")

    with pytest.raises(CannotAsk, match=r"(?i)proxy|connect"):
        known_weaknesses(packages, HTTPS_PROXY="http://127.0.0.1:9", PIP_AUDIT_CACHE_DIR=str(tmp_path))

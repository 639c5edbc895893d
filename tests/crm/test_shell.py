"""What every page stands on: the stylesheet, the icons, and the pages for when something is wrong."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.utils import translation
from django.views import defaults

from crm.stylesheet import NAME, InlinedStylesheet

STYLES = settings.BASE_DIR / "static" / "crm" / "css"


def test_the_stylesheet_is_one_file_with_every_part():
    finder = InlinedStylesheet()

    written = Path(finder.find(NAME)).read_text()

    assert "@import" not in written
    for part in STYLES.rglob("*.css"):
        assert part.name == "ventana.css" or part.read_text() in written, part


def test_the_parts_hold_no_address_that_would_move():
    assert not [part for part in STYLES.rglob("*.css") if "url(" in part.read_text()]


def test_a_change_of_a_part_is_served(tmp_path, monkeypatch):
    finder = InlinedStylesheet()
    monkeypatch.setattr(finder, "source", tmp_path / "ventana.css")
    finder.source.write_text('@import "part.css";')
    (tmp_path / "part.css").write_text("a {}")
    finder.find(NAME)

    (tmp_path / "part.css").write_text("b {}")

    assert Path(finder.find(NAME)).read_text() == "b {}"


def test_every_icon_that_a_template_asks_for_is_in_the_sprite():
    drawn = set(re.findall(r'id="i-([\w-]+)"', (settings.BASE_DIR / "static/crm/icons/icons.svg").read_text()))
    templates = (settings.BASE_DIR / "templates").rglob("*.html")
    asked = {name for path in templates for name in re.findall(r'{% icon "([\w-]+)"', path.read_text())}

    assert asked - drawn == set()


@pytest.mark.parametrize(
    ("view", "sentence", "status"),
    [
        (lambda request: defaults.bad_request(request, ValueError()), "No entendimos eso", 400),
        (lambda request: defaults.permission_denied(request, ValueError()), "Esta página no es para ti", 403),
        (lambda request: defaults.page_not_found(request, ValueError()), "Aquí no hay nada", 404),
        (lambda request: defaults.server_error(request), "Algo falló de nuestro lado", 500),
    ],
)
def test_error_pages_speak_the_language_and_ask_the_database_nothing(view, sentence, status):
    with translation.override("es"):
        answer = view(RequestFactory().get("/nothing/"))  # this test may not use the database at all

    assert answer.status_code == status
    assert sentence in answer.content.decode()


def test_too_many_attempts_have_a_page_too():
    assert "Too many attempts" in render_to_string("429.html")


def test_an_address_without_a_page_is_404(client: Client, db):
    assert "There is nothing here" in client.get("/nothing/").content.decode()

"""The page's templates: a person decides for Meta, and the application hears of it by webhook."""

import re

import pytest

from tests.whatsapp.simulator.conftest import NUMBER, TOKEN, Application
from tests.whatsapp.simulator.panel import DIEGO, page, submit
from whatsapp.simulator.process import Simulator, wait_until

STATUS, QUALITY = "message_template_status_update", "message_template_quality_update"
OTRA = "200000000000001"


def press(simulator: Simulator, name: str, *, number: str = NUMBER, language: str = "es", **given: str) -> str:
    return submit(simulator, "/phone/templates", number=number, customer=DIEGO, name=name, language=language, **given)


def row(html: str, name: str) -> str:
    """The part of the page about one template."""
    (found,) = [part for part in html.split('<details id="template-')[1:] if f"<b>{name}</b>" in part]
    return found.partition("</details>")[0]


def shown(simulator: Simulator, name: str) -> str:
    return row(page(simulator, number=NUMBER, customer=DIEGO), name)


def enabled(html: str) -> set[str]:
    """What can be pressed."""
    return set(re.findall(r'name="event" value="(\w+)">', html))


def heard(application: Application, field: str) -> dict:
    return wait_until(lambda: application.values(field))[0]


def test_all_of_the_account_are_listed_with_how_they_are(simulator: Simulator):
    html = page(simulator, number=NUMBER, customer=DIEGO)

    assert "Aprobada" in row(html, "carrito_v3") and "Alta" in row(html, "carrito_v3")
    assert "Pausada" in row(html, "promo_liquidacion") and "Baja" in row(html, "promo_liquidacion")
    assert "Categoría incorrecta" in row(html, "bono_cumpleanos")
    assert html.index("<b>aviso_reposicion</b>") < html.index("<b>carrito_v3</b>")  # in review: first


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("aviso_reposicion", {"APPROVED", "REJECTED"}),
        ("carrito_v3", {"PAUSED", "DISABLED", "REJECTED"}),
        ("promo_liquidacion", {"APPROVED", "DISABLED"}),
        ("bono_cumpleanos", {"APPROVED"}),
    ],
)
def test_what_meta_would_not_say_in_its_state_cannot_be_pressed(simulator: Simulator, name: str, events: set[str]):
    assert enabled(shown(simulator, name)) == events


@pytest.mark.parametrize(
    ("name", "event", "word"),
    [
        ("aviso_reposicion", "APPROVED", "Aprobada"),
        ("carrito_v3", "PAUSED", "Pausada"),
        ("carrito_v3", "DISABLED", "Desactivada"),
        ("promo_liquidacion", "APPROVED", "Aprobada"),
    ],
)
def test_a_press_is_metas_word(simulator: Simulator, application: Application, name: str, event: str, word: str):
    html = press(simulator, name, event=event)

    assert word in row(html, name)
    told = heard(application, STATUS)
    assert (told["event"], told["message_template_name"]) == (event, name)


def test_a_rejection_says_why(simulator: Simulator, application: Application):
    html = press(simulator, "aviso_reposicion", event="REJECTED", reason="PROMOTIONAL")

    assert "Rechazada" in row(html, "aviso_reposicion") and "Es publicidad" in row(html, "aviso_reposicion")
    told = heard(application, STATUS)
    assert (told["event"], told["reason"]) == ("REJECTED", "PROMOTIONAL")


@pytest.mark.parametrize(("quality", "word"), [("GREEN", "Alta"), ("YELLOW", "Media"), ("RED", "Baja")])
def test_a_quality_is_told_and_shown(simulator: Simulator, application: Application, quality: str, word: str):
    html = press(simulator, "encuesta_satisfaccion", quality=quality)

    assert f'value="{quality}" aria-pressed="true"' in row(html, "encuesta_satisfaccion")
    assert word in row(html, "encuesta_satisfaccion").partition("</summary>")[0]
    assert heard(application, QUALITY)["new_quality_score"] == quality


def test_it_is_about_the_account_of_the_number_on_the_page(simulator: Simulator, application: Application):
    press(simulator, "carrito_v3", number=OTRA, event="PAUSED")

    wait_until(lambda: application.values(STATUS))
    assert "Aprobada" in shown(simulator, "carrito_v3")


@pytest.mark.parametrize("given", [{"event": "NONSENSE"}, {"event": ""}, {}])
def test_what_means_nothing_changes_nothing(simulator: Simulator, application: Application, given: dict):
    assert "Aprobada" in row(press(simulator, "carrito_v3", **given), "carrito_v3")
    assert "Simulador" in press(simulator, "gone_meanwhile", event="PAUSED")
    assert application.values(STATUS) == []


def test_what_the_business_wrote_is_text(simulator: Simulator):
    template = {
        "name": "nueva", "language": "es", "category": "UTILITY",
        "components": [{"type": "BODY", "text": "Hola <script>hit()</script> a todos, ya estamos de vuelta"}],
    }  # fmt: skip
    simulator.call("POST", "/v25.0/300000000000001/message_templates", template, token=TOKEN)

    assert "&lt;script&gt;hit()" in shown(simulator, "nueva")

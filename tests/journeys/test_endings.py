"""Eight days of follow-up with the clock moved ahead: each person's sequence ends as theirs must, and says why.

The simulator's customers are silent, answer, block, opt out; somebody here writes on the phone; a budget is used up.
"""

import json
import time

import pytest
import requests
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.journey, pytest.mark.nightly]
HOUR = 3600

SALES, COUNTER = "100000000000001", "200000000000001"
RECALL = {"name": "retomar_conversacion", "language": "es", "variables": {"1": "{first_name}", "2": "tu pedido"}}


def step(hours: int, text: str = "", template: dict | None = None) -> dict:
    return {
        "title": text or "Plantilla",
        "delay": {"count": hours, "unit": "hours"},
        "variants": [{"text": text, "template": template}],
    }


def definition(*steps: dict, **rules) -> dict:
    return {"steps": list(steps), "quiet_from": "00:00", "quiet_to": "00:00", **rules}


SEQUENCES = {
    "Ventana abierta": definition(
        *[step(1, f"{place} de cinco") for place in ("Uno", "Dos", "Tres", "Cuatro", "Cinco")]
    ),
    "Ventana que cierra": definition(
        step(1, "Primero", RECALL),
        step(10, "Segundo", RECALL),
        step(20, "Tercero", RECALL),
        step(24, "Cuarto", RECALL),
        step(24, "¿Sigues con ganas de tus botas, {first_name}?"),
        stop_on_opt_out=True,
    ),
    "Larga": definition(step(1, "Hola", RECALL), *[step(hours, "", RECALL) for hours in (48, 48, 96, 96)]),
}
PEOPLE = {
    "Olga Abierta": ("51987002001", "Ventana abierta"),
    "Rita Responde": ("51987002002", "Ventana abierta"),
    "Cielo Cierra": ("51987002003", "Ventana que cierra"),
    "Mara Móvil": ("51987002004", "Ventana que cierra"),
    "Óscar Opta": ("51987002005", "Ventana que cierra"),
    "Bruna Bloquea": ("51987002006", "Larga"),
    **{f"Testigo {letter}": (f"5198700201{place}", "Larga") for place, letter in enumerate("ABCD")},
}


@pytest.fixture
def days(running, clock):
    """Let hours go by, stopping wherever something is due until it has been done."""

    def looked_at() -> float | None:
        return requests.get(f"{running.simulator}/control/clock", timeout=10).json()["next_due_s"]

    def settle() -> None:
        until = time.monotonic() + 120
        while looked_at() == 0:
            assert time.monotonic() < until, "what was due has not been done"
            time.sleep(0.5)

    def pass_by(hours: float) -> None:
        left = hours * HOUR
        settle()
        while left > 0:
            due = looked_at()
            jump = left if due is None else min(due + 1, left)
            clock(advance_s=jump)
            left -= jump
            settle()
        time.sleep(3)  # what was sent is delivered

    return pass_by


def bring_and_begin(page: Page, name: str, content: dict, phones: list[str]) -> None:
    """Import a sequence, put it to use, and begin it with these phones."""
    page.goto("/sequences/")
    file = {"name": "s.json", "mimeType": "application/json",
            "buffer": json.dumps({"name": name, "trigger": "manual", "definition": content}).encode()}  # fmt: skip
    page.locator("input[type=file]").set_input_files(file)
    expect(page.locator("[name=name]")).to_have_value(name)
    page.locator("button[form=editor]").click()
    page.locator("button[name=active][value='1']").click()
    page.locator(".page__head a[href$='/enrollments/']").click()
    page.locator("details.card > summary").click()
    page.fill("[name=written]", "\n".join(phones))
    page.locator("form[action$='/begin/'] button[type=submit]").click()
    expect(page.locator("#crowd")).to_contain_text(str(len(phones)))
    expect(page.locator("#crowd progress")).to_have_count(0)
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(len(phones))


def story(page: Page, sequence: str, name: str) -> Page:
    page.goto("/sequences/")
    page.locator("tr", has_text=sequence).locator("a.btn[href$='/enrollments/']").click()
    page.locator("tbody a", has_text=name).click()
    return page


def test_each_ends_as_it_must_and_says_why(running, person, clock, days):
    supervisor, ana = person("supervisor@demo.test"), person("ana@demo.test")
    for name, (phone, _sequence) in PEOPLE.items():
        running.customer_writes(phone_number_id=SALES, **{"from": phone}, name=name, text="¿cuánto cuestan las botas?")
    ana.goto("/inbox/?mode=all")
    for name in PEOPLE:
        expect(ana.locator(".conv", has_text=name)).to_be_visible()
    for name, content in SEQUENCES.items():
        bring_and_begin(supervisor, name, content, [phone for phone, where in PEOPLE.values() if where == name])

    days(2.2)
    phones = {name: phone for name, (phone, _sequence) in PEOPLE.items()}
    running.customer_writes(phone_number_id=SALES, **{"from": phones["Rita Responde"]}, text="ya las vi, gracias")
    running.customer_writes(
        **{"from": phones["Óscar Opta"]}, phone_number_id=SALES, type="user_preferences", preference="stop"
    )
    fault = {"to": phones["Bruna Bloquea"], "block": True}
    requests.post(f"{running.simulator}/control/faults", json=fault, timeout=10).raise_for_status()
    days(3.5)

    open_all_along = story(supervisor, "Ventana abierta", "Olga Abierta")
    expect(open_all_along.locator(".page__head .badge")).to_contain_text("terminada")
    expect(open_all_along.locator(".step__line", has_text="Enviado como mensaje")).to_have_count(5)
    expect(open_all_along.locator(".timeline")).to_contain_text("La ventana de 24 horas estaba abierta.")
    assert len(running.ledger(to=phones["Olga Abierta"])) == 5

    replied = story(supervisor, "Ventana abierta", "Rita Responde")
    expect(replied.locator(".page__head .badge")).to_contain_text("en pausa")
    expect(replied.locator(".timeline")).to_contain_text("El cliente respondió.")
    assert len(running.ledger(to=phones["Rita Responde"])) == 2

    days(76)
    opted_out = story(supervisor, "Ventana que cierra", "Óscar Opta")
    expect(opted_out.locator(".page__head .badge")).to_contain_text("detenida")
    expect(opted_out.locator(".timeline")).to_contain_text("Esta persona detuvo nuestros mensajes de marketing.")
    assert len(running.ledger(to=phones["Óscar Opta"])) == 1

    closed = story(supervisor, "Ventana que cierra", "Cielo Cierra")
    expect(closed.locator(".step__line", has_text="Enviado como mensaje")).to_have_count(2)
    expect(closed.locator(".step__line", has_text="Enviado como plantilla")).to_have_count(2)
    expect(closed.locator(".timeline")).to_contain_text("La ventana estaba cerrada y el paso no tiene plantilla.")
    ana.goto("/pending/")
    ana.locator(".pend", has_text="Cielo Cierra").locator("button[value=done]").first.click()
    expect(ana.locator(".pend", has_text="Cielo Cierra")).to_have_count(0)
    expect(story(supervisor, "Ventana que cierra", "Cielo Cierra").locator(".page__head .badge")).to_contain_text(
        "terminada"
    )

    expect(ana.locator(".pend", has_text="Mara Móvil")).to_be_visible()
    words = "¿Sigues con ganas de tus botas, Mara?"
    running.customer_writes(phone_number_id=SALES, echo=True, to=phones["Mara Móvil"], text=words)
    for _ in range(60):
        ana.goto("/pending/")
        if not ana.locator(".pend", has_text="Mara Móvil").count():
            break
        ana.wait_for_timeout(1000)
    expect(ana.locator(".pend", has_text="Mara Móvil")).to_have_count(0)
    expect(story(supervisor, "Ventana que cierra", "Mara Móvil").locator(".page__head .badge")).to_contain_text(
        "terminada"
    )

    days(96)  # three days after the second message that Bruna did not get on another day
    blocked = story(supervisor, "Larga", "Bruna Bloquea")
    for _ in range(150):
        if "en pausa" in blocked.locator(".page__head .badge").first.inner_text():
            break
        blocked.wait_for_timeout(1000)
        blocked.reload()
    expect(blocked.locator(".page__head .badge").first).to_contain_text("en pausa")
    expect(blocked.locator(".timeline")).to_contain_text("Probablemente bloqueó este número")
    sent = len(running.ledger(to=phones["Bruna Bloquea"]))
    days(60)
    assert len(running.ledger(to=phones["Bruna Bloquea"])) == sent
    assert len(running.ledger(to=phones["Testigo A"])) == sent + 1
    assert all(entry["count"] == 1 for phone in phones.values() for entry in running.ledger(to=phone))


def test_a_used_up_budget_leaves_it_to_a_person(running, person, clock, days):
    owner = person("owner@otra.test")
    owner.goto("/admin/crm/budget/")
    owner.locator("a[href*='/change/']").first.click()
    owner.fill("[name=monthly_limit]", "0")
    owner.locator("[name=_save]").click()
    about = {"phone_number_id": COUNTER, "from": "5511987002020", "name": "Bia Budget"}
    running.customer_writes(**about, text="quanto custa?")
    owner.goto("/inbox/?mode=all")
    expect(owner.locator(".conv", has_text="Bia Budget")).to_be_visible()
    bring_and_begin(owner, "Ventana abierta", SEQUENCES["Ventana abierta"], [about["from"]])
    days(1.5)
    stopped = story(owner, "Ventana abierta", "Bia Budget")
    expect(stopped.locator(".page__head .badge")).to_contain_text("espera a una persona")
    expect(stopped.locator(".timeline")).to_contain_text("El presupuesto de este mes no alcanza.")
    assert running.ledger(to=about["from"]) == []

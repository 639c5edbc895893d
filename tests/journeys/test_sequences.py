"""A follow-up from its writing to its end, with the clock moved ahead instead of days of waiting."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.journey
HOUR = 3600


def test_a_sequence_is_written_runs_asks_a_person_and_goes_on(running, person, clock):
    supervisor = person("supervisor@demo.test")
    supervisor.goto("/sequences/new/")
    supervisor.fill("[name=name]", "Seguimiento de prueba")
    supervisor.fill("[name=s0-text]", "Hola {first_name}, ¿pudiste ver la cotización?")
    supervisor.fill("[name=quiet_from]", "00:00")
    supervisor.fill("[name=quiet_to]", "00:00")
    supervisor.locator("button[value=add]").click()
    supervisor.fill("[name=s1-text]", "Último aviso, {first_name}")
    supervisor.fill("[name=s1-count]", "2")
    supervisor.select_option("[name=s1-unit]", "days")
    supervisor.fill("[name=s1-at]", "10:00")
    expect(supervisor.locator("[data-of=s1-text]")).to_have_text("Último aviso, Rosa")
    supervisor.locator("button[form=editor]").click()
    supervisor.locator("button[name=active][value='1']").click()
    expect(supervisor.locator(".badge--auto")).to_contain_text("v1")

    running.customer_writes(
        phone_number_id="100000000000001", **{"from": "51987001051"}, name="Selva Secuencia", text="¿cuánto cuesta?"
    )
    ana = person("ana@demo.test")
    ana.goto("/inbox/?mode=all")
    ana.locator(".conv", has_text="Selva Secuencia").click()
    ana.locator("#panel select[name=sequence]").select_option(label="Seguimiento de prueba")
    ana.locator("#panel .panel__do button", has_text="Empezar").click()
    expect(ana.locator("#panel .badge", has_text="en curso")).to_be_visible()

    clock(advance_s=HOUR + 60)
    expect(ana.locator(".msg--out", has_text="Hola Selva, ¿pudiste ver la cotización?")).to_be_visible(timeout=60_000)
    assert [entry["count"] for entry in running.ledger(to="51987001051")] == [1]

    clock(advance_s=4 * 24 * HOUR)
    for seconds in range(90):
        ana.goto("/pending/")
        if ana.locator(".pend", has_text="Selva Secuencia").count():
            break
        if seconds % 15 == 14:  # what is late is spread over half an hour
            clock(advance_s=HOUR)
        ana.wait_for_timeout(1000)
    expect(ana.locator(".clock-ahead")).to_be_visible()
    task = ana.locator(".pend", has_text="Selva Secuencia")
    expect(task).to_contain_text("La ventana estaba cerrada y el paso no tiene plantilla.")
    task.locator("button[value=done]").first.click()
    expect(ana.locator(".pend", has_text="Selva Secuencia")).to_have_count(0)

    supervisor.goto("/sequences/")
    supervisor.locator("tr", has_text="Seguimiento de prueba").locator("a", has_text="Personas").click()
    supervisor.locator("a", has_text="Selva Secuencia").click()
    expect(supervisor.locator(".timeline")).to_contain_text("Enviado como mensaje")
    expect(supervisor.locator(".timeline")).to_contain_text("Pasado a una persona")
    expect(supervisor.locator(".page__head .badge")).to_contain_text("terminada")
    assert len(running.ledger(to="51987001051")) == 1


def test_a_reply_pauses_it_at_once(running, person, clock):
    running.customer_writes(phone_number_id="100000000000001", **{"from": "51987001052"}, name="Pía Pausa", text="hola")
    ana = person("ana@demo.test")
    ana.goto("/inbox/?mode=all")
    ana.locator(".conv", has_text="Pía Pausa").click()
    ana.locator("#panel select[name=sequence]").select_option(label="Cotización sin respuesta")
    ana.locator("#panel .panel__do button", has_text="Empezar").click()
    expect(ana.locator("#panel .badge", has_text="en curso")).to_be_visible()

    running.customer_writes(
        phone_number_id="100000000000001", **{"from": "51987001052"}, name="Pía Pausa", text="ya la vi, gracias"
    )

    expect(ana.locator("#panel .badge", has_text="en pausa")).to_be_visible(timeout=60_000)
    expect(ana.locator("#panel")).to_contain_text("El cliente respondió.")


def test_a_form_whose_answer_is_under_way_is_not_pulled_away_by_what_arrives(running, person):
    """The customer writes just while the sequence is being begun: the panel shows that it has begun all the same."""
    about = {"phone_number_id": "100000000000001", "from": "51987001053", "name": "Iris Instante"}
    running.customer_writes(**about, text="hola")
    ana = person("ana@demo.test")
    ana.goto("/inbox/?mode=all")
    ana.locator(".conv", has_text="Iris Instante").click()
    ana.locator("#panel select[name=sequence]").select_option(label="Cotización sin respuesta")

    held = []
    ana.route("**/enrollments/", lambda route: held.append(route))
    ana.locator("#panel .panel__do button", has_text="Empezar").click()
    running.customer_writes(**about | {"name": "Iris Renombrada"}, text="¿están?")  # the panel changes with it
    expect(ana.locator("#log")).to_contain_text("¿están?")
    held[0].continue_()
    expect(ana.locator("#toasts")).to_contain_text("«Cotización sin respuesta» ha empezado.")
    expect(ana.locator("#panel .badge", has_text="en curso")).to_be_visible()

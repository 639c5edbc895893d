"""“Mi perfil”: sent from the inbox, filled in on the customer's phone, seen in the thread and on the contact."""

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.journey

ROSA = "51911002233"
NUMBER = "100000000000001"


def test_a_customer_fills_in_what_was_sent(person: Any, running: Any, browser: Browser):
    admin = person("admin@demo.test")
    admin.goto("/settings/flows/")
    expect(admin.get_by_role("row", name="Mi perfil").locator(".badge--ok")).to_be_visible()
    expect(admin.locator(".flag.is-ok")).to_have_count(3)

    running.customer_writes(phone_number_id=NUMBER, **{"from": ROSA}, name="Rosa Flores", type="text", text="Hola")
    ana = person("ana@demo.test")
    ana.locator(".list-row", has_text="Rosa Flores").first.get_by_role("link").first.click()
    choice = ana.locator(".composer__options", has=ana.locator("[name=flow]"))
    choice.locator("summary").click()
    choice.locator("[name=flow]").select_option(label="Mi perfil")
    choice.locator("[name=flow_label]").fill("Ver mis datos")
    ana.locator("#text").fill("¿Nos confirmas tus datos?")
    ana.locator("#composer").get_by_role("button", name="Enviar", exact=True).click()
    expect(ana.locator(".msg--out .msg__buttons", has_text="Ver mis datos").last).to_be_visible()

    phone = browser.new_context(locale="es-PE").new_page()
    phone.goto(f"{running.simulator}/?number={NUMBER}&customer={ROSA}")
    phone.get_by_role("button", name="Ver mis datos").click()
    expect(phone.locator("[name=name]")).to_have_value("Rosa Flores")
    phone.fill("[name=email]", "rosa@example.com")
    phone.fill("[name=birthday]", "2999-01-01")
    phone.fill("[name=city]", "Arequipa")
    phone.check("[name=contact_time][value=tarde]")
    phone.get_by_role("button", name="Guardar").click()
    expect(phone.get_by_role("alert")).to_be_visible()
    expect(phone.locator("[name=city]")).to_have_value("Arequipa")
    phone.fill("[name=birthday]", "1990-05-17")
    phone.get_by_role("button", name="Guardar").click()
    expect(phone.locator("#chat")).to_be_visible()

    answers = ana.locator(".answers")
    expect(answers).to_contain_text("Correo")
    expect(answers).to_contain_text("Por la tarde")
    ana.reload()
    expect(ana.locator("#panel, .side-panel, aside").filter(has_text="Arequipa").first).to_be_visible()

    phone.get_by_role("button", name="Ver mis datos").click()
    expect(phone.get_by_role("alert")).to_be_visible()
    phone.context.close()

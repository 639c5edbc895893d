"""A template from its writing to its pause: created, approved, sent with variables, paused, refused with the reason."""

import pytest
import requests
from playwright.sync_api import expect

pytestmark = pytest.mark.journey
VENTAS = "100000000000001"


def decide(running, **order) -> None:
    """Let Meta say something of a template."""
    requests.post(f"{running.simulator}/control/templates", json=order, timeout=10).raise_for_status()


def wait_for_status(page, name: str, status: str) -> None:
    for _second in range(60):
        page.goto(f"/templates/?q={name}")
        if page.locator("tbody tr", has_text=status).count():
            return
        page.wait_for_timeout(1000)
    raise AssertionError(f"{name} did not become {status}")


def test_a_template_is_written_approved_sent_paused_and_then_refused(running, person):
    supervisor = person("supervisor@demo.test", expects_refusals=True)
    supervisor.goto("/templates/new/")
    supervisor.fill("[name=name]", "recojo_en_tienda")
    supervisor.fill("input[name=language]", "es-pe")
    supervisor.fill("[name=body]", "{{first_name}}, tu pedido {{pedido}} te espera en la tienda de Miraflores")
    expect(supervisor.locator("#preview")).to_contain_text("te espera en la tienda")
    expect(supervisor.locator("#preview .notice")).to_be_visible()
    supervisor.fill("[name=body]", "Hola {{first_name}}, tu pedido {{pedido}} te espera en la tienda de Miraflores.")
    supervisor.fill("[name=ex-first_name]", "Rosa")
    supervisor.fill("[name=ex-pedido]", "NC-1042")
    expect(supervisor.locator("#preview .wa")).to_contain_text("Hola Rosa, tu pedido NC-1042 te espera")
    expect(supervisor.locator("#preview .notice")).to_have_count(0)
    supervisor.locator("button[value='add:QUICK_REPLY']").click()
    supervisor.fill("[name=b0-text]", "Ya voy")
    supervisor.locator("button[form=editor].btn--primary").click()
    supervisor.wait_for_url("**/templates/")
    wait_for_status(supervisor, "recojo_en_tienda", "Aprobada")
    expect(supervisor.locator("tbody tr")).to_contain_text("es_PE")

    running.customer_writes(phone_number_id=VENTAS, **{"from": "51987001079"}, name="Tula Tienda", text="¿ya está?")
    ana = person("ana@demo.test", expects_refusals=True)
    ana.goto("/inbox/?mode=all")
    ana.locator(".conv", has_text="Tula Tienda").click()
    ana.locator("#composer a[href*='write=template']").first.click()
    ana.locator(".chooser__opt", has_text="Recojo en tienda").click()
    expect(ana.locator("[name=var_first_name]")).to_have_value("Tula")
    ana.fill("[name=var_pedido]", "NC-7")
    ana.locator("#composer button[type=submit].btn--primary").click()
    expect(ana.locator(".msg--out", has_text="Hola Tula, tu pedido NC-7 te espera")).to_be_visible()
    for _try in range(60):
        if sent := running.ledger(to="51987001079"):
            break
        ana.wait_for_timeout(500)
    assert [(entry["type"], entry["count"]) for entry in sent] == [("template", 1)]

    decide(running, name="recojo_en_tienda", language="es_PE", event="PAUSED", quality="RED")
    wait_for_status(supervisor, "recojo_en_tienda", "Pausada")
    supervisor.locator("tbody a").first.click()
    expect(supervisor.locator(".notice--fail")).to_be_visible()

    ana.locator("#composer a[href*='write=template']").first.click()
    ana.locator(".chooser__opt", has_text="Recojo en tienda").click()
    expect(ana.locator("#composer .composer__error")).to_be_visible()
    expect(ana.locator("#composer button[type=submit].btn--primary")).to_have_count(0)

    ana.wait_for_timeout(1000)  # Meta tells of whole seconds: of two changes in one, the pause would stay
    decide(running, name="recojo_en_tienda", language="es_PE", event="APPROVED")
    wait_for_status(supervisor, "recojo_en_tienda", "Aprobada")

"""An admin connects a number that is not ready, puts right what it lacks, and customers reach it; no word of Meta's console."""

import re

import pytest
import requests
from playwright.sync_api import expect

pytestmark = pytest.mark.journey

MAYOR = {"phone_number_id": "100000000000004"}


def breaks(running, **conditions) -> None:
    requests.post(f"{running.simulator}/control/numbers", json=MAYOR | conditions, timeout=10).raise_for_status()


def test_a_number_is_connected_until_everything_is_green(running, person):
    breaks(running, registered=False, subscribed=False, callback_url="https://elsewhere.test/hook/", pin="246810")
    admin = person("admin@demo.test", expects_refusals=True)
    admin.goto("/numbers/")
    admin.locator(".page__head a.btn--primary").click()
    admin.fill("[name=waba_id]", "300000000000001")
    admin.fill("[name=token]", "EAAsim-demo-mayor-000004")
    admin.locator("#panel button[type=submit]").click()
    admin.check(f"[name=phone_number_id][value='{MAYOR['phone_number_id']}']")
    admin.fill("[name=alias]", "CL Mayor")
    admin.locator("#panel form button[type=submit]").click()

    admin.wait_for_url(re.compile(r"/numbers/[0-9a-f-]{36}/$"))
    check = admin.locator(".checks > li")
    expect(check).to_have_count(10)
    state = {
        kind: admin.locator(f".checks > li[data-kind={kind}]")
        for kind in ("registered", "subscribed", "address", "loop", "queue")
    }
    for kind in ("registered", "subscribed", "address", "queue"):
        expect(state[kind]).to_have_attribute("data-state", "fail")

    state["registered"].locator("[name=pin]").fill("246810")
    state["registered"].locator("button").click()
    expect(state["registered"]).to_have_attribute("data-state", "pass")
    state["subscribed"].locator("button").click()
    expect(state["subscribed"]).to_have_attribute("data-state", "pass")
    state["address"].locator("button").click()
    expect(state["address"]).to_have_attribute("data-state", "pass")
    state["queue"].locator("select").select_option(label="Ventas")
    expect(state["queue"]).to_have_attribute("data-state", "pass")

    state["loop"].locator("button").click()
    expect(state["loop"]).to_contain_text("esperando un mensaje")
    running.customer_writes(**MAYOR, **{"from": "56987009001"}, name="Mayorista Primera", text="¿precio por docena?")
    expect(state["loop"]).to_have_attribute("data-state", "pass")
    page = admin.url
    admin.locator(".checks > li[data-kind=flows] a").click()  # the demonstration has a form, so the number needs a key
    admin.locator(f"form[action$='/keys/{page.rstrip('/').split('/')[-1]}/'] button").first.click()
    for _ in range(40):
        admin.goto(page)
        if admin.locator(".checks > li[data-kind=flows][data-state=pass]").count():
            break
        admin.wait_for_timeout(300)
    expect(admin.locator(".checks > li[data-state=pass]")).to_have_count(10)

    ana = person("ana@demo.test")
    ana.goto("/inbox/?mode=all")
    expect(ana.locator(".conv", has_text="Mayorista Primera")).to_be_visible()


def test_an_alert_leads_to_what_solves_it_and_is_marked_as_seen(running, person):
    supervisor = person("supervisor@demo.test")
    running.customer_writes(
        phone_number_id="100000000000002",
        field="security",
        value={"display_phone_number": "5117001002", "event": "PIN_RESET_REQUEST", "requester": "1"},
    )
    alert = supervisor.locator(".notice", has_text="PE Soporte")
    for _ in range(120):
        supervisor.goto("/alerts/")
        if alert.count():
            break
        supervisor.wait_for_timeout(300)

    alert.locator("a.btn").click()
    expect(supervisor.locator("#panel h2")).to_have_text("PE Soporte")
    supervisor.go_back()
    alert.locator("form button").click()

    expect(alert.locator("button[name=do]")).to_have_attribute("value", "reopen")
    supervisor.goto("/alerts/")
    expect(supervisor.locator(".notice", has_text="PE Soporte")).to_have_count(0)

"""The pictures of the documentation, taken from a running demo: `.venv/bin/python -m tests.screenshots`.

A minute after its first start, when it has looked for blocks once.

`… -m tests.screenshots <address> <simulator> kinds` takes those of docs/whatsapp.md alone.
"""

import io
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import requests
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests import kinds

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "screenshots"
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def main(url: str, simulator: str, only: str = "") -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        if only != "kinds":
            _take_pages(browser, url, simulator)
        _take_kinds(browser, url, simulator)


def _take_kinds(browser: Browser, url: str, simulator: str) -> None:
    """Each scene of `tests.kinds` is played, and its thread and panel are taken, in few colours."""

    def write(**spec: Any) -> Any:
        answer = requests.post(f"{simulator}/control/inbound", json=spec, timeout=20)
        answer.raise_for_status()
        return answer.json()

    for scene in kinds.SCENES:
        kinds.play(scene, write)
    for scene in kinds.SCENES:
        size = {"width": 1360, "height": scene.height}
        page = _signed_in(browser, url, "ana@demo.test", viewport=size)
        page.goto("/inbox/?mode=all")
        page.locator("a.conv", has_text=scene.name).first.click()
        for kind in scene.kinds:
            kinds.found(page.locator("#inbox"), kind).first.wait_for()
        page.wait_for_timeout(1500)
        left = page.locator(".thread").bounding_box() or {"x": 0}
        clip = {"x": left["x"], "y": 0, "width": size["width"] - left["x"], "height": size["height"]}
        taken = Image.open(io.BytesIO(page.screenshot(clip=clip)))
        taken.convert("RGB").quantize(96).save(FOLDER / f"{scene.picture}.png", optimize=True)
        page.context.close()


def _take_pages(browser: Browser, url: str, simulator: str) -> None:
    page = _signed_in(browser, url, "ana@demo.test")
    _take_inbox(page, "inbox")
    page.goto("/inbox/?mode=triage")
    _shoot(page, "triage")
    page = _signed_in(browser, url, "ana@demo.test", color_scheme="dark")
    _take_inbox(page, "inbox-dark")
    page = _signed_in(browser, url, "ana@demo.test", viewport=NARROW)
    page.goto("/inbox/")
    _shoot(page, "inbox-narrow")
    page.locator("a.conv").nth(2).click()
    _shoot(page, "thread-narrow")
    page = _signed_in(browser, url, "supervisor@demo.test")
    page.goto("/inbox/?mode=all&q=pinedo")
    page.locator("a.conv", has=page.locator(".win[data-state=closed]")).first.click()
    _shoot(page, "closed-window")
    _take_files(page, "media")
    page.goto("/dashboard/")
    _shoot(page, "dashboard")
    page.goto("/issues/")
    _shoot(page, "issues")
    page.goto("/broadcasts/")
    _shoot(page, "broadcasts")
    page.locator("td a.link", has_text="Sierra").click()
    _shoot(page, "broadcast")
    page.goto("/broadcasts/new/")
    _shoot(page, "broadcast-new")
    page.goto("/templates/")
    _shoot(page, "templates")
    page.locator("td a.link", has_text="Carrito v3").click()
    page.locator(".page__head a.btn--primary").click()
    _shoot(page, "template-editor")
    page.goto("/pending/")
    _shoot(page, "pending")
    page.goto("/sequences/")
    _shoot(page, "sequences")
    page.locator(".table a.link", has_text="Cotización").click()
    _shoot(page, "sequence-editor")
    page.locator(".page__head a", has_text="Probar").click()
    _shoot(page, "sequence-try")
    page.goto("/sequences/")
    page.locator("tr", has_text="Cotización").locator("a", has_text="Personas").click()
    page.locator("details.card > summary").click()
    _shoot(page, "sequence-people")
    page.locator("tbody tr", has_text="espera a una persona").locator("a").first.click()
    _shoot(page, "enrollment")
    page = _signed_in(browser, url, "supervisor@demo.test", color_scheme="dark")
    _take_files(page, "media-dark")
    page.goto("/dashboard/")
    _shoot(page, "dashboard-dark")
    page.goto("/pending/")
    _shoot(page, "pending-dark")
    page = _signed_in(browser, url, "supervisor@demo.test", viewport=NARROW)
    page.goto("/pending/")
    _shoot(page, "pending-narrow")
    page = _signed_in(browser, url, "admin@demo.test")
    page.goto("/admin/whatsapp/number/")
    _shoot(page, "admin-numbers")
    page = _new_page(browser, url)
    page.goto("/accounts/login/")
    _shoot(page, "login")
    page.goto(simulator)
    page.get_by_text("Valentina Muñoz").first.click()
    _shoot(page, "simulator")


def _take_inbox(page: Page, name: str) -> None:
    page.goto("/inbox/")
    page.locator("a.conv").nth(1).click()
    _shoot(page, name)


def _take_files(page: Page, name: str) -> None:
    """A thread with a photo that came, and one about to go."""
    page.goto("/inbox/?mode=all&q=constanza")
    page.locator("a.conv").first.click()
    page.locator(".msg a.media img").first.wait_for()
    page.locator("[data-files]").set_input_files(str(FOLDER / "login.png"))
    page.fill("#text", "Así se ve en nuestra tienda")
    _shoot(page, name)


def _new_page(browser: Browser, url: str, **options: Any) -> Page:
    settings = {"viewport": WIDE, "locale": "es-PE", "timezone_id": "America/Lima", "color_scheme": "light"} | options
    return browser.new_context(base_url=url, **settings).new_page()


def _signed_in(browser: Browser, url: str, email: str, **options: Any) -> Page:
    page = _new_page(browser, url, **options)
    page.goto("/accounts/login/")
    page.fill("[name=login]", email)
    page.fill("[name=password]", os.environ.get("DEMO_PASSWORD", "demo-password"))
    page.locator("[name=password]").press("Enter")
    page.wait_for_url(lambda address: "/accounts/login" not in address)
    return page


def _shoot(page: Page, name: str) -> None:
    page.wait_for_timeout(1200)
    page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["http://localhost:8000", "http://localhost:8010"]))

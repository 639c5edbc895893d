"""Every kind of message that a customer, or our own phone, can send arrives in the inbox and is shown as what it is."""

import pytest
from playwright.sync_api import expect

from tests import kinds

pytestmark = pytest.mark.journey


@pytest.mark.parametrize("scene", kinds.SCENES, ids=lambda scene: scene.picture)
def test_each_kind_of_message_is_seen_in_the_inbox(running, person, scene):
    kinds.play(scene, running.customer_writes)

    ana = person("ana@demo.test", height=scene.height)
    ana.goto("/inbox/?mode=all")
    ana.locator(".conv", has_text=scene.name).click()
    for kind in scene.kinds:
        expect(kinds.found(ana.locator("#inbox"), kind).first, kind.name).to_be_visible()

    # Closed, so that they stand before nobody whom another journey looks for.
    ana.locator(".thread__actions form[action$='/closure/'] button").click()
    expect(ana.locator(".activity").last).to_contain_text("cerró")

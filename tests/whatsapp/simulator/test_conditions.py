"""What a number needs before it works, broken one by one, and mended by what the application does about it."""

import pytest

from tests.whatsapp.simulator.conftest import NUMBER, TOKEN, Application, Business
from whatsapp.simulator.process import Refused, Simulator, wait_until

ACCOUNT = "300000000000001"
ELSEWHERE = "https://elsewhere.test/hook/"


def breaks(simulator: Simulator, **conditions) -> dict:
    return simulator.call("POST", "/control/numbers", {"phone_number_id": NUMBER, **conditions})


def code_of(refused: pytest.ExceptionInfo) -> int:
    return refused.value.body["error"]["code"]


@pytest.mark.parametrize("state", ["invalid", "expired"])
def test_a_token_that_is_dead_sends_nothing_and_says_so(simulator: Simulator, business: Business, state: str):
    breaks(simulator, token_state=state)

    with pytest.raises(Refused) as refused:
        business.text("51912345678")

    assert code_of(refused) == 190
    told = simulator.call("GET", f"/v25.0/debug_token?input_token={TOKEN}", token=TOKEN)["data"]
    assert told["is_valid"] is False


def test_a_token_without_a_permission_may_not_do_what_it_is_for(simulator: Simulator, business: Business):
    breaks(simulator, scopes=["whatsapp_business_management"])
    with pytest.raises(Refused) as refused:
        business.text("51912345678")
    assert code_of(refused) == 200

    breaks(simulator, scopes=["whatsapp_business_messaging"])
    with pytest.raises(Refused) as refused:
        simulator.call("GET", f"/v25.0/{NUMBER}", token=TOKEN)
    assert code_of(refused) == 200


def test_a_number_that_is_not_registered_sends_once_it_is(simulator: Simulator, business: Business):
    breaks(simulator, registered=False, pin="123456")
    with pytest.raises(Refused) as refused:
        business.text("51912345678")
    assert code_of(refused) == 133010

    path = f"/v25.0/{NUMBER}/register"
    with pytest.raises(Refused) as refused:
        simulator.call("POST", path, {"pin": "000000"}, token=TOKEN)
    assert code_of(refused) == 133005
    simulator.call("POST", path, {"pin": "123456"}, token=TOKEN)

    assert business.text("51912345678")


def test_nothing_is_announced_until_the_app_is_subscribed(simulator: Simulator, application: Application):
    breaks(simulator, subscribed=False)
    (unheard,) = simulator.inbound(phone_number_id=NUMBER, sender="51912345678", text="¿hola?")
    simulator.call("POST", f"/v25.0/{ACCOUNT}/subscribed_apps", {}, token=TOKEN)
    (heard,) = simulator.inbound(phone_number_id=NUMBER, sender="51912345678", text="¿y ahora?")

    application.message(heard)
    assert unheard not in [message["id"] for message in application.messages()]


def test_webhooks_go_where_the_number_is_directed_to(simulator: Simulator, application: Application):
    breaks(simulator, callback_url=ELSEWHERE)
    simulator.inbound(phone_number_id=NUMBER, sender="51912345678", text="¿hola?")
    wait_until(lambda: simulator.call("GET", "/control/state")["webhooks"]["under_way"] == 0)
    assert application.messages() == []
    shown = simulator.call("GET", f"/v25.0/{NUMBER}?fields=webhook_configuration", token=TOKEN)
    assert shown["webhook_configuration"]["phone_number"] == ELSEWHERE

    address = {"override_callback_uri": f"{application.url}/webhooks/whatsapp/", "verify_token": "local-verify-token"}
    simulator.call("POST", f"/v25.0/{NUMBER}", {"webhook_configuration": address}, token=TOKEN)

    (heard,) = simulator.inbound(phone_number_id=NUMBER, sender="51912345678", text="¿y ahora?")
    application.message(heard)


def test_an_address_that_does_not_know_the_verify_token_is_not_taken(simulator: Simulator, application: Application):
    address = {"override_callback_uri": f"{application.url}/webhooks/whatsapp/", "verify_token": "another"}

    with pytest.raises(Refused) as refused:
        simulator.call("POST", f"/v25.0/{NUMBER}", {"webhook_configuration": address}, token=TOKEN)

    assert code_of(refused) == 2200


def test_a_system_users_token_is_exchanged_and_the_new_one_works(simulator: Simulator, business: Business):
    breaks(simulator, token_expires_at=1_800_000_000)
    query = "grant_type=fb_exchange_token&client_id=1&client_secret=s&set_token_expires_in_60_days=true"

    fresh = simulator.call("GET", f"/v25.0/oauth/access_token?{query}&fb_exchange_token={TOKEN}", token=TOKEN)

    assert fresh["expires_in"] == 60 * 24 * 3600
    assert business.text("51912345678", token=fresh["access_token"])
    assert business.text("51912345678", token=TOKEN)  # the old one lives to its own end


def test_a_condition_that_does_not_exist_is_refused(simulator: Simulator):
    with pytest.raises(Refused) as refused:
        breaks(simulator, registred=False)

    assert refused.value.status == 400 and "registered" in refused.value.body["error"]

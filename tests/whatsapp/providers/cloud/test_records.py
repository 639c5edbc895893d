from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.whatsapp.providers.meta import Meta, meta
from whatsapp.providers.base import Account, BusinessProfile, OutcomeUnknown
from whatsapp.providers.cloud import Cloud


@pytest.fixture
def graph_api() -> Iterator[Meta]:
    with meta() as there:
        yield there


@pytest.fixture
def account(graph_api) -> Account:
    return Account(number_id="100", business_id="900", token="number-token", api_url=graph_api.url)


def template(name: str, language: str = "es") -> dict:
    return {"id": "1", "name": name, "language": language, "status": "APPROVED", "category": "UTILITY"}


def test_templates_come_from_all_pages(graph_api, account):
    graph_api.answers_in_turn(
        {
            "data": [template("one"), template("two", "pt-BR")],
            "paging": {"cursors": {"after": "A"}, "next": f"{graph_api.url}/elsewhere?access_token=leak"},
        },
        {"data": [template("three")], "paging": {"cursors": {"after": "B"}}},
    )

    templates = list(Cloud().fetch_templates(account))

    assert [(found.name, found.language) for found in templates] == [("one", "es"), ("two", "pt_BR"), ("three", "es")]
    assert [asked.path.partition("?")[0] for asked in graph_api.asked] == ["/v25.0/900/message_templates"] * 2
    assert "after=A" in graph_api.asked[1].path


def test_a_list_whose_cursor_does_not_move_ends(graph_api, account):
    same = {"data": [template("one")], "paging": {"cursors": {"after": "A"}, "next": "again"}}
    graph_api.answers(200, same)

    assert len(list(Cloud().fetch_templates(account))) == 2


@pytest.mark.parametrize(
    "answer", [{}, {"data": None}, {"data": {}}, {"data": [None, {}, {"name": "x"}]}, {"data": [], "paging": []}]
)
def test_a_list_of_another_shape_is_empty(graph_api, account, answer):
    graph_api.answers(200, answer)

    assert list(Cloud().fetch_templates(account)) == []


def test_a_template_keeps_what_reviewers_said(graph_api, account):
    graph_api.answers(
        200,
        {
            "data": [
                {
                    **template("promo"),
                    "status": "REJECTED",
                    "rejected_reason": "PROMOTIONAL",
                    "quality_score": {"score": "RED", "date": 1},
                    "parameter_format": "NAMED",
                    "components": [{"type": "BODY", "text": "Hola {{nombre}}"}],
                }
            ]
        },
    )

    (promo,) = Cloud().fetch_templates(account)

    assert (promo.status, promo.rejected_reason, promo.quality, promo.parameter_format) == (
        "REJECTED",
        "PROMOTIONAL",
        "RED",
        "NAMED",
    )
    assert promo.components == [{"type": "BODY", "text": "Hola {{nombre}}"}]


NUMBER = {
    "id": "100",
    "display_phone_number": "+51 900 555 001",
    "verified_name": "Botas",
    "status": "CONNECTED",
    "quality_rating": "GREEN",
    "throughput": {"level": "HIGH"},
    "is_on_biz_app": True,
    "platform_type": "CLOUD_API",
    "health_status": {
        "can_send_message": "BLOCKED",
        "entities": [
            {"entity_type": "WABA", "errors": [{"error_description": "No card.", "possible_solution": "Add one."}]},
            {"entity_type": "APP", "additional_info": ["Wait."]},
        ],
    },
}


def test_a_number_tells_its_state_and_what_hinders_it(graph_api, account):
    graph_api.answers(200, NUMBER)

    number = Cloud().fetch_number(account)

    assert (number.phone, number.name, number.quality, number.throughput) == ("51900555001", "Botas", "GREEN", "HIGH")
    assert number.is_coexistent
    assert (number.can_send, number.obstacles) == ("BLOCKED", ("No card. Add one.", "Wait."))
    assert "health_status" in graph_api.asked[0].path


def test_all_numbers_of_the_business_account(graph_api, account):
    graph_api.answers(200, {"data": [NUMBER, {"id": "101"}, {"display_phone_number": "no id"}]})

    assert [number.number_id for number in Cloud().fetch_numbers(account)] == ["100", "101"]
    assert graph_api.asked[0].path.startswith("/v25.0/900/phone_numbers?")


def test_an_answer_without_a_number_is_no_number(graph_api, account):
    graph_api.answers(200, {"id": None})

    with pytest.raises(OutcomeUnknown):
        Cloud().fetch_number(account)


def test_a_token_tells_its_end_and_its_reach(graph_api, account):
    graph_api.answers(
        200,
        {
            "data": {
                "app_id": "7",
                "type": "SYSTEM_USER",
                "is_valid": True,
                "expires_at": 1763726400,
                "data_access_expires_at": 0,
                "scopes": ["whatsapp_business_messaging", "whatsapp_business_management"],
                "granular_scopes": [
                    {"scope": "whatsapp_business_messaging", "target_ids": ["900"]},
                    {"scope": "whatsapp_business_management"},
                ],
            }
        },
    )

    facts = Cloud().inspect_token(account, app_id="7", app_secret="app-secret")

    assert facts.is_valid
    assert facts.expires_at == datetime(2025, 11, 21, 12, tzinfo=UTC)
    assert facts.data_access_expires_at is None
    assert facts.targets == {"whatsapp_business_messaging": ("900",)}
    assert graph_api.asked[0].headers["Authorization"] == "Bearer 7|app-secret"


def test_a_token_that_is_not_valid(graph_api, account):
    graph_api.answers(200, {"data": {"is_valid": False}})

    assert not Cloud().inspect_token(account).is_valid
    assert graph_api.asked[0].headers["Authorization"] == "Bearer number-token"


def test_reading_and_typing(graph_api, account):
    graph_api.answers(200, {"success": True})

    Cloud().mark_read(account, message_id="wamid.1", typing=True)

    assert graph_api.asked[0].body["typing_indicator"] == {"type": "text"}


@pytest.mark.parametrize(
    ("configuration", "url"),
    [
        ({"application": "https://app.test/"}, "https://app.test/"),
        ({"application": "https://app.test/", "whatsapp_business_account": "https://waba.test/"}, "https://waba.test/"),
        (
            {"application": "a", "whatsapp_business_account": "w", "phone_number": "https://phone.test/"},
            "https://phone.test/",
        ),
        ({"application": "", "phone_number": ""}, ""),
        ({}, ""),
        ([], ""),
        ({"phone_number": {"x": 1}}, ""),
    ],
)
def test_the_narrowest_webhook_address_is_the_one_that_counts(graph_api, account, configuration, url):
    graph_api.answers(200, {"id": "100", "webhook_configuration": configuration})

    assert Cloud().fetch_number(account).webhook_url == url


def test_the_apps_that_hear_of_an_account(graph_api, account):
    graph_api.answers(200, {"data": [{"whatsapp_business_api_data": {"id": "7", "name": "Ventana"}}, {"x": 1}, None]})

    assert Cloud().fetch_subscribers(account) == ["7"]
    assert graph_api.asked[0].path == "/v25.0/900/subscribed_apps"


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": {}}])
def test_an_answer_that_lists_no_apps_is_no_answer(graph_api, account, answer):
    graph_api.answers(200, answer)

    with pytest.raises(OutcomeUnknown):
        Cloud().fetch_subscribers(account)


def test_what_is_put_right_is_asked_of_meta_as_it_documents(graph_api, account):
    graph_api.answers(200, {"success": True})
    cloud = Cloud()

    cloud.subscribe(account)
    cloud.register(account, pin="123456")
    cloud.direct_webhooks(account, url="https://us.test/webhooks/whatsapp/", verify_token="word")

    assert [(asked.method, asked.path, asked.body) for asked in graph_api.asked] == [
        ("POST", "/v25.0/900/subscribed_apps", {}),
        ("POST", "/v25.0/100/register", {"messaging_product": "whatsapp", "pin": "123456"}),
        (
            "POST",
            "/v25.0/100",
            {
                "webhook_configuration": {
                    "override_callback_uri": "https://us.test/webhooks/whatsapp/",
                    "verify_token": "word",
                }
            },
        ),
    ]


def test_a_profile_is_read_and_written(graph_api, account):
    graph_api.answers(200, {"data": [{"about": "Hola", "websites": ["https://a.test", 7], "vertical": "RETAIL"}]})
    profile = Cloud().fetch_profile(account)
    assert profile == BusinessProfile(about="Hola", websites=("https://a.test", "7"), vertical="RETAIL")

    Cloud().update_profile(account, profile=BusinessProfile(about="", websites=("https://b.test",)))

    assert graph_api.asked[-1].body == {
        "messaging_product": "whatsapp", "about": "", "address": "", "description": "", "email": "",
        "websites": ["https://b.test"],
    }  # fmt: skip


@pytest.mark.parametrize("answer", [{}, {"data": []}, {"data": [{}]}, {"data": [{"websites": "x", "about": None}]}])
def test_a_profile_that_nobody_wrote_is_empty(graph_api, account, answer):
    graph_api.answers(200, answer)

    assert Cloud().fetch_profile(account) == BusinessProfile()


def test_a_token_is_exchanged_and_never_shown(graph_api, account):
    graph_api.answers(200, {"access_token": "EAAnew", "expires_in": 5_183_944})
    fresh = Cloud().refresh_token(account, app_id="77", app_secret="s3cret")

    assert fresh.token == "EAAnew" and "EAAnew" not in repr(fresh)
    assert timedelta(days=59) < fresh.expires_at - datetime.now(UTC) < timedelta(days=61)


@pytest.mark.parametrize("seconds", [None, 0, -1, "soon", True, 10**12])
def test_a_token_without_an_end_never_expires(graph_api, account, seconds):
    graph_api.answers(200, {"access_token": "EAAnew", "expires_in": seconds})

    assert Cloud().refresh_token(account, app_id="77", app_secret="s").expires_at is None

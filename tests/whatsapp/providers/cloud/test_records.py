from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.whatsapp.providers.meta import Meta, meta
from whatsapp.providers.base import Account, OutcomeUnknown
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

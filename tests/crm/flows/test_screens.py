"""A phone fills in “Mi perfil”: every action, every end of a token, and what may not be written."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from crm.models import Contact
from tests.crm.flows.conftest import TOKEN, published
from whatsapp.flows import exchanging, keys
from whatsapp.models import FlowToken

pytestmark = pytest.mark.django_db

GIVEN = {
    "name": "Rosa Quispe Mamani",
    "email": "rosa@example.com",
    "birthday": "1990-05-17",
    "city": "Cusco",
    "contact_time": "tarde",
}
TWO_SCREENS = json.dumps(
    {
        "version": "7.3",
        "data_api_version": "3.0",
        "routing_model": {"WHO": ["WHAT"], "WHAT": []},
        "screens": [
            {"id": "WHO", "data": {"city": {"type": "string"}}, "refresh_on_back": True,
             "layout": {"children": [{"type": "TextInput", "name": "city", "label": "City", "required": True}]}},
            {"id": "WHAT", "terminal": True, "data": {"likes": {"type": "array"}},
             "layout": {"children": [{"type": "If", "then": [
                 {"type": "CheckboxGroup", "name": "likes", "label": "Likes",
                  "data-source": [{"id": "run", "title": "Running"}, {"id": "hike", "title": "Hiking"}]}]}]}},
        ],
    }
)  # fmt: skip


def said(action: str, screen: str = "PERFIL", *, token: str = TOKEN, **data: Any) -> dict[str, Any]:
    return {"version": "3.0", "action": action, "screen": screen, "data": data, "flow_token": token}


def contact(company: Any, talk: Any) -> Contact:
    with company.transaction():
        return Contact.objects.get(pk=talk.contact_id)


def test_it_opens_with_what_we_know(phone):
    status, answer = phone.says(said("INIT", ""))

    assert status == 200
    assert answer == {
        "screen": "PERFIL",
        "data": {"name": "Rosa Quispe", "email": "", "birthday": "", "city": "Arequipa", "contact_time": ""},
    }


def test_what_is_handed_in_is_on_the_contact_and_the_flow_ends(ours, talk, phone):
    status, answer = phone.says(said("data_exchange", **GIVEN))

    assert status == 200
    assert answer["screen"] == "SUCCESS"
    assert answer["data"]["extension_message_response"]["params"] == GIVEN | {"flow_token": TOKEN}
    rosa = contact(ours, talk)
    assert rosa.name == "Rosa Quispe Mamani"
    assert rosa.attributes == {
        "city": "Cusco", "vip": "yes", "email": "rosa@example.com", "birthday": "1990-05-17", "contact_time": "tarde",
    }  # fmt: skip


def test_an_emptied_field_is_forgotten_and_an_emptied_name_stays(ours, talk, phone):
    phone.says(said("data_exchange", city=""))

    rosa = contact(ours, talk)
    assert rosa.name == "Rosa Quispe" and rosa.attributes == {"vip": "yes"}


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "rosa at example"), ("birthday", "yesterday"), ("birthday", "2999-01-01"), ("name", "")],
)
def test_what_cannot_be_is_said_on_the_same_screen_and_nothing_is_written(ours, talk, phone, field, value):
    status, answer = phone.says(said("data_exchange", **GIVEN | {field: value}))

    assert status == 200 and answer["screen"] == "PERFIL" and answer["data"]["error_message"]
    assert answer["data"]["city"] == "Cusco"  # nothing that was filled in is lost
    assert contact(ours, talk).attributes == {"city": "Arequipa", "vip": "yes"}
    assert phone.says(said("data_exchange", **GIVEN))[1]["screen"] == "SUCCESS"


def test_only_what_the_form_asks_is_written(ours, talk, phone):
    phone.says(said("data_exchange", **GIVEN, vip="no", phone="51999", id="1"))

    rosa = contact(ours, talk)
    assert rosa.attributes["vip"] == "yes" and "phone" not in rosa.attributes


def test_what_no_database_takes_is_left_out(ours, talk, phone):
    status, _answer = phone.says(said("data_exchange", city="Cus\x00co \ud83d" + "x" * 5_000))

    assert status == 200
    assert contact(ours, talk).attributes["city"].startswith("Cusco xxx")
    assert len(contact(ours, talk).attributes["city"]) <= 1_000


class TestTwoScreens:
    @pytest.fixture(autouse=True)
    def flow(self, ours, talk, phone):
        with ours.transaction():
            flow = published(ours, TWO_SCREENS, name="Two screens", flow_id="4412")
            exchanging.invite([exchanging.Invitation(flow.pk, ours.number.pk, talk.pk, "two")], now=timezone.now())

    def test_the_first_leads_to_the_second_and_that_to_the_end(self, ours, talk, phone):
        first = phone.says(said("INIT", "", token="two"))[1]
        second = phone.says(said("data_exchange", "WHO", token="two", city="Puno"))[1]
        last = phone.says(said("data_exchange", "WHAT", token="two", likes=["run", "hike"]))[1]

        assert first == {"screen": "WHO", "data": {"city": "Arequipa"}}
        assert second == {"screen": "WHAT", "data": {"likes": []}}
        assert last["screen"] == "SUCCESS"
        assert contact(ours, talk).attributes == {"city": "Puno", "vip": "yes", "likes": "run, hike"}

    def test_back_shows_the_one_before_as_it_is_now(self, phone):
        phone.says(said("data_exchange", "WHO", token="two", city="Puno"))

        assert phone.says(said("BACK", "WHAT", token="two"))[1] == {"screen": "WHO", "data": {"city": "Puno"}}

    def test_what_was_chosen_once_is_chosen_again(self, ours, talk, phone):
        with ours.transaction():
            Contact.objects.filter(pk=talk.contact_id).update(attributes={"likes": "run, hike"})

        second = phone.says(said("data_exchange", "WHO", token="two", city="Puno"))[1]

        assert second["data"] == {"likes": ["run", "hike"]}


class TestTokens:
    def over(self, answer: tuple[int, Any]) -> bool:
        status, body = answer
        return status == 427 and set(body) == {"error_msg"} and len(body["error_msg"]) > 10

    def test_an_unknown_one_is_over(self, phone):
        assert self.over(phone.says(said("INIT", token="unused")))
        assert self.over(phone.says({"version": "3.0", "action": "INIT"}))

    def test_an_expired_one_is_over(self, ours, phone):
        with ours.transaction():
            FlowToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

        assert self.over(phone.says(said("INIT")))

    def test_a_used_one_is_over(self, phone):
        phone.says(said("data_exchange", **GIVEN))

        assert self.over(phone.says(said("INIT")))
        assert self.over(phone.says(said("data_exchange", **GIVEN | {"city": "Lima"})))

    def test_the_last_request_repeated_gets_the_same_answer(self, phone):
        """WhatsApp repeats a request whose answer was lost."""
        first = phone.says(said("data_exchange", **GIVEN))

        assert phone.says(said("data_exchange", **GIVEN)) == first

    def test_another_companys_is_over(self, theirs, phone):
        with theirs.transaction():
            flow = published(theirs)
            exchanging.invite([exchanging.Invitation(flow.pk, theirs.number.pk, flow.pk, "theirs")], now=timezone.now())

        assert self.over(phone.says(said("INIT", token="theirs")))

    def test_of_a_conversation_that_is_gone_it_is_over(self, ours, profile, phone):
        with ours.transaction():
            exchanging.invite(
                [exchanging.Invitation(profile.pk, ours.number.pk, profile.pk, "gone")], now=timezone.now()
            )

        assert self.over(phone.says(said("INIT", token="gone")))

    def test_it_is_not_kept_in_the_clear(self, ours, phone):
        with ours.transaction():
            assert TOKEN not in str(FlowToken.objects.values_list().get())


def test_a_key_replaced_in_between_loses_no_exchange(ours, talk, phone):
    phone.says(said("INIT"))
    with ours.transaction():
        keys.put_into_use(keys.prepare(number=ours.number), timezone.now())

    assert phone.says(said("data_exchange", **GIVEN))[1]["screen"] == "SUCCESS"
    assert contact(ours, talk).attributes["city"] == "Cusco"

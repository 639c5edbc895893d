"""What others have fallen into, each with the test that keeps us out of it.

The numbers are those of the list of traps that the product was built against: defects that real WhatsApp integrations have
had (Meta's own documentation names none of them). A test that is renamed or taken away must leave this list on purpose.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]

CLOUD = "whatsapp/providers/cloud"
TRAPS = {
    "1 only the first entry, change or message is read": [
        "crm/inbound/test_draining.py::test_every_entry_change_and_message_of_one_post_counts",
        f"{CLOUD}/test_webhook_hostile.py::test_a_thousand_updates_come_out_in_their_order",
    ],
    "2 a status dies of a missing contact or name": [
        f"{CLOUD}/test_webhook_hostile.py::test_missing_or_broken_contacts_cost_no_message",
        f"{CLOUD}/test_webhook.py::test_in_a_group_the_recipient_is_the_participant",
    ],
    "3 a late webhook takes a status back": [
        "crm/inbound/test_statuses.py::test_a_late_sent_does_not_undo_read",
        "crm/inbound/test_statuses.py::test_every_order_of_every_set_of_statuses_ends_in_the_same_row",
    ],
    "4 one bad part costs the whole payload": [
        f"{CLOUD}/test_webhook_hostile.py::test_a_broken_part_costs_no_message",
        "faults/test_webhooks.py::test_one_webhook_that_cannot_be_merged_stops_no_other",
    ],
    "5 a duplicate that comes while the first is under way, or days later": [
        "crm/inbound/test_people.py::test_ten_identical_deliveries_on_several_workers_are_one_message_each",
        "faults/test_webhooks.py::test_the_same_webhook_eight_days_later",
    ],
    "6 an album becomes several contacts or conversations": [
        "crm/inbound/test_draining.py::test_an_album_in_one_batch_is_one_conversation",
        "crm/inbound/test_people.py::test_two_workers_that_meet_a_new_person_at_once_make_one_contact",
    ],
    "7 a file that fails once is lost for good": [
        "crm/media/test_incoming.py::test_a_hundred_files_of_which_a_third_of_the_downloads_break_all_arrive",
    ],
    "8 files are sent by link": ["crm/media/test_outgoing.py::test_a_photo_goes_once_its_file_was_handed_over"],
    "9 a file is fetched in two steps, the second with the token": [
        "whatsapp/providers/test_downloading.py::test_the_token_goes_to_trusted_hosts_alone",
    ],
    "10 who has no phone is dropped or not seen": [
        "crm/inbound/test_draining.py::test_a_person_without_any_phone_is_a_contact",
        "crm/outbound/test_dispatching.py::test_somebody_known_by_user_id_only_is_written_to_by_it",
    ],
    "11 the spellings of a Brazilian, Argentine or Mexican phone": [
        "crm/inbound/test_draining.py::test_national_variants_of_a_phone_are_one_person",
        f"{CLOUD}/test_client.py::test_an_accepted_message_tells_its_id_and_whom_meta_found",
    ],
    "12 what a phone sent is ignored, or its past begins something": [
        "crm/inbound/test_coexistence.py::test_the_past_is_there_and_asks_for_nothing",
        "crm/inbound/test_coexistence.py::test_the_past_begins_no_sequence",
        f"{CLOUD}/test_webhook.py::test_what_was_typed_on_the_phone_is_an_echo",
    ],
    "13 the answer of a Flow is lost, or shown as “Sent”": [
        f"{CLOUD}/test_webhook.py::test_the_answers_of_a_form_do_not_show_its_token",
    ],
    "14 a reaction is ignored, or a message": [
        "crm/inbound/test_draining.py::test_a_reaction_is_on_its_message_and_is_no_message",
    ],
    "15 an unsupported or new type breaks something": [
        f"{CLOUD}/test_webhook_hostile.py::test_any_json_is_read_without_raising",
        "crm/views/test_contents.py::test_each_kind_is_shown_as_what_it_is",
    ],
    "16 why a message failed is thrown away": [
        f"{CLOUD}/test_webhook.py::test_a_failure_keeps_its_errors",
        "crm/inbound/test_statuses.py::test_a_failure_says_why_in_our_words",
    ],
    "17 a line break, a tab or many spaces in a template's parameter": [
        "crm/outbound/test_composing.py::test_every_variable_of_a_template_needs_a_value_that_meta_takes",
    ],
    "18 a template whose variables are named, or of which our copy is stale": [
        "crm/api/test_messages.py::test_named_variables_go_out_by_name",
        "whatsapp/test_tasks.py::test_a_template_keeps_its_row_when_it_changes_or_goes",
    ],
    "19 the app is not subscribed, or an override comes before the subscription": [
        "whatsapp/test_check_numbers.py::test_what_is_wrong_with_a_number",
        "whatsapp/simulator/test_management.py::test_an_override_needs_a_subscription_first",
    ],
    "20 a token's details are taken for granted, or stand in a log": [
        f"{CLOUD}/test_records.py::test_a_token_tells_its_end_and_its_reach",
        "whatsapp/test_connecting.py::test_a_provider_that_will_not_talk_about_tokens_is_no_problem",
        f"{CLOUD}/test_client.py::test_no_trouble_shows_the_token_the_phone_or_the_words",
    ],
    "21 a 200 is taken as delivered": [
        f"{CLOUD}/test_client.py::test_a_200_that_names_no_message_is_unknown",
        "crm/outbound/test_dispatching.py::test_an_accepted_message_has_whatsapps_id_and_carries_our_reference",
    ],
    "22 a status comes before the message's id is known": [
        "crm/inbound/test_statuses.py::test_statuses_that_come_before_the_messages_id_end_in_the_same_row",
    ],
    "23 a template's status is known from webhooks alone": [
        "whatsapp/test_tasks.py::test_templates_are_mirrored_for_each_company_by_its_own_token",
    ],
    "24 without a secret nothing is checked": [
        "whatsapp/test_intake.py::test_without_a_secret_nothing_is_genuine",
        f"{CLOUD}/test_webhook.py::test_without_a_secret_nothing_is_genuine",
    ],
    "25 131050 is read as a block, or a block is never seen": [
        "crm/test_suspecting.py::test_what_is_no_block_is_no_evidence",
        "crm/test_blocking.py::test_two_misses_are_probable_and_three_very_likely",
    ],
    "26 a provider's webhook without authentication": [
        "whatsapp/test_intake.py::test_a_provider_that_cannot_be_verified_has_no_address",
    ],
    "27 what is free is subtracted twice": ["whatsapp/test_pricing.py::test_what_was_charged_is_what_the_provider_says"],
}  # fmt: skip


@cache
def names_in(path: Path) -> frozenset[str]:
    return frozenset(
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_has_its_tests(trap):
    for name in TRAPS[trap]:
        path, _colons, function = name.partition("::")
        assert function in names_in(TESTS / path), f"{name} is gone: what keeps us out of “{trap}” now?"


def test_no_trap_is_left_out():
    numbers = [int(trap.split()[0]) for trap in TRAPS]
    assert numbers == list(range(1, 28))

"""The flow builder's file, as a company's operator brings it in from the command line."""

import io
import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from tenants.models import Alert
from whatsapp.models import Number, TokenState
from whatsapp.signals import numbers_routed

pytestmark = pytest.mark.django_db

SECRET = "EAAG-secret-of-the-file"
MAY = 1_746_000_000_000
JUNE = MAY + 31 * 24 * 3600 * 1000


def entry(**changes):
    return {
        "id": "wsp-700",
        "alias": "Tienda Lima",
        "phoneNumberId": "100000000000700",
        "displayNumber": "+51 900 555 700",
        "accessToken": SECRET,
        "verifyToken": "verify-me",
        "wabaId": "300000000000700",
        "isActive": True,
        "createdAt": MAY,
        "updatedAt": MAY,
    } | changes


@pytest.fixture
def run(tmp_path, ours):
    """Write the file and import it; returns what was printed."""

    def run(content, *, tenant="ours") -> str:
        path = tmp_path / "connections.json"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        out = io.StringIO()
        call_command("sync_numbers", str(path), tenant=tenant, stdout=out, no_color=True)
        assert SECRET not in out.getvalue()
        return out.getvalue()

    return run


def numbers_of(company):
    with company.transaction():
        return {number.phone_number_id: number for number in Number.objects.defer(None).select_related("queue")}


@pytest.mark.parametrize("wrap", [lambda entries: entries, lambda entries: {"connections": entries, "version": 3}])
def test_a_new_number_is_created_without_queue_and_said_so(run, ours, wrap):
    printed = run(wrap([entry()]))

    number = numbers_of(ours)["100000000000700"]
    assert (number.alias, number.display_number, number.waba_id) == (
        "Tienda Lima",
        "+51 900 555 700",
        "300000000000700",
    )
    assert (number.token, number.verify_token, number.is_active, number.queue) == (SECRET, "verify-me", True, None)
    assert number.source_updated_at == datetime.fromtimestamp(MAY / 1000, UTC)
    assert "Tienda Lima has no queue" in printed
    assert "1 entries: 1 created. 1 changed." in printed


def test_running_it_again_changes_nothing(run, ours):
    run([entry(), entry(phoneNumberId="100000000000701", displayNumber="+51 900 555 701", alias="Dos", id="wsp-701")])
    with ours.transaction():
        rows = list(Number.objects.order_by("pk").values())
        history = Number.history.rel.related_model.objects.count()

    printed = run([entry(), entry(phoneNumberId="100000000000701", displayNumber="+51 900 555 701", alias="Dos")])

    assert "2 unchanged. 0 changed." in printed
    with ours.transaction():
        assert [drop_sealed(row) for row in Number.objects.order_by("pk").values()] == [drop_sealed(r) for r in rows]
        assert Number.history.rel.related_model.objects.count() == history


def drop_sealed(row):
    return {name: value for name, value in row.items() if name not in ("token", "verify_token")}


def test_what_changed_is_taken_over_and_the_queue_is_not_touched(run, ours):
    run([entry()])
    number = numbers_of(ours)["100000000000700"]
    with ours.transaction():
        Number.objects.filter(pk=number.pk).update(queue=ours.support, token_state=TokenState.VALID)

    printed = run([entry(alias="Tienda Centro", accessToken=SECRET + "-2", isActive=False, updatedAt=JUNE)])

    number = numbers_of(ours)["100000000000700"]
    assert (number.alias, number.token, number.is_active) == ("Tienda Centro", SECRET + "-2", False)
    assert number.queue == ours.support
    assert number.token_state == TokenState.UNKNOWN
    assert "alias, is_active, token" in printed


def test_what_the_file_leaves_out_stays(run, ours):
    run([entry()])

    printed = run([{"phoneNumberId": "100000000000700", "alias": None, "accessToken": "", "isActive": None}])

    number = numbers_of(ours)["100000000000700"]
    assert (number.alias, number.token, number.is_active) == ("Tienda Lima", SECRET, True)
    assert "0 changed" in printed


def test_an_older_entry_is_skipped_and_said_so(run, ours):
    run([entry(updatedAt=JUNE)])

    printed = run([entry(alias="Old name", updatedAt=MAY)])

    assert numbers_of(ours)["100000000000700"].alias == "Tienda Lima"
    assert "older than what is stored" in printed
    assert "0 changed" in printed


@pytest.mark.parametrize(
    "registered",
    [
        {"phone_number_id": "wsp-12345", "display_number": "51900555700"},  # found by its phone number
        {"phone_number_id": "wsp-12345", "display_number": "900 555 700"},  # as people write it at home
        {"phone_number_id": "wsp-700", "display_number": ""},  # found by the entry's own id
    ],
)
def test_a_number_registered_under_a_made_up_id_is_repaired(run, ours, registered):
    with ours.transaction():
        broken = Number.objects.create(tenant=ours.tenant, alias="Lima", queue=ours.support, **registered)

    printed = run([entry()])

    number = numbers_of(ours)["100000000000700"]
    assert number.pk == broken.pk
    assert number.queue == ours.support
    assert len(numbers_of(ours)) == 2
    assert "1 repaired" in printed
    assert "0 changed" in run([entry()])


def test_an_old_spelling_of_the_same_mobile_is_the_same_number(run, ours):
    with ours.transaction():
        Number.objects.create(
            tenant=ours.tenant, alias="São Paulo", phone_number_id="wsp-9", display_number="+55 11 8765 4321"
        )

    run([entry(displayNumber="+55 11 98765-4321")])

    assert set(numbers_of(ours)) == {"100000000000001", "100000000000700"}


def test_a_real_id_is_never_replaced_by_the_phone_number(run, ours):
    printed = run([entry(displayNumber="+51 1 555 0101")])

    assert set(numbers_of(ours)) == {"100000000000001"}
    assert "registered here under another id, 100000000000001" in printed


def test_a_made_up_id_does_not_replace_a_real_one(run, ours):
    run([entry(id="x", phoneNumberId="wsp-5", displayNumber="+51 1 555 0101", alias="Renamed")])

    assert {key: number.alias for key, number in numbers_of(ours).items()} == {"100000000000001": "Renamed"}


def test_without_phone_number_id_the_phone_number_finds_it(run, ours):
    printed = run(
        [
            entry(phoneNumberId=None, displayNumber="+5115550101", alias="Renamed"),
            entry(phoneNumberId="", displayNumber="+51 900 555 999", alias="Nobody"),
        ]
    )

    assert numbers_of(ours)["100000000000001"].alias == "Renamed"
    assert len(numbers_of(ours)) == 1
    assert "entry 2, Nobody: phoneNumberId is missing, and no number here has this displayNumber." in printed


def test_the_same_number_twice_counts_once_the_newest(run, ours):
    printed = run(
        [entry(alias="Old", updatedAt=MAY), entry(alias="New", updatedAt=JUNE), entry(alias="Older", updatedAt=1)]
    )

    assert numbers_of(ours)["100000000000700"].alias == "New"
    assert "entry 1, Old: Entry 2 has the same phoneNumberId" in printed
    assert "entry 3, Older: Entry 2 has the same phoneNumberId" in printed


def test_the_same_phone_twice_counts_once(run, ours):
    printed = run([entry(), entry(phoneNumberId=None, alias="Again")])

    assert numbers_of(ours)["100000000000700"].alias == "Tienda Lima"
    assert "entry 2, Again: Entry 1 is the same number" in printed


def test_a_number_of_another_company_is_refused_without_naming_it(run, ours, theirs):
    printed = run([entry(phoneNumberId="200000000000001"), entry(alias="Fine", phoneNumberId="100000000000800")])

    assert "registered by another company" in printed
    assert "theirs" not in printed.lower()
    assert "100000000000800" in numbers_of(ours)
    assert numbers_of(theirs)["200000000000001"].alias == "theirs ventas"


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ("a word", "entry 1, without a name: The entry is not an object but text."),
        (None, "not an object but nothing"),
        ([], "not an object but a list"),
        (entry(phoneNumberId=100000000000700), "phoneNumberId must be text, not a number."),
        (entry(accessToken={"value": SECRET}), "accessToken must be text, not an object."),
        (entry(isActive="yes"), "isActive must be true or false, not text."),
        (entry(updatedAt="2026-01-01"), "updatedAt must be milliseconds, not text."),
        (entry(updatedAt=True), "updatedAt must be milliseconds, not true or false."),
        (entry(updatedAt=10**30), "updatedAt is not a time in milliseconds."),
        (entry(createdAt=[]), "createdAt must be milliseconds, not a list."),
        (entry(alias="x" * 81), "alias is longer than 80 characters."),
        (entry(alias="a\0b"), "alias has characters that cannot be printed."),
        (entry(alias="\ud800"), "alias has characters that cannot be printed."),
        (entry(phoneNumberId=None, displayNumber=None), "there is no displayNumber to find the number by"),
    ],
)
def test_a_broken_entry_is_reported_and_the_rest_imported(run, ours, broken, complaint):
    printed = run([broken, entry(alias="Fine", phoneNumberId="100000000000800", displayNumber="+51 900 555 800")])

    assert complaint in printed
    assert set(numbers_of(ours)) == {"100000000000001", "100000000000800"}
    assert "1 created, 1 refused" in printed


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('[\n  {"alias": "x",}\n]', "line 2, column"),
        ('[{"accessToken": "' + SECRET, "line 1, column"),
        ("", "line 1, column 1"),
        ("{}", "holds no list of connections"),
        ('{"connections": {}}', "holds no list of connections"),
        ("42", "holds no list of connections"),
        (b"\xff\xfe[]", "not text in UTF-8 (byte 1)"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_an_unusable_file_is_an_error_that_says_where(run, ours, content, complaint):
    with pytest.raises(CommandError) as error:
        run(content)

    assert complaint in str(error.value)
    assert SECRET not in str(error.value)
    assert error.value.returncode == 1


def test_a_byte_order_mark_does_no_harm(run, ours):
    assert "1 created" in run(b"\xef\xbb\xbf" + json.dumps([entry()]).encode())


def test_an_unknown_company_and_a_missing_file_are_errors(run, tmp_path):
    with pytest.raises(CommandError, match="no company"):
        run([], tenant="nobody")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("sync_numbers", str(tmp_path / "missing.json"), tenant="ours")


def test_new_numbers_are_announced_once_after_commit(run, ours, django_capture_on_commit_callbacks):
    heard = []

    def listen(sender, tenant_id, number_ids, **kwargs):
        heard.append((tenant_id, len(number_ids)))

    numbers_routed.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            run([entry(), entry(phoneNumberId="100000000000701", displayNumber="+51 900 555 701", id="x")])
            assert heard == []
        with django_capture_on_commit_callbacks(execute=True):
            run([entry(alias="Renamed")])
    finally:
        numbers_routed.disconnect(listen)

    assert heard == [(ours.tenant.pk, 2)]


def test_the_history_says_where_the_change_came_from_and_keeps_no_token(run, ours):
    run([entry()])

    number = numbers_of(ours)["100000000000700"]
    with ours.transaction():
        event = number.history.get()
    assert event.pgh_context["source"] == "connections.json"
    assert not hasattr(event, "token")


def test_nothing_is_imported_into_the_other_company(run, ours, theirs):
    run([entry()])

    assert set(numbers_of(theirs)) == {"200000000000001"}
    with theirs.transaction():
        assert not Alert.objects.exists()

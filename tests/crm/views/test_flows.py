"""Flows as owners and administrators meet them: the list, the keys, a new one, its faults, and what becomes of it."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from crm.flows import builtin
from tests.crm.flows.conftest import published
from whatsapp.flows import exchanging, keys
from whatsapp.models import Flow, FlowKey, FlowStatus, FlowWish

pytestmark = pytest.mark.django_db
ENGLISH = {"accept-language": "en"}


@pytest.fixture
def admin(client, ours):
    client.force_login(ours.admin.user)
    return client


def page(client, url: str = "/settings/flows/") -> str:
    answer = client.get(url, headers=ENGLISH)
    assert answer.status_code == 200
    return answer.content.decode()


def draft(company, **fields: Any) -> Flow:
    with company.transaction():
        flow = published(company)
        Flow.objects.filter(pk=flow.pk).update(**{"status": FlowStatus.DRAFT} | fields)
        return Flow.objects.get(pk=flow.pk)


def now_of(company, flow: Flow) -> Flow:
    with company.transaction():
        return Flow.objects.get(pk=flow.pk)


def make(client, *, source: bytes | None = None, **fields: Any):
    given = {"name": "Perfil", "category": "SURVEY", "begin": "example", **fields}
    if source is not None:
        given |= {"begin": "file", "file": SimpleUploadedFile("flow.json", source)}
    return client.post("/settings/flows/new/", given, headers=ENGLISH)


def test_the_list_shows_status_numbers_and_use(admin, ours, theirs):
    with ours.transaction():
        flow = published(ours)
        exchanging.invite([exchanging.Invitation(flow.pk, ours.number.pk, flow.pk, "t")], now=timezone.now())
    with theirs.transaction():
        published(theirs, name="De Otra Empresa")

    shown = page(admin)

    assert "Mi perfil" in shown and "published" in shown and "ours ventas" in shown
    assert "De Otra Empresa" not in shown and "theirs ventas" not in shown


def test_the_list_counts_the_faults(admin, ours):
    draft(ours, validation_errors=[{"error": "A", "message": "a"}, {"error": "B", "message": "b"}])

    assert "2 faults" in page(admin)


def test_an_empty_list_says_how_to_begin(admin):
    assert "No Flows yet" in page(admin)


@pytest.mark.parametrize("who", ["supervisor", "ana"])
def test_others_may_not_come_in(client, ours, who):
    client.force_login(getattr(ours, who).user)

    assert client.get("/settings/flows/").status_code == 403
    assert client.post(f"/settings/flows/keys/{ours.number.pk}/").status_code == 403
    assert "/settings/flows/" not in client.get("/inbox/").content.decode()


def test_an_administrator_finds_it_in_the_navigation(admin):
    assert 'href="/settings/flows/"' in admin.get("/inbox/").content.decode()


class TestKeys:
    def test_none_yet(self, admin):
        assert "not uploaded" in page(admin)

    def test_upload_makes_one_that_waits(self, admin, ours):
        assert admin.post(f"/settings/flows/keys/{ours.number.pk}/").status_code == 302

        with ours.transaction():
            assert FlowKey.objects.get().uploaded_at is None
        assert "being uploaded" in page(admin)

    def test_replacing_keeps_the_one_in_use_until_then(self, admin, ours):
        with ours.transaction():
            keys.put_into_use(keys.prepare(number=ours.number), timezone.now())

        admin.post(f"/settings/flows/keys/{ours.number.pk}/")

        with ours.transaction():
            assert FlowKey.objects.filter(replaced_at=None, uploaded_at__isnull=False).count() == 1
            assert FlowKey.objects.count() == 2

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"state": "valid"}, "valid"),
            ({"state": "mismatch"}, "WhatsApp has another key"),
            ({"uploaded_at": None, "refusal": "Bad token"}, "Bad token"),
        ],
    )
    def test_its_state_is_said(self, admin, ours, fields, words):
        with ours.transaction():
            keys.put_into_use(keys.prepare(number=ours.number), timezone.now())
            FlowKey.objects.update(**fields)

        assert words in page(admin)

    def test_another_companys_number_is_not_there(self, admin, theirs):
        assert admin.post(f"/settings/flows/keys/{theirs.number.pk}/").status_code == 404

    def test_the_private_half_is_on_no_page(self, admin, ours):
        with ours.transaction():
            keys.prepare(number=ours.number)

        assert "PRIVATE" not in page(admin)


class TestANewOne:
    def test_from_the_example(self, admin, ours):
        answer = make(admin, waba_id=ours.number.waba_id)

        with ours.transaction():
            flow = Flow.objects.get()
        assert answer.status_code == 302 and answer["Location"] == f"/settings/flows/{flow.pk}/"
        assert (flow.name, flow.categories, flow.status) == ("Perfil", ["SURVEY"], FlowStatus.DRAFT)
        assert flow.source == builtin.profile() and flow.wish == FlowWish.UPLOAD

    def test_from_a_file_as_it_is(self, admin, ours):
        make(admin, waba_id=ours.number.waba_id, source=b'{\n\n  "version": "7.3", "screens": []}')

        with ours.transaction():
            assert Flow.objects.get().source == '{\n\n  "version": "7.3", "screens": []}'

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            (b"", "empty"),
            (b'{\n "version": 7.3,\n oops}', "line 3, column 2"),
            (b"\xff\xfe\x00", "not text in UTF-8"),
            (b"[1]", "no Flow"),
            (b'{"version": "7.3"}', "no Flow"),
            (b"[" * 100_000, "nested too deeply"),
        ],
    )
    def test_a_file_that_is_none_is_refused_in_words(self, admin, ours, source, words):
        answer = make(admin, waba_id=ours.number.waba_id, source=source)

        assert answer.status_code == 422 and words in answer.content.decode()
        with ours.transaction():
            assert not Flow.objects.exists()

    def test_without_a_file_it_asks_for_one(self, admin, ours):
        answer = make(admin, waba_id=ours.number.waba_id, begin="file")

        assert answer.status_code == 422 and "Choose a file." in answer.content.decode()

    def test_a_name_that_is_taken_is_refused(self, admin, ours):
        draft(ours)

        answer = make(admin, waba_id=ours.number.waba_id, name="Mi perfil")

        assert answer.status_code == 422 and "Choose another one" in answer.content.decode()

    def test_only_for_accounts_of_our_numbers(self, admin):
        assert make(admin, waba_id="399999999999999").status_code == 422


class TestOne:
    def test_faults_are_shown_with_their_lines(self, admin, ours):
        lines = builtin.profile().splitlines()
        flow = draft(
            ours,
            validation_errors=[
                {"error": "INVALID_PROPERTY_VALUE", "message": "Invalid value.", "line_start": 4, "line_end": 4},
                {"error": "ODD", "message": "Somewhere.", "line_start": 0, "line_end": 0},
            ],
        )

        shown = page(admin, f"/settings/flows/{flow.pk}/")

        assert "Line 4: " in shown and "Invalid value." in shown and "Somewhere." in shown
        assert lines[3].strip().split('"')[1] in shown.partition('class="is-meant"')[2]

    @pytest.mark.parametrize("wish", ["publish", "delete"])
    def test_a_draft_may_be_published_or_deleted(self, admin, ours, wish):
        flow = draft(ours)

        admin.post(f"/settings/flows/{flow.pk}/wish/", {"wish": wish})

        assert now_of(ours, flow).wish == wish

    @pytest.mark.parametrize("wish", ["publish", "delete", "upload", "nonsense", ""])
    def test_what_is_published_may_only_be_taken_back(self, admin, ours, wish):
        flow = draft(ours, status=FlowStatus.PUBLISHED)

        admin.post(f"/settings/flows/{flow.pk}/wish/", {"wish": wish})
        assert now_of(ours, flow).wish == ""

        admin.post(f"/settings/flows/{flow.pk}/wish/", {"wish": "deprecate"})
        assert now_of(ours, flow).wish == "deprecate"

    def test_another_file_takes_the_drafts_place(self, admin, ours):
        flow = draft(ours, refusal="Meta said no")
        file = SimpleUploadedFile("flow.json", b'{"screens": []}')

        admin.post(f"/settings/flows/{flow.pk}/file/", {"file": file})

        found = now_of(ours, flow)
        assert (found.source, found.wish, found.refusal) == ('{"screens": []}', FlowWish.UPLOAD, "")

    def test_what_is_published_keeps_its_file(self, admin, ours):
        flow = draft(ours, status=FlowStatus.PUBLISHED)

        answer = admin.post(
            f"/settings/flows/{flow.pk}/file/", {"file": SimpleUploadedFile("flow.json", b'{"screens": []}')}
        )

        assert answer.status_code == 422 and now_of(ours, flow).source == builtin.profile()

    def test_what_meta_found_of_the_endpoint_is_shown(self, admin, ours):
        flow = draft(
            ours, health={"ENDPOINT_LATENCY": {"alert_state": "ACTIVATED"}, "OLD": {"alert_state": "DEACTIVATED"}}
        )

        shown = page(admin, f"/settings/flows/{flow.pk}/")
        assert "ENDPOINT_LATENCY" in shown and "OLD" not in shown

    def test_another_companys_is_not_there(self, admin, theirs):
        flow = draft(theirs)

        assert admin.get(f"/settings/flows/{flow.pk}/").status_code == 404
        assert admin.post(f"/settings/flows/{flow.pk}/wish/", {"wish": "delete"}).status_code == 404


def test_the_list_takes_the_same_few_queries_however_many_there_are(admin, ours, django_assert_max_num_queries):
    with ours.transaction():
        for n in range(20):
            published(ours, name=f"Flow {n}", flow_id=str(n))

    with django_assert_max_num_queries(18):
        page(admin)

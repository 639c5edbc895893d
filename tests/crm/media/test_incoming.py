"""Files from customers: each arrives, whatever breaks on the way, or says why it does not."""

import hashlib

import pytest

from crm import media
from crm.inbound.replaying import replay_all
from crm.media import storing, working
from crm.models import Attachment, FileState
from tests.crm.media.conftest import files, hurry, kept_in, until_done
from whatsapp.models import WebhookEvent
from whatsapp.simulator.media import MediaStore

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("kind", "has_picture", "has_length"),
    [
        ("image", True, False),
        ("video", True, True),
        ("audio", False, True),
        ("document", False, False),
        ("sticker", True, False),
    ],
)
def test_a_file_is_fetched_kept_and_drawn(ours, simulator, sends, folder, kind, has_picture, has_length):
    sends(kind)

    assert media.work() == 1

    [file] = files(ours)
    sample = MediaStore().sample(kind)[1]
    assert (file.state, file.size, file.next_attempt_at) == (FileState.THERE, len(sample.content), None)
    with storing.storage().open(file.stored_as) as kept:
        assert hashlib.sha256(kept.read()).hexdigest() == sample.sha256
    assert bool(file.thumbnail and file.width and file.height) is has_picture
    assert bool(file.seconds) is has_length
    assert str(ours.tenant.pk) in file.stored_as


def test_the_number_asks_with_its_own_token(ours, simulator, sends):
    sends()
    simulator.faults(numbers={"100000000000001": {"token": "another"}})
    media.work()
    [file] = files(ours)
    assert (file.state, file.failure) == (FileState.WAITING, "file_refused")

    simulator.faults(numbers={"100000000000001": {"token": "token-of-ours-000001"}})
    hurry()
    media.work()

    assert [file.state for file in files(ours)] == [FileState.THERE]


def test_a_hundred_files_of_which_a_third_of_the_downloads_break_all_arrive(ours, simulator, sends, folder):
    simulator.faults(media_fail=0.3)
    kinds = ("image", "document", "sticker", "audio")
    for place in range(100):
        sends(kinds[place % 4])

    until_done(ours)

    found = files(ours)
    assert len(found) == 100
    assert {file.state for file in found} == {FileState.THERE}
    assert any(file.attempts > 1 for file in found)
    for file in found:
        with storing.storage().open(file.stored_as) as kept:
            content = kept.read()
        assert MediaStore().sample(file.message.type)[1].content == content
    # What broke half way left nothing behind.
    assert len(kept_in(folder)) == sum(1 + bool(file.thumbnail) for file in found)


def test_a_file_that_whatsapp_no_longer_has_says_so_and_can_be_tried_again(ours, simulator, sends):
    simulator.faults(media_gone=True)
    sends()
    media.work()
    [file] = files(ours)
    assert (file.state, file.failure) == (FileState.FAILED, "file_gone")
    hurry()
    assert media.work() == 0

    simulator.faults(media_gone=False)
    with ours.transaction():
        assert media.retry(file) is True
        assert media.retry(file) is False
    media.work()

    assert [file.state for file in files(ours)] == [FileState.THERE]


def test_a_file_waits_for_a_token_as_long_as_whatsapp_keeps_it(ours, simulator, sends):
    simulator.faults(numbers={"100000000000001": {"token": "another"}})
    sends()
    until_done(ours, rounds=working.MOST_TRIES + 4)
    [file] = files(ours)
    assert (file.state, file.failure) == (FileState.WAITING, "file_refused") and file.attempts > working.MOST_TRIES

    simulator.faults(numbers={"100000000000001": {"token": "token-of-ours-000001"}})
    hurry()
    media.work()

    assert [file.state for file in files(ours)] == [FileState.THERE]


def test_one_that_never_comes_ends_with_its_reason(ours, simulator, sends, settings):
    settings.GRAPH_API_URL = "http://127.0.0.1:9"
    sends()

    until_done(ours, rounds=working.MOST_TRIES + 2)

    [file] = files(ours)
    assert (file.state, file.failure, file.attempts) == (FileState.FAILED, "file_unreachable", working.MOST_TRIES)


def test_a_file_beyond_the_limit_is_not_kept(ours, simulator, sends, settings, folder):
    settings.MEDIA_MAX_BYTES = 100
    sends("document")

    media.work()

    [file] = files(ours)
    assert (file.state, file.failure) == (FileState.FAILED, "file_too_large")
    assert kept_in(folder) == []


def test_other_bytes_than_the_webhook_announced_are_not_kept(ours, simulator, sends, folder):
    sends("image", sha256="bm90IHRoZSBzdW0gb2YgdGhpcyBmaWxlIGF0IGFsbCE=")

    media.work()

    [file] = files(ours)
    assert (file.state, file.failure) == (FileState.WAITING, "file_unreachable")
    assert kept_in(folder) == []


def test_a_worker_that_died_keeps_a_file_no_longer_than_its_lease(ours, simulator, sends):
    sends()
    [job] = working._claim(5)  # and is killed here
    assert media.work() == 0

    hurry()
    assert media.work() == 1

    [file] = files(ours)
    assert (file.state, file.attempts) == (FileState.THERE, 2)
    # The first one was only slow, and comes back: nothing changes, and its copy goes.
    late = working._worked(job)
    assert late.stored
    assert working._settle(job, late) is False
    assert [file.stored_as for file in files(ours)] == [file.stored_as]


def test_two_workers_never_have_the_same_file(ours, simulator, sends):
    for _ in range(3):
        sends()
    first, second = working._claim(2), working._claim(5)
    assert {job.attachment.pk for job in first}.isdisjoint(job.attachment.pk for job in second)
    assert len(first) + len(second) == 3


def test_the_same_webhook_again_is_no_second_file(ours, simulator, sends):
    sends()
    media.work()
    before = [(file.pk, file.stored_as) for file in files(ours)]

    assert replay_all(WebhookEvent.objects.all()).rows_changed == 0
    assert media.work() == 0
    assert [(file.pk, file.stored_as) for file in files(ours)] == before


def test_an_attachment_is_its_companys_alone(ours, theirs, simulator, sends):
    sends()
    with theirs.transaction():
        assert Attachment.objects.count() == 0

import pytest

from whatsapp.capabilities import CAPABILITIES, MediaLimit


@pytest.mark.parametrize("name", sorted(CAPABILITIES))
def test_every_provider_can_send_something_at_some_pace(name):
    abilities = CAPABILITIES[name]

    assert abilities.pace() > 0
    assert abilities.max_text_length > 0
    assert abilities.media


def test_a_number_shared_with_the_app_goes_slowly_whatever_its_throughput():
    cloud = CAPABILITIES["cloud"]

    assert cloud.pace() == 80
    assert cloud.pace(throughput=1000) == 1000
    assert cloud.pace(coexistence=True, throughput=1000) == 20


@pytest.mark.parametrize(
    ("mime_type", "size", "allowed"),
    [
        ("audio/ogg; codecs=opus", 100, True),
        ("AUDIO/OGG", 512, True),
        ("audio/ogg", 513, False),
        ("audio/ogg", 0, False),
        ("audio/mpeg", 100, False),
        ("", 100, False),
    ],
)
def test_a_file_fits_by_its_type_and_size(mime_type, size, allowed):
    assert MediaLimit(512, frozenset({"audio/ogg"})).allows(mime_type, size) is allowed


def test_meta_takes_a_jpeg_of_5_mb_and_no_more():
    image = CAPABILITIES["cloud"].media["image"]

    assert image.allows("image/jpeg", 5 * 1024 * 1024)
    assert not image.allows("image/jpeg", 5 * 1024 * 1024 + 1)
    assert not image.allows("image/gif", 1)

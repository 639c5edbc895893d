"""WhatsApp's marks are shown as WhatsApp shows them, and nothing that somebody writes becomes markup of ours."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.formatting import formatted

LINK = '<a href="{}" target="_blank" rel="noopener noreferrer nofollow">{}</a>'


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("*hola* _ya_ ~no~", "<strong>hola</strong> <em>ya</em> <s>no</s>"),
        ("*_las dos_*", "<strong><em>las dos</em></strong>"),
        ("¡*Oferta*! (*hoy*)", "¡<strong>Oferta</strong>! (<strong>hoy</strong>)"),
        ("`x<y` y ```*tal\ncual*```", "<code>x&lt;y</code> y <code>*tal\ncual*</code>"),
        ("2*3*4, un_nombre_largo, a~b~c", "2*3*4, un_nombre_largo, a~b~c"),
        ("* uno\n* dos", "* uno\n* dos"),
        ("*sin fin, *no *", "*sin fin, *no *"),
        ("**", "**"),
        ("*dos\nlíneas*", "*dos\nlíneas*"),
        ("<b>*x*</b>", "&lt;b&gt;<strong>x</strong>&lt;/b&gt;"),
    ],
)
def test_marks(written, shown):
    assert formatted(written) == shown


def test_addresses_are_links_and_keep_their_signs():
    address = "https://nube.test/a_b_c?x=1"
    assert formatted(f"mira {address}") == "mira " + LINK.format(address, address)
    long = "https://nube.test/" + "a" * 80
    assert formatted(long) == LINK.format(long, long[:59] + "…")


@pytest.mark.parametrize(
    "written",
    ["javascript:alert(1)", 'http://a.test/"onmouseover="x', "<a href=javascript:x>*y*</a>", "data:text/html,x"],
)
def test_no_other_address_becomes_a_link(written):
    assert not re.search(r'href="(?!https?://)', formatted(written))
    assert "<a href=javascript" not in formatted(written)


@given(st.text(alphabet="*_~`<>&\"' ab\nhttp:/.w@", max_size=80))
def test_whatever_is_written_only_our_own_tags_come_out(written):
    tags = re.findall(r"<[^>]*>?", formatted(written))
    ours = re.compile(
        r'</?(?:strong|em|s|code|a)>|<a href="[^"<>]*"(?: target="_blank" rel="noopener noreferrer nofollow")?>'
    )
    assert all(ours.fullmatch(tag) for tag in tags)

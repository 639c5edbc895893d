"""WhatsApp's marks are shown as WhatsApp shows them, and nothing that somebody writes becomes markup of ours."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.formatting import formatted, plain, quoted

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


@pytest.mark.parametrize(
    ("written", "in_a_quote", "in_a_row"),
    [
        ("*hola*\n_ya_  ~no~", "<strong>hola</strong> <em>ya</em> <s>no</s>", "hola ya no"),
        ("*dos\nlíneas* ```x <\ny```", "*dos líneas* <code>x &lt; y</code>", "*dos líneas* x < y"),
        ("*x* <b>&amp;</b>", "<strong>x</strong> &lt;b&gt;&amp;amp;&lt;/b&gt;", "x <b>&amp;</b>"),
        ("ve https://n.test/_a_ *ya*", "ve https://n.test/_a_ <strong>ya</strong>", "ve https://n.test/_a_ ya"),
        ("2*3*4 <i>", "2*3*4 &lt;i&gt;", "2*3*4 <i>"),
        (" sin \n marcas & ", "sin marcas &amp;", "sin marcas &"),
    ],
)
def test_a_quote_shows_the_marks_and_a_row_takes_them_off(written, in_a_quote, in_a_row):
    assert quoted(written) == in_a_quote
    assert plain(written) == in_a_row


@given(st.text(alphabet="*_~`<>&\"' ab\nhttp:/.w@", max_size=80))
def test_a_quote_has_no_tags_but_those_of_the_marks_and_a_row_is_text_that_is_not_safe_as_it_is(written):
    assert all(re.fullmatch(r"</?(?:strong|em|s|code)>", tag) for tag in re.findall(r"<[^>]*>?", quoted(written)))
    assert not hasattr(plain(written), "__html__")


@given(st.text(alphabet="*_~`<>&\"' ab\nhttp:/.w@", max_size=80))
def test_whatever_is_written_only_our_own_tags_come_out(written):
    tags = re.findall(r"<[^>]*>?", formatted(written))
    ours = re.compile(
        r'</?(?:strong|em|s|code|a)>|<a href="[^"<>]*"(?: target="_blank" rel="noopener noreferrer nofollow")?>'
    )
    assert all(ours.fullmatch(tag) for tag in tags)

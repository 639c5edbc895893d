"""Whatever customers write, and whatever they call themselves and their files, is shown and never run.

Every payload calls `hit()`; the browser counts those calls and everything its content policy had to stop. Both stay at
zero: text that is text needs no policy to stop it.
"""

import itertools

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.journey

_TAGS = [
    "<script>hit()</script>", "<ScRiPt>hit()</sCrIpT>", "<script src=data:text/javascript,hit()></script>",
    "<img src=x onerror=hit()>", "<img src=x onerror='hit()'>", '<img src="x" onerror="hit()">', "<IMG SRC=javascript:hit()>",
    "<svg onload=hit()>", "<svg/onload=hit()>", "<svg><script>hit()</script></svg>", "<svg><animate onbegin=hit() attributeName=x dur=1s>",
    "<body onload=hit()>", "<iframe src=javascript:hit()>", "<iframe srcdoc='<script>parent.hit()</script>'>",
    "<details open ontoggle=hit()>", "<video><source onerror=hit()>", "<audio src=x onerror=hit()>", "<input autofocus onfocus=hit()>",
    "<select autofocus onfocus=hit()>", "<textarea autofocus onfocus=hit()>", "<marquee onstart=hit()>", "<object data=javascript:hit()>",
    "<embed src=javascript:hit()>", "<form action=javascript:hit()><button>x</button></form>", "<a href=javascript:hit()>x</a>",
    "<a href='java\tscript:hit()'>x</a>", "<math><mi xlink:href=javascript:hit()>x</mi></math>", "<base href=javascript:/hit()//>",
    "<link rel=stylesheet href=javascript:hit()>", "<meta http-equiv=refresh content='0;url=javascript:hit()'>", "<style>@import 'javascript:hit()';</style>",
    "<div style='background:url(javascript:hit())'>", "<template><script>hit()</script></template>", "<noscript><img src=x onerror=hit()></noscript>",
    "<xss id=x tabindex=1 onfocus=hit()></xss>", "<button hx-on:click=hit() hx-trigger=load hx-get=/>x</button>", "<div hx-get='/' hx-trigger='load' hx-on::load='hit()'>",
    "<div hx-vals='js:{x:hit()}' hx-trigger=load hx-post=/>",
]  # fmt: skip
_WRAPPED = ["{}", '">{}', "'>{}", "</textarea>{}", "</title>{}", "-->{}", "]]>{}", "</script>{}"]
_PLAIN = [
    "javascript:hit()", "JaVaScRiPt:hit()", "https://evil.example/<script>hit()</script>", "http://x.example/?q=\"onmouseover=hit()",
    "{{constructor.constructor('hit()')()}}", "${hit()}", "#{hit()}", "{% hit() %}", "{{7*7}}", "`-hit()-`", "';hit();//", "\";hit();//",
    "*<b onmouseover=hit()>x</b>*", "_<img src=x onerror=hit()>_", "~javascript:hit()~", "\u2028hit()\u2029", "&lt;script&gt;hit()&lt;/script&gt;",
    "&#60;img src=x onerror=hit()&#62;", "%3Cscript%3Ehit()%3C/script%3E", "\\u003cscript\\u003ehit()\\u003c/script\\u003e", "data:text/html,<script>hit()</script>",
    "www.example.com/\"><img src=x onerror=hit()>", "mailto:a@b.example?subject=<script>hit()</script>", "x@y.example\"onclick=hit()//", "<!--<img src='--><img src=x onerror=hit()>'>",
]  # fmt: skip
PAYLOADS = [wrapped.format(tag) for tag, wrapped in itertools.product(_TAGS, _WRAPPED[:4])] + _PLAIN
_WATCH = """
window.hits = 0; window.stopped = [];
window.hit = () => { window.hits += 1; };
window.alert = window.hit;
document.addEventListener("securitypolicyviolation", (event) => window.stopped.push(`${event.violatedDirective} ${event.sample}`));
"""
NUMBER = "100000000000001"


def test_a_corpus_of_markup_is_text_everywhere(running, person):
    assert len(PAYLOADS) >= 150
    supervisor = person("supervisor@demo.test")
    supervisor.context.add_init_script(_WATCH)
    # One person who says all of it; and many who are called it, and send what is called it.
    for payload in PAYLOADS:
        running.customer_writes(phone_number_id=NUMBER, **{"from": "51987002000"}, name="Xenia Marca", text=payload)
    kinds = [
        {"type": "document", "filename": "{}", "text": "{}"},
        {"type": "image", "text": "{}"},
        {"type": "location", "name_of_place": "{}", "text": "{}"},
        {"type": "text", "text": "{}"},
    ]
    for place, payload in enumerate(PAYLOADS[:: max(1, len(PAYLOADS) // 60)]):
        spec = {key: value.replace("{}", payload) for key, value in kinds[place % len(kinds)].items()}
        running.customer_writes(phone_number_id=NUMBER, **{"from": f"5198700{3000 + place}"}, name=payload, **spec)

    def untouched(where: str) -> None:
        assert supervisor.evaluate("window.hits") == 0, where
        assert supervisor.evaluate("window.stopped") == [], where

    supervisor.goto("/inbox/?mode=all")
    expect(supervisor.locator(".conv").first).to_be_visible()
    for _ in range(6):  # the rows below come as one scrolls
        supervisor.locator(".list-pane__scroll").evaluate("(pane) => pane.scrollTo(0, pane.scrollHeight)")
        supervisor.wait_for_timeout(400)
    untouched("the list")
    named = supervisor.locator(".conv", has_text="hit()")
    assert named.count() >= 30
    for place in range(12):
        named.nth(place).click()
        expect(supervisor.locator(".thread__head")).to_contain_text("hit()")
        untouched(f"the thread of {named.nth(place).inner_text()[:60]}")

    supervisor.goto("/inbox/?mode=all&q=Xenia")
    supervisor.locator(".conv", has_text="Xenia Marca").click()
    expect(supervisor.locator(".msg", has_text="hit()").nth(20)).to_be_attached()
    for _ in range(6):
        older = supervisor.locator(".thread__scroll a[hx-get*='older'], .thread__scroll a[href*='before=']").first
        if not older.count():
            break
        older.scroll_into_view_if_needed()
        supervisor.wait_for_timeout(500)
    untouched("a thread of all of it")
    assert supervisor.locator(".msg", has_text="hit()").count() >= 50
    for address in (
        "/pending/",
        "/sequences/",
        "/inbox/?q=%3Cscript%3Ehit()%3C/script%3E",
        "/inbox/?mode=%22%3E%3Csvg%20onload=hit()%3E",
    ):
        supervisor.goto(address)
        untouched(address)

    admin = person("admin@demo.test")
    admin.context.add_init_script(_WATCH)
    for address in ("/admin/crm/contact/", "/admin/crm/conversation/", "/admin/crm/contact/?q=hit"):
        admin.goto(address)
        assert admin.evaluate("window.hits") == 0, address
    admin.locator("#result_list a, table a[href*='/crm/contact/']").first.click()
    assert admin.evaluate("window.hits") == 0

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
_WRAPPED = ["{}", '">{}', "'>{}", "</textarea>{}"]
_PLAIN = [
    "javascript:hit()", "JaVaScRiPt:hit()", "https://evil.example/<script>hit()</script>", "http://x.example/?q=\"onmouseover=hit()",
    "{{constructor.constructor('hit()')()}}", "${hit()}", "#{hit()}", "{% hit() %}", "{{7*7}}hit()", "`-hit()-`", "';hit();//", "\";hit();//",
    "*<b onmouseover=hit()>x</b>*", "_<img src=x onerror=hit()>_", "~javascript:hit()~", "\u2028hit()\u2029", "&lt;script&gt;hit()&lt;/script&gt;",
    "&#60;img src=x onerror=hit()&#62;", "%3Cscript%3Ehit()%3C/script%3E", "\\u003cscript\\u003ehit()\\u003c/script\\u003e", "data:text/html,<script>hit()</script>",
    "www.example.com/\"><img src=x onerror=hit()>", "mailto:a@b.example?subject=<script>hit()</script>", "x@y.example\"onclick=hit()//", "<!--<img src='--><img src=x onerror=hit()>'>",
]  # fmt: skip
# Each fits another place that a text may come to stand in, or another reader that takes text for code.
_BREAKOUTS = {
    "an attribute": [
        "\" autofocus onfocus=hit() x=\"", "' autofocus onfocus='hit()", "x onmouseover=hit() ", "\"/><script>hit()</script>",
        "\"\r\nonfocus=hit()\r\nautofocus=\"", "`onmouseover=hit()", "\" style=\"animation:x\" onanimationstart=\"hit()",
        "\" accesskey=\"x\" onclick=\"hit()", "\" popover id=x onbeforetoggle=\"hit()",
    ],
    "a script": [
        "\u2028-hit()-\u2029", "\\\";hit();//", "\\';hit();//", "*/hit()/*", "</script\n><script>hit()</script>",
        "<!--<script>\u2028hit()//-->", "\"}];hit();[{\"", "</SCRIPT/x><img src=x onerror=hit()>", "\\u0027;hit();//",
        "`${hit()}`", "{\"__proto__\":{\"x\":\"<img src=x onerror=hit()>\"}}",
    ],
    "a scheme": [
        "java\nscript:hit()", "\x01javascript:hit()", "\u00a0javascript:hit()", "javascript&colon;hit()", "javascript&#x3A;hit()",
        "jav&Tab;ascript:hit()", "javascript://example.com/%0Ahit()", "https://x.example/\njavascript:hit()", "vbscript:hit()",
        "view-source:javascript:hit()", "blob:javascript:hit()", "data:image/svg+xml,<svg onload=hit() xmlns='http://www.w3.org/2000/svg'/>",
        "tel:+1<svg onload=hit()>", "whatsapp://send?text=<svg onload=hit()>", "http://javascript:hit()@x.example/",
    ],
    "another namespace": [
        "<svg><a xlink:href=javascript:hit()><text y=20>x</text></a></svg>", "<svg><use href='data:image/svg+xml,<svg id=x onload=hit() />#x'>",
        "<svg><set attributeName=onload to=hit()>", "<svg><foreignObject><body onload=hit()></foreignObject></svg>",
        "<svg><desc><![CDATA[</desc><script>hit()</script>]]></svg>", "<svg><style><img src=x onerror=hit()></style></svg>",
        "<svg><image href=x onerror=hit()>", "<math><maction actiontype=statusline xlink:href=javascript:hit()>x</maction></math>",
        "<math href=javascript:hit()>x</math>", "<?xml-stylesheet href='javascript:hit()'?>",
        "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>hit()</x:script>",
    ],
    "a mutation": [
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=hit()&gt;'>",
        "<form><math><mtext></form><form><mglyph><style></math><img src=x onerror=hit()>",
        "<svg></p><style><a id='</style><img src=x onerror=hit()>'>", "<noscript><p title='</noscript><img src=x onerror=hit()>'>",
        "<table><caption><svg><title><table></table><style><img src=x onerror=hit()></style>", "<listing>&lt;img src=x onerror=hit()&gt;</listing>",
        "<xmp><p title='</xmp><img src=x onerror=hit()>'>", "<a title='`<img src=x onerror=hit()>'>", "<b <script>hit()//</script>",
        "<<script>hit()//<</script>", "<img src=x:x/onerror=hit()//", "<svg><p><style><!--</style><img src=x onerror=hit()>--></style>",
    ],
    "a template": [
        "{{ ''.__class__.__mro__ }}hit()", "{% load static %}hit()", "{% debug %}hit()", "{{ settings.SECRET_KEY }}hit()", "<%= hit() %>",
        "[[hit()]]", "{{=hit()}}", "#set($x=hit())", "{{#with 'hit()'}}{{/with}}", "%(hit())s", "{0.__globals__}hit()", "<x v-html=hit()>",
        "<x ng-app ng-csp>{{$eval('hit()')}}</x>", "<x x-init=hit()></x>", "<x hx-get=javascript:hit() hx-trigger=load>",
        "<div hx-swap-oob=beforeend:body><img src=x onerror=hit()></div>", "<div data-hx-on--load=hit()>",
    ],
    "a style": [
        "x;background:url(javascript:hit())", "</style><script>hit()</script>", "<style>*{x:expression(hit())}</style>",
        "<link rel=import href='data:text/html,<script>hit()</script>'>", "<p style=\"animation:x\" onanimationend=hit()>",
        "@import url(javascript:hit());", "<style>@keyframes x{}</style><b style=animation-name:x onanimationstart=hit()>",
    ],
    "an encoding": [
        "\uff1cscript\uff1ehit()\uff1c/script\uff1e", "\ufe64img src=x onerror=hit()\ufe65", "+ADw-script+AD4-hit()+ADw-/script+AD4-",
        "\u202e<tpircs>hit()</tpircs>\u202c<script>hit()</script>", "<scr\u200bipt>hit()</scr\u200bipt>", "<scr\u0131pt>hit()</scr\u0131pt>",
        "%253Cscript%253Ehit()%253C/script%253E", "&amp;lt;script&amp;gt;hit()", "&lt;img src=x onerror=hit()&gt;", "\u2066<img src=x onerror=hit()>\u2069",
        "<\u0438mg/><img src=x onerror=\\u0068it()>hit()", "\ufeff<script>hit()</script>", "<img src=x onerror=&#104;it()>hit()",
    ],
    "a file, a card or a cell": [
        "boleta\u202efdp.<svg onload=hit()>.svg", "../../<img src=x onerror=hit()>.html", "a.pdf\"; filename=\"<script>hit()</script>.html",
        "a.pdf\r\nContent-Type: text/html\r\n\r\n<script>hit()</script>", "foto.jpg/<svg onload=hit()>", "con.<b onclick=hit()>.jpg;.html",
        "=HYPERLINK(\"javascript:hit()\",\"x\")", "+cmd|'/C hit()'!A0", "-2+3+hit()", "@SUM(hit())", "\t=hit()", "\r=hit()", ";=hit()",
        "BEGIN:VCARD\nFN:<img src=x onerror=hit()>\nEND:VCARD", "END:VCARD\nURL:javascript:hit()", "Plaza <svg/onload=hit()>, Lima",
        "geo:0,0?q=<script>hit()</script>",
    ],
}  # fmt: skip
PAYLOADS = [
    *(wrapped.format(tag) for tag, wrapped in itertools.product(_TAGS, _WRAPPED)),
    *_PLAIN,
    *itertools.chain.from_iterable(_BREAKOUTS.values()),
]
_WATCH = """
window.hits = 0; window.stopped = [];
window.hit = () => { window.hits += 1; };
window.alert = window.hit;
document.addEventListener("securitypolicyviolation", (event) => window.stopped.push(`${event.violatedDirective} ${event.sample}`));
"""
NUMBER = "100000000000001"


def test_the_corpus_is_large_and_says_nothing_twice():
    assert len(PAYLOADS) == len(set(PAYLOADS)) >= 200
    assert [payload for payload in PAYLOADS if "hit()" not in payload] == []
    # Not counting what differs in its wrapping alone.
    assert len({*_TAGS, *_PLAIN, *itertools.chain.from_iterable(_BREAKOUTS.values())}) >= 150


def test_a_corpus_of_markup_is_text_everywhere(running, person):
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
    for place, payload in enumerate(PAYLOADS):
        spec = {key: value.replace("{}", payload) for key, value in kinds[place % len(kinds)].items()}
        running.customer_writes(phone_number_id=NUMBER, **{"from": f"5198700{3000 + place}"}, name=payload, **spec)

    def untouched(where: str) -> None:
        assert supervisor.evaluate("window.hits") == 0, where
        assert supervisor.evaluate("window.stopped") == [], where

    supervisor.goto("/inbox/?mode=all")
    expect(supervisor.locator(".conv").first).to_be_visible()
    for _ in range(12):  # the rows below come as one scrolls
        supervisor.locator(".list-pane__scroll").evaluate("(pane) => pane.scrollTo(0, pane.scrollHeight)")
        supervisor.wait_for_timeout(400)
    untouched("the list")
    named = supervisor.locator(".conv", has_text="hit()")
    assert named.count() >= 200
    for place in range(12):
        named.nth(place).click()
        expect(supervisor.locator(".thread__head")).to_contain_text("hit()")
        untouched(f"the thread of {named.nth(place).inner_text()[:60]}")

    supervisor.goto("/inbox/?mode=all&q=Xenia")
    supervisor.locator(".conv", has_text="Xenia Marca").click()
    expect(supervisor.locator(".msg", has_text="hit()").nth(20)).to_be_attached()
    for _ in range(20):
        older = supervisor.locator(".thread__scroll a[hx-get*='older'], .thread__scroll a[href*='before=']").first
        if not older.count():
            break
        older.scroll_into_view_if_needed()
        supervisor.wait_for_timeout(500)
    untouched("a thread of all of it")
    assert supervisor.locator(".msg", has_text="hit()").count() == len(PAYLOADS)
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

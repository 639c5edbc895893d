import os
import pytest
from django.core.cache import cache
from pytest_django.live_server_helper import LiveServer
from playwright.sync_api import sync_playwright
from tests.cast import found_company
from tenants.founding import join
from tenants.models import Role, User
OUT="/tmp/shots"; os.makedirs(OUT, exist_ok=True)

def test_shots(committed, settings):
    settings.SESSION_COOKIE_SECURE=False
    settings.SIMULATOR_URL="http://localhost:8010"
    ours=found_company("nube", number_id="100000000000001"); theirs=found_company("otra", number_id="200000000000001")
    with theirs.transaction(): join(email="admin@nube.test", role=Role.AGENT)
    User.objects.create_user("alone@nowhere.test","demo-password")
    cache.clear()
    server=LiveServer("localhost")
    problems=[]
    try:
        with sync_playwright() as p:
            b=p.chromium.launch(executable_path="/usr/bin/chromium",args=["--no-sandbox","--disable-gpu"])
            def page(w=1280,h=800,locale="es-PE",scheme="light"):
                c=b.new_context(viewport={"width":w,"height":h},locale=locale,color_scheme=scheme)
                pg=c.new_page()
                pg.on("console", lambda m: problems.append((pg.url,m.type,m.text)) if m.type in("error","warning") else None)
                pg.on("pageerror", lambda e: problems.append((pg.url,"pageerror",str(e))))
                pg.on("response", lambda r: problems.append((r.url,r.status)) if r.status>=400 else None)
                return pg
            def login(pg,email="admin@nube.test"):
                pg.goto(server.url+"/accounts/login/"); pg.fill("[name=login]",email); pg.fill("[name=password]","demo-password"); pg.click("form button[type=submit]"); 
                pg.wait_for_load_state()
            pg=page(); pg.goto(server.url+"/accounts/login/"); pg.screenshot(path=f"{OUT}/login-es.png")
            print("requests", pg.evaluate("performance.getEntriesByType('resource').map(r=>r.name+' '+r.transferSize)"))
            pg.fill("[name=login]","admin@nube.test"); pg.fill("[name=password]","bad"); pg.click("form button[type=submit]"); pg.wait_for_load_state(); pg.screenshot(path=f"{OUT}/login-wrong.png")
            pg=page(390,800,"pt-BR","dark"); pg.goto(server.url+"/accounts/login/"); pg.screenshot(path=f"{OUT}/login-pt-dark-390.png")
            pg.goto(server.url+"/accounts/password/reset/"); pg.screenshot(path=f"{OUT}/reset-pt-dark-390.png")
            pg=page(); login(pg); pg.goto(server.url+"/profile/"); pg.screenshot(path=f"{OUT}/profile-es.png")
            pg.click(".rail__end details summary"); pg.wait_for_timeout(300); pg.screenshot(path=f"{OUT}/menu-es.png")
            pg.keyboard.press("Escape"); pg.click("[data-theme-toggle]"); pg.reload(); pg.screenshot(path=f"{OUT}/profile-dark-kept.png")
            assert pg.evaluate("document.documentElement.dataset.theme")=="dark"
            pg.click("button.btn--primary"); pg.wait_for_load_state(); pg.wait_for_timeout(200); pg.screenshot(path=f"{OUT}/profile-saved-dark.png")
            pg.goto(server.url+"/accounts/2fa/totp/activate/"); pg.screenshot(path=f"{OUT}/reauth-dark.png")
            pg.fill("[name=password]","demo-password"); pg.click(".entrance__card form button"); pg.wait_for_load_state(); pg.screenshot(path=f"{OUT}/totp-dark.png")
            pg.click("[data-theme-toggle]")
            pg.goto(server.url+"/accounts/2fa/"); pg.screenshot(path=f"{OUT}/mfa-es.png")
            cdp=pg.context.new_cdp_session(pg); cdp.send("WebAuthn.enable"); cdp.send("WebAuthn.addVirtualAuthenticator",{"options":{"protocol":"ctap2","transport":"internal","hasResidentKey":True,"hasUserVerification":True,"isUserVerified":True,"automaticPresenceSimulation":True}})
            pg.goto(server.url+"/accounts/2fa/webauthn/add/"); pg.check("[name=passwordless]"); pg.screenshot(path=f"{OUT}/key-add.png"); pg.click("#mfa_webauthn_add"); pg.wait_for_timeout(1200); print("after add", pg.url); pg.screenshot(path=f"{OUT}/after-key.png")
            pg.goto(server.url+"/accounts/2fa/webauthn/"); pg.screenshot(path=f"{OUT}/keys.png")
            pg.goto(server.url+"/accounts/2fa/recovery-codes/"); pg.screenshot(path=f"{OUT}/codes.png")
            pg.goto(server.url+"/accounts/logout/"); pg.screenshot(path=f"{OUT}/logout.png"); pg.click(".entrance__card button[type=submit]"); pg.wait_for_load_state(); print("after logout", pg.url)
            pg.click("#passkey_login"); pg.wait_for_timeout(1500); print("after passkey", pg.url)
            pg=page(); pg.goto(server.url+"/accounts/login/"); pg.click("#passkey_login"); pg.wait_for_timeout(800); pg.screenshot(path=f"{OUT}/passkey-failed.png")
            pg=page(390,800); login(pg,"ana@nube.test"); pg.goto(server.url+"/profile/"); pg.screenshot(path=f"{OUT}/profile-390.png")
            pg.goto(server.url+"/accounts/2fa/"); pg.screenshot(path=f"{OUT}/mfa-390.png")
            pg=page(); login(pg,"alone@nowhere.test"); pg.goto(server.url+"/profile/"); pg.screenshot(path=f"{OUT}/nocompany.png")
            pg=page(scheme="dark"); pg.goto(server.url+"/nothing/"); pg.screenshot(path=f"{OUT}/404-dark.png")
            b.close()
    finally:
        server.stop()
    for x in problems: print("PROBLEM",x)

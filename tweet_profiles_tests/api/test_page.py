"""The page in a browser: Debian's Chromium, headless."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tweet_profiles_tests.api.served import Api

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PAGES = ("/", "/segments/0", "/compare?a=0&b=1")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is missing: apt-get install chromium, or name one in CHROMIUM")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, api: Api) -> Iterator[Page]:
    """A page that is logged in as analyst; any fault in its console fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    opened = context.new_page()
    faults: list[str] = []
    opened.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    log_in(opened, api)
    yield opened
    context.close()
    assert faults == []


def log_in(page: Page, api: Api) -> None:
    page.goto(api.url)
    page.get_by_label("Key").fill(api.keys["analyst"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(api.url + "/")


def test_a_marketer_logs_in_reads_compares_and_downloads_a_brief(page: Page, api: Api) -> None:
    assert page.get_by_role("heading", level=3).count() == 4
    assert page.locator(".chart canvas").count() == 2
    page.get_by_role("link", name="Critical sceptics", exact=True).click()
    page.get_by_role("heading", name="Campaign brief").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    text = download.value.path().read_text()
    assert text.startswith("Critical sceptics:") and "Mood:" in text
    with page.expect_download() as download:
        page.get_by_role("link", name="as JSON").click()
    data = json.loads(download.value.path().read_text())
    assert data["name"] == "Critical sceptics" and data["targeting"]["languages"] == ["en", "de"]
    page.get_by_role("link", name="Compare").last.click()
    page.get_by_label("Second").select_option(label="Amplifying fans")
    page.get_by_role("button", name="Compare").click()
    names = page.locator(".two h2").all_inner_texts()
    assert names == ["Critical sceptics", "Amplifying fans"]
    page.get_by_role("button", name="Sign out").click()
    page.goto(api.url)
    assert page.url.startswith(api.url + "/login")


def test_a_brief_can_be_copied(page: Page, api: Api) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(api.url + "/segments/1")
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("Critical sceptics:")


def test_a_wrong_key_is_told_in_words(browser: Browser, api: Api) -> None:
    page = browser.new_page()
    page.goto(api.url)
    page.get_by_label("Key").fill("tp_wrong")
    page.get_by_role("button", name="Sign in").click()
    assert "not known" in page.get_by_role("alert").inner_text()
    page.close()


def test_the_page_is_used_by_keyboard_alone(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim()"))
    assert {"Segments", "Compare", "Sign out", "Critical sceptics"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(page: Page, api: Api, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    script = AXE.read_text()
    for path in (*PAGES, "/login"):
        page.goto(api.url + path)
        # evaluate is not bound by the page's content security policy, a script tag would be
        page.evaluate(script)
        found = page.evaluate("axe.run().then(result => result.violations)")
        serious = [
            (rule["id"], [node["html"][:120] for node in rule["nodes"]])
            for rule in found if rule["impact"] in ("serious", "critical")
        ]  # fmt: skip
        assert serious == [], path


def test_the_page_fits_a_phone(page: Page, api: Api) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for path in PAGES:
        page.goto(api.url + path)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path


def test_the_api_document_is_shown_without_another_site(page: Page, api: Api) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(api.url + "/api/v1/docs")
    page.get_by_text("/api/v1/segments/{segment}/brief").first.wait_for()
    assert all(url.startswith((api.url, "data:", "blob:")) for url in asked)


def test_screenshots_are_taken_where_asked(page: Page, api: Api, tmp_path: Path) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    shots = {"light": ("light", 1280, "/"), "dark": ("dark", 1280, "/"), "phone": ("light", 390, "/"),
             "segment": ("light", 1280, "/segments/1"), "compare": ("dark", 1280, "/compare?a=0&b=1")}  # fmt: skip
    for name, (scheme, width, path) in shots.items():
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(api.url + path)
        page.screenshot(path=folder / f"page_{name}.png", full_page=True)
        assert (folder / f"page_{name}.png").stat().st_size > 10_000

"""The page in a real browser: Chromium without a window, and without a network."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.report.page_studies import EVIL, evil, five_pairs, page_of
from tests.report.report_studies import two_pairs

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--disable-extensions",
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="no chromium and chromedriver (Debian: chromium, chromium-driver)",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    (folder / "pairs.html").write_text(page_of(two_pairs()), encoding="utf-8")
    (folder / "wide.html").write_text(page_of(five_pairs()), encoding="utf-8")
    (folder / "evil.html").write_text(page_of(evil()), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium, folder):
    """Opens a page as a medium, a colour scheme and a width would have it."""

    def show(name="pairs", width=1200, scheme="light", media=""):
        chromium.get_log("browser")
        chromium.get_log("performance")
        chromium.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False},
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        chromium.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": media, "features": features}
        )
        chromium.get((folder / f"{name}.html").as_uri())
        return chromium

    return show


def column(driver, table, index):
    script = """
        const rows = [...arguments[0].tBodies].filter(b => !b.hidden).flatMap(b => [...b.rows]);
        return rows.filter(r => !r.hidden && !r.matches('.group'))
                   .map(r => r.cells[arguments[1]].textContent.trim());
    """
    return driver.execute_script(script, table, index)


def tables(driver):
    return driver.find_elements("css selector", "table")


@pytest.mark.parametrize("name", ["pairs", "evil"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_goes_wrong_and_nothing_goes_out(browser, name, scheme):
    driver = browser(name, scheme=scheme)
    loaded = driver.execute_script(
        "return [...document.images].map(i => i.complete && i.naturalWidth > 0)"
    )
    assert loaded
    assert all(loaded)
    assert driver.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    urls = [
        e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"
    ]
    assert urls
    assert {url.split(":")[0] for url in urls} <= {"file", "data"}
    assert sum(url.startswith("file:") for url in urls) == 1


def test_hostile_labels_are_inert(browser):
    driver = browser("evil")
    assert driver.execute_script("return window.pwned") is None
    driver.execute_script("dispatchEvent(new Event('beforeprint'))")  # all sections unfold
    shown = driver.find_element("css selector", "main").text
    assert all(words in shown for words in EVIL)
    assert driver.find_elements("css selector", "[onload], [onerror], svg, body img[src='x']") == []
    # Even a script that got into the page would not run.
    driver.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.pwned = 2';"
        "document.body.append(s);"
        "document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=\"pwned = 3\">');"
    )
    assert driver.execute_async_script(
        "const done = arguments[0]; setTimeout(() => done(window.pwned ?? 'inert'), 200)"
    ) == "inert"  # fmt: skip


def test_sorting_by_click(browser):
    driver = browser()
    table = tables(driver)[1]  # one pair: baseline, two variants in a group, KD
    order = column(driver, table, 0)
    button = table.find_element("css selector", "thead th:nth-child(2) button")
    head = table.find_element("css selector", "thead th:nth-child(2)")
    assert head.get_attribute("aria-sort") is None
    button.click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert [text[:5] for text in column(driver, table, 1)] == ["71.15", "71.30", "72.38", "72.45"]
    button.click()
    assert head.get_attribute("aria-sort") == "descending"
    assert [text[:5] for text in column(driver, table, 1)] == ["72.45", "72.38", "71.30", "71.15"]
    assert driver.find_element("id", "sorted").get_attribute("textContent").startswith("Sorted by")
    button.click()
    assert head.get_attribute("aria-sort") is None
    assert column(driver, table, 0) == order


def test_what_has_no_value_stays_at_the_end(browser):
    driver = browser()
    table = tables(driver)[2]  # a variant without results, and the baseline without a difference
    button = table.find_element("css selector", "thead th:nth-child(4) button")
    for _ in range(2):
        button.click()
        assert column(driver, table, 3)[-2:] in (["", "—"], ["—", ""])


def test_words_in_columns_of_numbers_stay_at_the_end(browser):
    driver = browser()
    table = tables(driver)[2]  # p: of one row only; two are not tested yet
    button = table.find_element("css selector", "thead th:nth-child(5) button")
    for _ in range(2):
        button.click()
        assert column(driver, table, 4)[0] == "0.002"


def test_sorting_by_keyboard(browser):
    from selenium.webdriver.common.keys import Keys

    driver = browser()
    body = driver.find_element("css selector", "body")
    body.send_keys(Keys.TAB)
    assert driver.switch_to.active_element.text == "Skip to the results"
    assert driver.switch_to.active_element.rect["x"] >= 0
    driver.find_element("css selector", "nav a[href='#jobs']").click()
    jobs = next(t for t in tables(driver) if "Attempts" in t.text)
    for _ in range(120):
        active = driver.switch_to.active_element
        if active.tag_name == "button" and active.text == "Attempts":
            break
        active.send_keys(Keys.TAB)
    outline = driver.execute_script(
        "return getComputedStyle(document.activeElement).outlineStyle", active
    )
    assert outline == "solid"
    active.send_keys(Keys.ENTER)
    assert column(driver, jobs, 4)[-1] == "2"
    active.send_keys(Keys.SPACE)
    assert column(driver, jobs, 4)[0] == "2"
    assert (
        jobs.find_element("css selector", "[aria-sort]").get_attribute("aria-sort") == "descending"
    )


def test_jobs_settings_and_provenance_unfold_where_a_link_leads_to_them_and_on_paper(browser):
    driver = browser()
    folded = driver.find_elements("css selector", "main details")
    assert [one.get_property("open") for one in folded] == [False] * 3
    driver.find_element("css selector", "nav a[href='#settings']").click()
    assert [one.get_property("open") for one in folded] == [False, True, False]
    driver.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert [one.get_property("open") for one in folded] == [True] * 3


def test_labels_stay_in_sight_where_a_table_is_wider_than_the_screen(browser):
    driver = browser("pairs", width=400)
    box = next(
        one
        for one in driver.find_elements("css selector", "#results .scroll")
        if one.get_property("scrollWidth") > one.get_property("clientWidth")
    )
    label = box.find_element("css selector", "tbody th[scope=row]")
    before = label.rect["x"]
    driver.execute_script("arguments[0].scrollLeft = 200", box)
    assert box.get_property("scrollLeft") > 0
    assert label.rect["x"] == before


def test_numbers_cut_at_an_edge_fade_and_the_labels_hide_what_passes_below(browser):
    driver = browser("pairs", width=400)
    box = driver.find_elements("css selector", "#results .scroll")[1]
    row = box.find_element("css selector", "tbody tr.variant")
    edges = """
        const [box, row] = arguments, style = getComputedStyle(box);
        const fade = getComputedStyle(row.cells[0], '::after');
        return [style.maskImage !== 'none', style.borderRightColor !== 'rgba(0, 0, 0, 0)',
                fade.opacity === '1', getComputedStyle(row.cells[0]).backgroundColor];
    """

    def scrolled(to):
        wait = "const done = arguments[2]; arguments[0].scrollLeft = arguments[1];"
        frames = "requestAnimationFrame(() => requestAnimationFrame(() => done()));"
        driver.execute_async_script(wait + frames, box, to)
        right, line, left, label = driver.execute_script(edges, box, row)
        assert label.startswith("rgb("), "no transparency"
        assert line == right
        return left, right

    assert scrolled(0) == (False, True)
    assert scrolled(60) == (True, True)
    assert scrolled(9999) == (True, False)
    driver = browser("pairs", width=1400)
    box = driver.find_elements("css selector", "#results .scroll")[1]
    row = box.find_element("css selector", "tbody tr.variant")
    assert scrolled(0) == (False, False), "nothing is cut"


def test_a_table_that_scrolls_keeps_its_caption_and_its_headings_in_sight(browser):
    driver = browser("pairs", width=400)
    box = driver.find_elements("css selector", "#results .scroll")[1]
    caption = box.find_element("css selector", "caption")
    heading = box.find_element("css selector", "tr.group span")
    before = caption.rect["x"], heading.rect["x"]
    driver.execute_script("arguments[0].scrollLeft = 9999", box)
    assert box.get_property("scrollLeft") > 0
    assert (caption.rect["x"], heading.rect["x"]) == before


def test_light_and_dark(browser):
    colours, images = {}, {}
    for scheme in ("light", "dark"):
        driver = browser(scheme=scheme)
        script = "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
        colours[scheme] = [brightness(colour) for colour in driver.execute_script(script)]
        images[scheme] = driver.execute_script("return document.images[0].currentSrc")
    assert colours["light"][0] > 240 > 60 > colours["light"][1]
    assert colours["dark"][0] < 40 < 200 < colours["dark"][1]
    assert images["light"] != images["dark"]


def brightness(colour):
    red, green, blue = (int(number) for number in colour.strip("rgba()").split(",")[:3])
    return (red + green + blue) / 3


@pytest.mark.parametrize("name", ["pairs", "evil"])
@pytest.mark.parametrize("width", [400, 1200])
def test_the_page_never_scrolls_sideways(browser, name, width):
    driver = browser(name, width=width)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert driver.execute_script("return document.body.scrollWidth") <= width


def test_printed_no_pair_is_cut_off(browser):
    driver = browser("wide", width=690, media="print")
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 690


def test_printed_it_is_light_and_complete(browser):
    driver = browser(width=690, scheme="dark", media="print")
    script = """
        const style = s => getComputedStyle(document.querySelector(s));
        return [style('body').backgroundColor, style('nav').display, style('.scroll').overflowX,
                document.documentElement.scrollWidth, document.images[0].currentSrc];
    """
    paper, nav, overflow, width, image = driver.execute_script(script)
    assert brightness(paper) == 255
    assert (nav, overflow) == ("none", "visible")
    assert width <= 690
    assert image == driver.execute_script("return document.images[0].src")
    printed = driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})
    assert len(printed["data"]) > 20_000

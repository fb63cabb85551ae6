"""The page of a trace in headless Chromium, driven through chromedriver by the W3C WebDriver protocol."""

from __future__ import annotations

import base64
import json
import math
import os
import pathlib
import random
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from gradcheck.deriving.trace import Trace
from gradcheck.deriving.tracer import trace
from gradcheck.writing.trace.html import html
from gradcheck.writing.trace.spelling import number

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.referee,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs chromium and chromedriver"),
]

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --force-device-scale-factor=1 --hide-scrollbars --window-size=1200,1000"
)

NEURON = ("1/(1+exp(-(w0*x0+w1*x1+w2)))", {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0})
STAGED = ("(x + sigmoid(y))/(sigmoid(x) + (x+y)^2)", {"x": 3.0, "y": -4.0})
LECTURE = ("2*(x*y+max(z,w))", {"x": 3.0, "y": -4.0, "z": 2.0, "w": -1.0})
MORE = ("-log(a/b) + hypot(a, b)*erf(-c)^3 + gelu(c)", {"a": 0.4, "b": 2.5, "c": -0.7})
NAMES = ("-β - x_1*(x1 + -β)^2 + abs(β)", {"β": -1.5, "x_1": 0.25, "x1": 4.0})
MATRICES = (
    "-sum(t*log(softmax(x @ W + b)))",
    {"x": [1.0, 2.0], "W": [[1.0, 2], [0.4, 0.5]], "b": [0.0, 0], "t": [0, 1.0]},
)


class Browser:
    """A WebDriver session."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.driver = subprocess.Popen(
            [str(DRIVER), "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.driver.stdout is not None
        self.base = ""
        for line in self.driver.stdout:
            if found := re.search(r"successfully on port (\d+)", line):
                self.base = f"http://127.0.0.1:{found[1]}"
                break
        options = {"binary": CHROMIUM, "args": [*FLAGS.split(), f"--user-data-dir={folder / 'profile'}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        try:
            session = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        except Exception:
            self.stop()
            raise
        self.base += f"/session/{session}"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with self.opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as problem:
            with problem:
                raise AssertionError(problem.read().decode()) from None

    def run(self, script: str, *arguments: Any) -> Any:
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def devtools(self, command: str, **params: Any) -> Any:
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def open(self, page: str, name: str = "page") -> None:
        path = self.folder / f"{name}.html"
        path.write_text(page, encoding="utf-8")
        self.ask("POST", "/url", {"url": path.as_uri()})

    def log(self, kind: str) -> list[Any]:
        return self.ask("POST", "/se/log", {"type": kind})

    def point_at(self, selector: str) -> None:
        element = self.ask("POST", "/element", {"using": "css selector", "value": selector})
        move = {"type": "pointerMove", "origin": element, "x": 0, "y": 0, "duration": 0}
        self.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", selector)
        actions = [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [move]}]
        self.ask("POST", "/actions", {"actions": actions})

    def press(self, *keys: str) -> None:
        strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": strokes}]})

    def picture(self, path: pathlib.Path) -> None:
        path.write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))

    def close(self) -> None:
        try:
            self.ask("DELETE", "")
        finally:
            self.stop()

    def stop(self) -> None:
        self.driver.terminate()
        self.driver.wait()
        assert self.driver.stdout is not None
        self.driver.stdout.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    one = Browser(tmp_path_factory.mktemp("browser"))
    yield one
    one.close()


UP, DOWN, LEFT, RIGHT, TAB = "\ue013", "\ue015", "\ue012", "\ue014", "\ue004"

LIT = "return [...document.querySelectorAll('.lit')].map(e => e.id || e.tagName.toLowerCase()).sort()"
SEEN = """
return [...document.querySelectorAll('svg [data-at], .stages [data-at], .slope, .line')]
  .filter(e => getComputedStyle(e).visibility === 'visible').map(e => e.dataset.at).map(Number)
"""
NUMBERS = """
const found = {};
for (const e of document.querySelectorAll('data[data-n]')) found[e.dataset.n] = e.value;
return found
"""
TEXTS = """
return [...document.querySelectorAll('[data-n]:not(svg *)')].map(e => [e.dataset.n, e.textContent])
"""
PICTURE = """
return [...document.querySelectorAll('svg [data-n]')].map(e => [e.dataset.n, e.lastChild.data])
"""
TYPE = """
const field = document.getElementById('number-' + arguments[0]);
field.value = arguments[1];
field.dispatchEvent(new Event('input', {bubbles: true}));
"""


def show(browser: Browser, example: tuple[str, dict[str, Any]]) -> Trace:
    found = trace(*example)
    browser.open(html(found))
    return found


def floats(found: dict[str, str]) -> dict[str, float]:
    return {key: float(text.replace("Infinity", "inf")) for key, text in found.items()}


@pytest.mark.parametrize("example", [NEURON, STAGED, LECTURE, MORE, MATRICES])
def test_nothing_is_loaded_and_nothing_complains(browser: Browser, example: tuple[str, dict[str, Any]]) -> None:
    browser.log("performance"), browser.log("browser")
    show(browser, example)
    browser.press(TAB, RIGHT, LEFT)
    events = [json.loads(entry["message"])["message"] for entry in browser.log("performance")]
    asked = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
    # The browser's own first page may still be loading.
    asked = [one["request"]["url"] for one in asked if not one["documentURL"].startswith(("chrome", "about", "data"))]
    assert [url.partition(":")[0] for url in asked] == ["file"]
    assert browser.log("browser") == []


def test_the_policy_refuses_what_is_not_the_pages_own(browser: Browser) -> None:
    show(browser, LECTURE)
    browser.run(
        "const s = document.createElement('script'); s.textContent = 'window.intruder = 1'; document.body.append(s)"
    )
    assert browser.run("return window.intruder") is None
    assert any("Content Security Policy" in entry["message"] for entry in browser.log("browser"))


def test_what_belongs_together_lights_up(browser: Browser) -> None:
    show(browser, ("(x+y)*z", {"x": -2.0, "y": 5.0, "z": -4.0}))
    assert browser.run(LIT) == []
    browser.point_at("#box-3 .shape")
    by_box = browser.run(LIT)
    assert {"box-3", "wire-2", "tr", "section", "div", "mrow"} <= set(by_box)
    browser.point_at("tr[data-step='1'] .place")
    assert browser.run(LIT) == by_box
    browser.point_at("h1")
    assert browser.run(LIT) == []
    browser.run("document.querySelector('tr[data-step=\"1\"]').focus()")
    assert browser.run(LIT) == by_box
    browser.press(DOWN)
    assert browser.run("return document.activeElement.dataset.step") == "2"
    assert "box-4" in browser.run(LIT)
    assert "box-3" not in browser.run(LIT)
    browser.press(UP, UP)
    assert browser.run("return document.activeElement.dataset.step") == "leaf-2"


def test_everything_that_lights_up_can_be_reached_by_keyboard(browser: Browser) -> None:
    show(browser, STAGED)
    seen = set()
    for _ in range(60):
        browser.press(TAB)
        seen.add(browser.run("const a = document.activeElement; return a.id || a.className.baseVal || a.className"))
        outlined = "const a = document.activeElement; return a === document.body || a.matches(':focus-visible')"
        assert browser.run(outlined)
    assert {"box-0", "leaf", "line seed", "moment", "back", "forth", "range-0", "number-1"} <= {
        name.replace(" lit", "") for name in seen
    }


def test_the_walk_reveals_in_order(browser: Browser) -> None:
    found = show(browser, STAGED)
    steps = found.derivation.steps
    everything = sorted(browser.run(SEEN))
    last = max(everything)
    assert last == 2 * len(steps) + 1
    for position in range(last - 1, -1, -1):
        browser.run("document.getElementById('back').click()")
        assert sorted(browser.run(SEEN)) == [at for at in everything if at <= position]
    assert browser.run("return document.getElementById('said').textContent") == "The inputs are given."
    assert browser.run("return getComputedStyle(document.getElementById('value-0')).visibility") == "visible"
    assert browser.run("return getComputedStyle(document.getElementById('gradient-0')).visibility") == "hidden"
    browser.run("document.activeElement.blur()")
    browser.press(RIGHT)
    assert browser.run("return document.getElementById('said').textContent") == f"Forward, 1 of {len(steps)}: q = σ(y)"
    assert browser.run("return document.querySelectorAll('tr.current').length") == 1
    browser.run("const m = document.getElementById('moment'); m.value = m.max; m.dispatchEvent(new Event('input'))")
    assert sorted(browser.run(SEEN)) == everything


@pytest.mark.parametrize("example", [NEURON, STAGED, LECTURE, MORE, NAMES])
def test_moved_inputs_give_what_a_fresh_trace_gives(browser: Browser, example: tuple[str, dict[str, float]]) -> None:
    draw = random.Random(0)
    text, start = example
    for _ in range(4):
        point = {
            name: round(draw.uniform(0.1, 3), 3) * (1 if text == MORE[0] else draw.choice((1, -1))) for name in start
        }
        browser.open(html(trace(text, point)), "fresh")
        fresh, texts, drawn = floats(browser.run(NUMBERS)), browser.run(TEXTS), browser.run(PICTURE)
        browser.open(html(trace(text, start)))
        for k, value in enumerate(point.values()):
            browser.run(TYPE, k, repr(value))
        moved = floats(browser.run(NUMBERS))
        assert moved.keys() == fresh.keys()
        for key, value in fresh.items():
            assert math.isclose(moved[key], value, rel_tol=1e-9, abs_tol=1e-12), key
        assert browser.run(TEXTS) == texts
        for (key, shown), (other, wanted) in zip(browser.run(PICTURE), drawn, strict=True):
            assert key == other
            assert math.isclose(float(shown), float(wanted), rel_tol=1e-2), key
        assert browser.run("return document.body.classList.contains('elsewhere')")
        browser.run("document.getElementById('reset').click()")
        browser.run("document.getElementById('reset').click()")
        again = browser.run(TEXTS)
        browser.open(html(trace(text, start)))
        assert again == browser.run(TEXTS)
    assert browser.log("browser") == []


def test_a_slider_moves_its_input(browser: Browser) -> None:
    names = show(browser, LECTURE).derivation.quantities
    browser.run("document.getElementById('range-0').focus()")
    before = float(browser.run("return document.getElementById('number-0').value"))
    browser.press(RIGHT)
    x = float(browser.run("return document.getElementById('number-0').value"))
    assert x > before
    moved = floats(browser.run(NUMBERS))
    assert moved[f"v{names['x'].node}"] == x
    assert moved[f"g{names['y'].node}"] == 2 * x
    assert not browser.run("return document.querySelector('.moved').hidden")


def test_brackets_follow_the_sign(browser: Browser) -> None:
    show(browser, ("x*y", {"x": 2.0, "y": -3.0}))
    row = "return document.querySelector('tr.step .with').textContent"
    assert browser.run(row) == "2·(−3)"
    browser.run(TYPE, 1, "3")
    assert browser.run(row) == "2·3"
    browser.run(TYPE, 1, "-0.5")
    assert browser.run(row) == "2·(−0.5)"


def test_an_unreadable_number_changes_nothing(browser: Browser) -> None:
    show(browser, LECTURE)
    before = browser.run(TEXTS)
    browser.run(TYPE, 0, "")
    assert browser.run(TEXTS) == before
    assert browser.run("return document.getElementById('number-0').hasAttribute('aria-invalid')")


def test_poles_show_as_they_are(browser: Browser) -> None:
    found = show(browser, ("log(x)/y", {"x": 2.0, "y": 1.0}))
    cell = "return document.querySelector(`tr [data-n=v${arguments[0]}]`).textContent"
    for value, shown in [("-1", "nan"), ("0", "-inf"), ("1", "0")]:
        browser.run(TYPE, 0, value)
        assert browser.run(cell, found.derivation.steps[0].node) == shown


def test_numbers_are_written_as_python_writes_them(browser: Browser) -> None:
    show(browser, ("x*y", {"x": 2.0, "y": 3.0}))
    draw = random.Random(1)
    values = [draw.uniform(-1, 1) * 10 ** draw.randint(-20, 20) for _ in range(300)]
    values += [100000.5, 100001.5, 0.5, 1e-4, 1e-5, 99999.95, 999999.5, 1e15, 1e14 + 1, -0.0, 1e300, 5e-324, 1234567.5]
    script = f"""
    return arguments[0].map((x) => {{
      ((...arguments) => {{ {TYPE} }})(0, x);
      return document.querySelector('tr [data-n=v0]').textContent;
    }});
    """
    assert browser.run(script, [repr(v) for v in values]) == [number(v) for v in values]


def test_without_scripts_everything_is_there(browser: Browser) -> None:
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    try:
        show(browser, NEURON)
        hidden = browser.devtools(
            "Runtime.evaluate",
            returnByValue=True,
            expression="""[...document.querySelectorAll('[data-at], tr, .line, p')].filter(e => !e.closest('.scripted')
            && (getComputedStyle(e).visibility !== 'visible' || e.getClientRects().length === 0)).length""",
        )
        assert hidden["result"]["value"] == 0
        shown = browser.devtools(
            "Runtime.evaluate",
            returnByValue=True,
            expression="[...document.querySelectorAll('input, button')].filter(e => e.getClientRects().length).length",
        )
        assert shown["result"]["value"] == 0
        if "GRADCHECK_PICTURES" in os.environ:
            browser.picture(pathlib.Path(os.environ["GRADCHECK_PICTURES"]) / "no-script.png")
    finally:
        browser.devtools("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.parametrize("width", [320, 400, 800, 1200])
@pytest.mark.parametrize("example", [NEURON, STAGED, MATRICES])
def test_only_boxes_of_their_own_scroll_sideways(browser: Browser, width: int, example: tuple[str, Any]) -> None:
    browser.devtools("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    try:
        show(browser, example)
        assert browser.run("return document.documentElement.scrollWidth") <= width
    finally:
        browser.devtools("Emulation.clearDeviceMetricsOverride")

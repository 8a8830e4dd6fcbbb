"""A portal that answers from a script, and a pause that does not sleep."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from leadhouse.bitrix24.client import Bitrix24Client, Limits
from leadhouse.pace import Pause
from leadhouse.transport import Answer, Transport

URL = "https://acme.bitrix24.com/rest/1/q7w8e9r0t1y2u3i4/"
TIME = {
    "start": 1763712000.1,
    "date_start": "2026-11-21T12:00:00+03:00",
    "operating_reset_at": 1763712600,
    "operating": 0.1,
}
JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}

Scene = Answer | BaseException | Callable[[str, Any], Answer]


def answer(body: Any, status: int = 200) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(status, JSON_TYPE, json.dumps(body).encode())


def result(value: Any, **time: Any) -> Answer:
    """Return a successful answer."""
    return answer({"result": value, "time": {**TIME, **time}})


def refusal(code: Any, text: Any = "", status: int = 400) -> Answer:
    """Return an error answer."""
    return answer({"error": code, "error_description": text}, status)


def batch_result(results: Any, errors: Any = (), nexts: Any = (), times: Any = ()) -> Answer:
    """Return a batch's answer; empty members are lists, as PHP has them."""
    return result(
        {
            "result": results or [],
            "result_error": errors or [],
            "result_total": [],
            "result_next": nexts or [],
            "result_time": times or [],
        }
    )


class ScriptedTransport(Transport):
    """Answers the requests one after another; the last scene goes on for ever."""

    def __init__(self, scenes: Iterable[Scene]) -> None:
        super().__init__()
        self.scenes = list(scenes)
        self.urls: list[str] = []
        self.sent: list[Any] = []

    def post_json(self, url: str, body: bytes, *, portal: str, method: str) -> Answer:  # noqa: ARG002 - the real one's
        """Play the next scene."""
        self.urls.append(url)
        self.sent.append(json.loads(body))
        scene = self.scenes.pop(0) if len(self.scenes) > 1 else self.scenes[0]
        if isinstance(scene, BaseException):
            raise scene
        return scene if isinstance(scene, Answer) else scene(method, self.sent[-1])


class Clock:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let the seconds pass."""
        self.slept.append(seconds)
        self.now += seconds

    def pause(self) -> Pause:
        """Return a pause on this clock."""
        return Pause(monotonic=lambda: self.now, sleep=self.sleep)


def scripted(*scenes: Scene, limits: Limits | None = None) -> tuple[Bitrix24Client, ScriptedTransport, Clock]:
    """Return a client whose portal plays `scenes`, with its transport and its clock."""
    transport, clock = ScriptedTransport(scenes), Clock()
    return Bitrix24Client(URL, limits=limits, pause=clock.pause(), transport=transport), transport, clock


def by_method(answers: Mapping[str, Any]) -> Callable[[str, Any], Answer]:
    """Return a scene that answers each method with its result."""
    return lambda method, _: result(answers[method])

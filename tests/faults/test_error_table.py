"""Every code of the error table, told by a real portal: its class, its exit status, and whether it is tried again."""

from collections.abc import Callable, Iterator

import pytest

from faults.conftest import Waits
from leadhouse.bitrix24.client import Bitrix24Client, Command, Limits
from leadhouse.bitrix24.codes import CODES
from leadhouse.cli import main
from leadhouse.errors import (
    LeadhouseError,
    LeadNotFoundError,
    OperatorError,
    PermissionDeniedError,
    PortalBusyError,
    PortalFaultError,
    PortalMethodError,
    TransientError,
)
from leadhouse.sandbox.bitrix24 import Portal
from scene import Scene

_ATTEMPTS = 3
# ACCESS_DENIED is the plan's code only with this status; crm.item.* says it of one item.
_STATUS = {"ACCESS_DENIED": 403}


@pytest.fixture
def client(scene: Scene) -> Iterator[Bitrix24Client]:
    client = Bitrix24Client(scene.url, limits=Limits(drain=1000, burst=1000, attempts=_ATTEMPTS, patience_s=100))
    yield client
    client.close()


@pytest.mark.parametrize("spelling", [str.upper, str.lower])
@pytest.mark.parametrize("code", sorted(CODES))
def test_a_code_raises_its_class_and_only_what_may_pass_is_tried_again(
    client: Bitrix24Client, portal: Portal, waits: Waits, code: str, spelling: Callable[[str], str]
) -> None:
    portal.faults.add("error", None, code=spelling(code), status=_STATUS.get(code, 400), description="Something secret")
    with pytest.raises(CODES[code].error) as failed:
        client.call("crm.lead.list")
    problem = failed.value
    assert type(problem) is CODES[code].error
    assert problem.code.upper() == code
    assert str(problem).startswith(f"{client.portal} crm.lead.list ")
    assert CODES[code].text in str(problem)
    assert "Something secret" not in str(problem)
    if isinstance(problem, OperatorError):
        assert (problem.exit_code, portal.http_requests, client.traffic.retries) == (2, 1, 0)
    elif isinstance(problem, PortalBusyError):
        assert (problem.exit_code, portal.http_requests > 1) == (1, True)
        assert 50 < sum(waits.limits) < 105, "patience is waited out, not exceeded"
    else:
        assert (problem.exit_code, portal.http_requests, client.traffic.retries) == (1, _ATTEMPTS, _ATTEMPTS - 1)


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_code_means_the_same_inside_a_batch(client: Bitrix24Client, portal: Portal, code: str) -> None:
    portal.faults.add("command_error", None, match="crm.lead.list", code=code, description="Whatever commercial")
    answer = client.batch({"a": Command("crm.lead.list"), "b": Command("server.time")}, halt=False)
    assert type(answer.errors["a"]) is CODES[code].error
    assert answer.errors["a"].method == "crm.lead.list"
    assert list(answer.results) == ["b"]
    assert portal.http_requests == 1


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(
    ("code", "description", "status", "expected"),
    [
        ("", "Access denied.", 400, PermissionDeniedError),
        ("", "Not found", 400, LeadNotFoundError),
        (0, "Access denied", 400, PermissionDeniedError),
        ("ACCESS_DENIED", "Access denied", 400, PermissionDeniedError),
        ("", "Too many requests", 503, PortalBusyError),
        ("NEW_CODE", "?", 500, PortalFaultError),
        ("NEW_CODE", "?", 503, PortalFaultError),
        ("NEW_CODE", "?", 429, PortalFaultError),
        ("NEW_CODE", "?", 403, PortalMethodError),
        ("", "", 400, PortalMethodError),
    ],
)
def test_where_the_code_says_nothing_text_and_status_decide(
    client: Bitrix24Client,
    portal: Portal,
    *,
    code: str,
    description: str,
    status: int,
    expected: type[LeadhouseError],
) -> None:
    portal.faults.add("error", None, code=code, description=description, status=status)
    with pytest.raises(LeadhouseError) as failed:
        client.call("crm.lead.list")
    assert type(failed.value) is expected
    assert (portal.http_requests > 1) == isinstance(failed.value, TransientError)


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(
    ("code", "exit_code", "cure"),
    [
        ("INVALID_CREDENTIALS", 2, "update webhook_url"),
        ("insufficient_scope", 2, "tick crm and user"),
        ("OVERLOAD_LIMIT", 2, "the vendor's support"),
        ("INTERNAL_SERVER_ERROR", 1, "internal error"),
        ("QUERY_LIMIT_EXCEEDED", 1, "limit is used up"),
    ],
)
@pytest.mark.usefixtures("own_logging")
def test_the_command_ends_with_one_line_and_the_exit_status_of_the_class(
    scene: Scene, *, capfd: pytest.CaptureFixture[str], code: str, exit_code: int, cure: str
) -> None:
    scene.portal.faults.add("error", None, match="batch", code=code, status=403)
    with pytest.raises(SystemExit) as ended:
        main(["sync", "bitrix24", "--to", scene.to, "--webhook-url", scene.url])
    assert ended.value.code == exit_code
    out, err = capfd.readouterr()
    said = [line for line in err.splitlines() if not line.startswith("{")]
    assert len(said) == 1
    assert said[0].startswith("leadhouse: ")
    assert cure in said[0]
    assert "Traceback" not in out + err

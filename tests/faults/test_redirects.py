"""A renamed portal answers with a redirect: followed for POST where that is safe, with a hint to the operator."""

from collections.abc import Iterator

import pytest
import structlog

from leadhouse.errors import ConfigurationError, CredentialsError, PortalFaultError
from leadhouse.sandbox.bitrix24 import Portal, serve
from scene import Scene, small_portal


@pytest.fixture
def renamed() -> Iterator[tuple[Portal, str]]:
    """The portal under its new name: the same leads, another address."""
    portal = small_portal(leads=160, seed=11)
    with serve(portal) as served:
        yield portal, served.url


def _origin(url: str) -> str:
    return url.partition("/rest/")[0]


def test_a_renamed_portal_is_followed_with_one_warning(scene: Scene, renamed: tuple[Portal, str]) -> None:
    new, url = renamed
    scene.portal.faults.add("redirect", times=None, to=_origin(url))
    with structlog.testing.capture_logs() as logs:
        assert scene.sync().outcome == "done"
    assert scene.portal.http_requests == 1
    assert new.http_requests > 1
    warnings = [entry for entry in logs if entry["log_level"] == "warning"]
    assert len(warnings) == 1
    assert "update webhook_url" in warnings[0]["event"]
    assert warnings[0]["new_host"] == _origin(url).removeprefix("http://")
    assert new.code not in str(logs)
    Scene(new, url, scene.to).check()


def test_a_redirect_to_plain_http_is_refused(scene: Scene) -> None:
    scene.portal.faults.add("redirect", times=None, to="http://crm.example.com")
    with pytest.raises(ConfigurationError, match=r"plain http .* use https"):
        scene.sync()
    assert scene.portal.http_requests == 1


@pytest.mark.parametrize("to", ["/login", ""])
def test_a_redirect_to_a_page_of_the_portal_is_no_answer(scene: Scene, to: str) -> None:
    scene.portal.faults.add("redirect", times=None, to=_origin(scene.url) + to)
    with pytest.raises(CredentialsError, match="check webhook_url"):
        scene.sync()
    assert scene.portal.http_requests == 1


@pytest.mark.usefixtures("waits")
def test_portals_that_point_at_each_other_are_left(scene: Scene, renamed: tuple[Portal, str]) -> None:
    new, url = renamed
    scene.portal.faults.add("redirect", times=None, to=_origin(url))
    new.faults.add("redirect", times=None, to=_origin(scene.url))
    with pytest.raises(PortalFaultError, match="too many redirects"):
        scene.sync()
    assert scene.portal.http_requests + new.http_requests < 40

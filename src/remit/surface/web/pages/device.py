"""The pages of devices: where a code is typed, what a device asks, and that it was answered."""

from starlette.responses import Response

from remit.authority.oauth.endpoints.device import DeviceAsk
from remit.kernel.errors import RemitError
from remit.kernel.pace import retry_after
from remit.oversight.approvals.visible import show
from remit.surface.web.errors import status_of
from remit.surface.web.pages.consent import known_as, name_of_client
from remit.surface.web.pages.paper import Paper

_TOO_MANY = 429


class DevicePage:
    """Draws the pages; they change nothing, only their forms do."""

    def __init__(self, *, paper: Paper) -> None:
        self._paper = paper

    def type_code(self, *, csrf: str, error: str = "", status: int = 200) -> Response:
        """Ask for the code: it is typed by hand, whatever a link says."""
        return self._paper.page("device.html", status=status, csrf=csrf, error=error)

    def wrong_code(self, refused: RemitError, *, csrf: str) -> Response:
        """Say that it was none, or that no more is taken now."""
        response = self.type_code(csrf=csrf, error=refused.hint, status=status_of(refused))
        if response.status_code == _TOO_MANY:
            response.headers["retry-after"] = retry_after()
        return response

    def draw(self, found: DeviceAsk, *, csrf: str, here: str) -> Response:
        """Show client, place and what exactly is asked; `here` is where this browser is."""
        ask, device = found.ask, found.device
        return self._paper.page(
            "device_ask.html",
            client=show(ask.registration.name),
            client_id=show(name_of_client(ask.registration)),
            known=known_as(ask.registration),
            agent=None if ask.agent is None else show(ask.agent.name),
            who=show(ask.person.name),
            lines=[show(line) for line in ask.offer.lines],
            resource=show(ask.offer.resource),
            until=ask.offer.ends_at,
            place=show(device.place),
            elsewhere=device.place != here,
            began_at=device.begun_at,
            expires_at=ask.pending.expires_at,
            csrf=csrf,
        )

    def answered(self, *, allowed: bool, why: str = "") -> Response:
        """Say that it is done; the device finds out by itself."""
        if allowed:
            title, text = "Allowed", "Go back to the device: it goes on by itself. You can close this page."
        elif why:
            title, text = "This can't be given", f"The device gets nothing: {why}."
        else:
            title, text = (
                "Denied",
                "The device gets nothing. If you did not start this, somebody else tried to.",
            )
        return self._paper.page("message.html", title=title, text=text)

    def refused(self, refused: RemitError, *, status: int) -> Response:
        """Say that there is nothing to answer, and why."""
        return self._paper.page(
            "message.html", status=status, title="This code can't be answered", text=refused.hint
        )

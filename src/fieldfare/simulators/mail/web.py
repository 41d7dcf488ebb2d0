"""The sink over HTTP: mails as JSON for programs, `/inbox` for a person, `/_control` for faults.

What must hold: what a mail holds is shown and never trusted. Its HTML is served behind a policy
that runs no script, loads nothing and gives it no origin, and no other site's page reads or changes
anything here.
"""

from typing import Annotated, Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from litestar import Litestar, MediaType, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from fieldfare.simulators.mail.box import MailBox
from fieldfare.simulators.mail.listener import Listener
from fieldfare.simulators.mail.model import Fault, KeptMail

AnyRequest = Request[Any, Any, Any]

_OWN_PAGE = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'"
_MAILS_HTML = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; "
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
)
_templates = Environment(
    loader=PackageLoader("fieldfare.simulators.mail"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
)


def create_app(box: MailBox, listener: Listener) -> Litestar:
    """The application of one sink."""
    return Litestar(
        route_handlers=[
            list_mails,
            get_mail,
            clear,
            inbox,
            shown_mail,
            mails_html,
            show_control,
            set_control,
        ],
        before_request=_refuse_other_sites,
        openapi_config=None,
        logging_config=None,
        state=State({"box": box, "listener": listener}),
    )


def _refuse_other_sites(request: AnyRequest) -> None:
    host = request.headers.get("host", "").partition(":")[0]
    # A name of theirs that leads to this machine would make their page one of this site's.
    is_ours = host in {"127.0.0.1", "localhost"}
    if not is_ours or request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        raise PermissionDeniedException("Another site's page may not use the mail sink.")


def _box(state: State) -> MailBox:
    box: MailBox = state["box"]
    return box


def _mail(state: State, identifier: str) -> KeptMail:
    mail = _box(state).find(identifier)
    if mail is None:
        raise NotFoundException("There is no mail with this id. GET / lists them all.")
    return mail


@get("/")
async def list_mails(
    state: State,
    to: FromQuery[str | None] = None,
    limit: Annotated[int | None, QueryParameter(ge=1)] = None,
) -> list[KeptMail]:
    """Every mail, newest first; `to` keeps those to one address, `limit` the newest of them."""
    mails = [mail for mail in _box(state).list_newest() if to is None or to in mail.to]
    return mails[:limit]


@get("/{identifier:str}")
async def get_mail(state: State, identifier: FromPath[str]) -> KeptMail:
    """One mail."""
    return _mail(state, identifier)


@delete("/", status_code=200)
async def clear(state: State) -> dict[str, int]:
    """Throw all mail away."""
    return {"deleted": _box(state).clear()}


@get("/_control")
async def show_control(state: State) -> Fault:
    """The fault of the moment."""
    listener: Listener = state["listener"]
    return listener.fault


@post("/_control", status_code=200)
async def set_control(state: State, data: JSONBody[Fault]) -> Fault:
    """Behave like this from now on."""
    listener: Listener = state["listener"]
    await listener.set_fault(data)
    return listener.fault


@get("/inbox")
async def inbox(state: State) -> Response[str]:
    """The newest mail and a list of all, for a person."""
    mails = _box(state).list_newest()
    return _page(mails, mails[0] if mails else None)


@get("/inbox/{identifier:str}")
async def shown_mail(state: State, identifier: FromPath[str]) -> Response[str]:
    """One mail beside the list, for a person."""
    return _page(_box(state).list_newest(), _mail(state, identifier))


@get("/inbox/{identifier:str}/html")
async def mails_html(state: State, identifier: FromPath[str]) -> Response[str]:
    """A mail's own HTML, for the frame that shows it."""
    mail = _mail(state, identifier)
    return _html(mail.html, policy=_MAILS_HTML)


def _page(mails: list[KeptMail], shown: KeptMail | None) -> Response[str]:
    page = _templates.get_template("inbox.html").render(mails=mails, shown=shown)
    return _html(page, policy=_OWN_PAGE)


def _html(content: str, *, policy: str) -> Response[str]:
    headers = {"Content-Security-Policy": policy}
    return Response(content, media_type=MediaType.HTML, headers=headers)

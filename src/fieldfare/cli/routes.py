"""`fieldfare routes`: every endpoint, with the file and line that serves it."""

import inspect
from pathlib import Path

from fieldfare.cli.steps import say


def routes_command() -> None:
    """Print method, path, what it needs and the handler of every endpoint.

    Example: fieldfare routes
    """
    # Loaded here: it brings the whole product in, which no other command's --help should wait for.
    import fieldfare
    from fieldfare.routes import ROUTES

    root = Path(fieldfare.__file__).parent.parent
    for route in ROUTES:
        file = Path(inspect.getsourcefile(route.handler) or "").relative_to(root)
        line = inspect.getsourcelines(route.handler)[1]
        path = route.path.replace(":str}", "}")
        say(
            f"{route.method:<5} {path:<32} {route.needs:<8} {route.handler.__name__:<22} "
            f"src/{file}:{line}"
        )

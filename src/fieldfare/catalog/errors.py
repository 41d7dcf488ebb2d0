"""What can be wrong with a question to the catalogue, or with a change of it.

The first group is told to API clients, the second to operators.
"""

from fieldfare.kernel.errors import InvalidRequest, Unavailable


class PortfolioNotFound(InvalidRequest):
    """There is no such portfolio, or it is another account's: one answer for both."""

    code = "portfolio_not_found"

    def __init__(self, portfolio_id: int) -> None:
        super().__init__(
            f"There is no portfolio {portfolio_id}. GET /api/portfolios lists those you can order.",
            param="portfolioId",
        )


class PortfolioClosed(InvalidRequest):
    """The portfolio, or a project in it, is not sold any more."""

    code = "portfolio_closed"

    def __init__(self, portfolio_id: int) -> None:
        super().__init__(
            f"Portfolio {portfolio_id} is sold out. GET /api/portfolios lists those you can order.",
            param="portfolioId",
        )


class NothingForSale(Unavailable):
    """There is no default portfolio: the catalogue has not been imported yet, or it is closed."""

    code = "no_default_portfolio"


class NoTreeProvider(Unavailable):
    """No project is marked as the one that tree orders go to, or it has no price yet."""

    code = "no_tree_provider"

    def __init__(self) -> None:
        super().__init__("Trees are not sold here at the moment. Ask again later.")


class TreesSoldOut(InvalidRequest):
    """The project that tree orders go to is closed."""

    code = "trees_sold_out"

    def __init__(self) -> None:
        super().__init__(
            "Trees are sold out at the moment. Ask again later, or order tonnes by "
            "POST /api/offset-orders."
        )


class ProjectClosed(InvalidRequest):
    """The project is not sold any more, or not yet."""

    code = "project_closed"

    def __init__(self, project_id: int) -> None:
        super().__init__(
            f"Project {project_id} is sold out. Name another one: GET /api/portfolios shows "
            "projects with their ids.",
            param="projectId",
        )


class UseTreeOrders(InvalidRequest):
    """The project is priced per tree, so it is ordered by a number of trees."""

    code = "use_tree_orders"

    def __init__(self, project_id: int) -> None:
        super().__init__(
            f"Project {project_id} is priced per tree. Order a number of trees by "
            "POST /api/tree-orders.",
            param="projectId",
        )


class ProjectNotFound(InvalidRequest):
    """No project has this id."""

    code = "project_not_found"


class PriceTooSoon(InvalidRequest):
    """A price must be known to every process before it takes effect."""

    code = "price_too_soon"


class PriceRefused(InvalidRequest):
    """The price is out of bounds, or the project cannot have it."""

    code = "invalid_price"


class WeightsRefused(InvalidRequest):
    """The weights of a portfolio cannot be sold."""

    code = "invalid_weights"


class CatalogueRefused(InvalidRequest):
    """The description of a catalogue cannot be read, or contradicts itself or what is kept."""

    code = "invalid_catalogue"

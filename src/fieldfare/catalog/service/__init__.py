"""What other features may ask of the catalogue, and how it is changed.

`reading` what is sold, kept in memory; `changing` prices and portfolios; `presets` catalogues as
files; `verifying` the rows against the changes that were asked for.
"""

from fieldfare.catalog.service.changing import (
    Imported,
    create_custom_portfolio,
    import_catalogue,
    set_price,
)
from fieldfare.catalog.service.presets import (
    demo_file,
    load_preset,
    micro_from_dollars,
    preset_catalogue,
    read_preset,
)
from fieldfare.catalog.service.reading import (
    CatalogDesk,
    CatalogueCache,
    LiveCatalogDesk,
    get_portfolio,
    get_project,
    get_tree_provider,
    image_address,
    load_catalogue,
    portfolios_for,
)
from fieldfare.catalog.service.verifying import verify_catalogue

__all__ = [
    "CatalogDesk",
    "CatalogueCache",
    "Imported",
    "LiveCatalogDesk",
    "create_custom_portfolio",
    "demo_file",
    "get_portfolio",
    "get_project",
    "get_tree_provider",
    "image_address",
    "import_catalogue",
    "load_catalogue",
    "load_preset",
    "micro_from_dollars",
    "portfolios_for",
    "preset_catalogue",
    "read_preset",
    "set_price",
    "verify_catalogue",
]

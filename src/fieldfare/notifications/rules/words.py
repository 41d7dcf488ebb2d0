"""The words of receipts, and those that all our mails share, in every language of an account.

What must hold: a language has every word or does not pass the type checker. `{…}` is filled in.
"""

import msgspec

from fieldfare.kernel.languages import Language
from fieldfare.notifications.model import LineKind, PaymentMethod


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a receipt says besides names and figures."""

    colon: str
    """What stands between a label and its value; French sets a blank before it."""
    receipt: str
    greeting: str
    greeting_without_name: str
    thanks: str
    donation_headline: str
    projects: str
    kinds: dict[LineKind, str]
    price: str
    exchange_rate: str
    rate_day: str
    included_tax: str
    net: str
    charged: str
    receipt_number: str
    order: str
    paid_on: str
    paid_with: str
    methods: dict[PaymentMethod, str]
    seller: str
    buyer: str
    tax_id: str
    button: str
    footer: str


_EN = Words(
    colon=":",
    receipt="Receipt",
    greeting="Hello {name},",
    greeting_without_name="Hello,",
    thanks="Thank you for your order. Here is what you paid, and where it goes.",
    donation_headline="{amount} for climate projects",
    projects="Where it goes",
    kinds={"offset": "Offset", "tree": "Trees", "donation": "Donation"},
    price="Price",
    exchange_rate="Exchange rate",
    rate_day="{rate}, {day}",
    included_tax="{label} included, {rate}",
    net="Net",
    charged="Total paid",
    receipt_number="Receipt number",
    order="Order",
    paid_on="Paid on",
    paid_with="Paid with",
    methods={"stripe": "Card", "credits": "Prepaid credits"},
    seller="Seller",
    buyer="Buyer",
    tax_id="tax ID {id}",
    button="View your certificate",
    footer="{seller} sent this mail once, because a receipt was asked for with the order.",
)  # fmt: skip

_DE = Words(
    colon=":",
    receipt="Beleg",
    greeting="Guten Tag {name},",
    greeting_without_name="Guten Tag,",
    thanks="vielen Dank für Ihre Bestellung. Das haben Sie bezahlt, und dahin geht es.",
    donation_headline="{amount} für Klimaprojekte",
    projects="Wohin es geht",
    kinds={"offset": "Ausgleich", "tree": "Bäume", "donation": "Spende"},
    price="Preis",
    exchange_rate="Wechselkurs",
    rate_day="{rate}, {day}",
    included_tax="Enthaltene {label}, {rate}",
    net="Netto",
    charged="Bezahlt",
    receipt_number="Belegnummer",
    order="Bestellung",
    paid_on="Bezahlt am",
    paid_with="Bezahlt mit",
    methods={"stripe": "Karte", "credits": "Guthaben"},
    seller="Verkäufer",
    buyer="Käufer",
    tax_id="Steuernummer {id}",
    button="Zertifikat ansehen",
    footer=(
        "{seller} hat diese Mail einmal gesendet, weil zur Bestellung ein Beleg gewünscht war."
    ),
)  # fmt: skip

_FR = Words(
    colon="\u00a0:",
    receipt="Reçu",
    greeting="Bonjour {name},",
    greeting_without_name="Bonjour,",
    thanks="Merci pour votre commande. Voici ce que vous avez payé, et où va votre argent.",
    donation_headline="{amount} pour des projets climatiques",
    projects="Où va votre argent",
    kinds={"offset": "Compensation", "tree": "Arbres", "donation": "Don"},
    price="Prix",
    exchange_rate="Taux de change",
    rate_day="{rate}, {day}",
    included_tax="Dont {label}, {rate}",
    net="Hors taxe",
    charged="Total payé",
    receipt_number="Numéro du reçu",
    order="Commande",
    paid_on="Payé le",
    paid_with="Payé par",
    methods={"stripe": "Carte", "credits": "Crédits prépayés"},
    seller="Vendeur",
    buyer="Acheteur",
    tax_id="n° fiscal {id}",
    button="Voir votre certificat",
    footer=(
        "{seller} a envoyé ce message une seule fois, car un reçu a été demandé avec la commande."
    ),
)  # fmt: skip

_ES = Words(
    colon=":",
    receipt="Recibo",
    greeting="Hola, {name}:",
    greeting_without_name="Hola:",
    thanks="Gracias por su pedido. Esto es lo que ha pagado y adónde va su dinero.",
    donation_headline="{amount} para proyectos climáticos",
    projects="Adónde va su dinero",
    kinds={"offset": "Compensación", "tree": "Árboles", "donation": "Donación"},
    price="Precio",
    exchange_rate="Tipo de cambio",
    rate_day="{rate}, {day}",
    included_tax="{label} incluido, {rate}",
    net="Neto",
    charged="Total pagado",
    receipt_number="Número de recibo",
    order="Pedido",
    paid_on="Pagado el",
    paid_with="Pagado con",
    methods={"stripe": "Tarjeta", "credits": "Saldo prepago"},
    seller="Vendedor",
    buyer="Comprador",
    tax_id="NIF {id}",
    button="Ver su certificado",
    footer="{seller} envió este correo una sola vez, porque con el pedido se solicitó un recibo.",
)  # fmt: skip

WORDS: dict[Language, Words] = {"en": _EN, "de": _DE, "fr": _FR, "es": _ES}

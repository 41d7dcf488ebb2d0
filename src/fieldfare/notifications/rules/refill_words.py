"""The words of the mail about a refill that came to nothing, in every language of an account.

What must hold: a language has every word or does not pass the type checker. `{…}` is filled in.
Where a bank's reason tells of theft or fraud, the reader is told that it declined, and no more.
"""

from typing import Literal

import msgspec

from fieldfare.kernel.languages import Language

Reason = Literal[
    "declined", "funds", "expired", "confirm", "limit", "no_card", "no_rate", "too_much", "refused"
]
Step = Literal["other_card", "add_card", "less", "ask_us"]


class RefillWords(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the mail says besides names and figures."""

    title: str
    failed: str
    switched_off: str
    amount: str
    what: str
    again: str
    off: str
    reasons: dict[Reason, str]
    steps: dict[Step, str]
    reason: str
    tried_at: str
    in_a_row: str
    of_tries: str
    account: str
    footer: str


_EN = RefillWords(
    title="Automatic refill",
    failed="Your credits were not refilled",
    switched_off="Automatic refills are switched off",
    amount="Amount",
    what="Your credits are running low, and a refill of {amount} did not go through.",
    again="We will try again in about an hour, if your credits are still low by then.",
    off=(
        "We do not try again: refills stay off until you have them switched on again. Orders paid "
        "from credits are refused once your credits are used up."
    ),
    reasons={
        "declined": "The bank declined the charge",
        "funds": "There was not enough money on the card",
        "expired": "The card has expired",
        "confirm": "The bank wants you to confirm each charge, which a refill cannot ask for",
        "limit": "The card has reached its limit",
        "no_card": "No card is on file",
        "no_rate": "There is no exchange rate for your currency at present",
        "too_much": "A card cannot be charged this amount at once",
        "refused": "The card processor refused the charge",
    },
    steps={
        "other_card": "Please put another card on file, or ask the bank that issued this one.",
        "add_card": "Please put a card on file.",
        "less": "Please choose another amount for your refills.",
        "ask_us": "The card is not at fault. If this comes again, please write to us.",
    },
    reason="Reason",
    tried_at="Tried on",
    in_a_row="Failures in a row",
    of_tries="{number} (refills are switched off after {tries})",
    account="Account",
    footer="{seller} sent this mail once, because automatic refills were set for this account.",
)

_DE = RefillWords(
    title="Automatische Aufladung",
    failed="Ihr Guthaben wurde nicht aufgeladen",
    switched_off="Die automatische Aufladung ist ausgeschaltet",
    amount="Betrag",
    what="Ihr Guthaben geht zur Neige, und eine Aufladung über {amount} ist gescheitert.",
    again="Wir versuchen es in etwa einer Stunde wieder, falls das Guthaben dann noch niedrig ist.",
    off=(
        "Wir versuchen es nicht wieder: Die Aufladung bleibt aus, bis Sie sie wieder einschalten "
        "lassen. Bestellungen auf Guthaben werden abgelehnt, sobald es aufgebraucht ist."
    ),
    reasons={
        "declined": "Die Bank hat die Abbuchung abgelehnt",
        "funds": "Auf der Karte war nicht genug Geld",
        "expired": "Die Karte ist abgelaufen",
        "confirm": (
            "Die Bank verlangt für jede Abbuchung Ihre Bestätigung, um die eine Aufladung nicht "
            "bitten kann"
        ),
        "limit": "Das Limit der Karte ist erreicht",
        "no_card": "Es ist keine Karte hinterlegt",
        "no_rate": "Für Ihre Währung gibt es zurzeit keinen Wechselkurs",
        "too_much": "Dieser Betrag kann nicht auf einmal abgebucht werden",
        "refused": "Der Zahlungsdienst hat die Abbuchung nicht angenommen",
    },
    steps={
        "other_card": (
            "Bitte hinterlegen Sie eine andere Karte, oder fragen Sie die Bank, die diese "
            "ausgegeben hat."
        ),
        "add_card": "Bitte hinterlegen Sie eine Karte.",
        "less": "Bitte wählen Sie einen anderen Betrag für die Aufladung.",
        "ask_us": "An der Karte liegt es nicht. Kommt es wieder vor, schreiben Sie uns bitte.",
    },
    reason="Grund",
    tried_at="Versucht am",
    in_a_row="Fehlschläge in Folge",
    of_tries="{number} (nach {tries} wird die Aufladung ausgeschaltet)",
    account="Konto",
    footer=(
        "{seller} hat diese Mail einmal gesendet, weil für das Konto die automatische Aufladung "
        "eingerichtet wurde."
    ),
)

_FR = RefillWords(
    title="Recharge automatique",
    failed="Vos crédits n’ont pas été rechargés",
    switched_off="La recharge automatique est désactivée",
    amount="Montant",
    what="Vos crédits s’épuisent, et une recharge de {amount} a échoué.",
    again=(
        "Nous réessaierons dans une heure environ, si vos crédits sont encore bas à ce moment-là."
    ),
    off=(
        "Nous ne réessaierons pas : la recharge reste désactivée jusqu’à ce que vous la fassiez "
        "réactiver. Les commandes payées en crédits sont refusées dès que ceux-ci sont épuisés."
    ),
    reasons={
        "declined": "La banque a refusé le débit",
        "funds": "Les fonds disponibles sur la carte étaient insuffisants",
        "expired": "La carte a expiré",
        "confirm": (
            "La banque vous demande de confirmer chaque débit, ce qu’une recharge ne peut pas faire"
        ),
        "limit": "La carte a atteint son plafond",
        "no_card": "Aucune carte n’est enregistrée",
        "no_rate": "Il n’y a pas de taux de change pour votre devise en ce moment",
        "too_much": "Ce montant ne peut pas être débité en une seule fois",
        "refused": "Le prestataire de paiement n’a pas accepté le débit",
    },
    steps={
        "other_card": (
            "Veuillez enregistrer une autre carte, ou interroger la banque qui a émis celle-ci."
        ),
        "add_card": "Veuillez enregistrer une carte.",
        "less": "Veuillez choisir un autre montant de recharge.",
        "ask_us": "La carte n’est pas en cause. Si cela se reproduit, veuillez nous écrire.",
    },
    reason="Raison",
    tried_at="Tentative du",
    in_a_row="Échecs consécutifs",
    of_tries="{number} (la recharge est désactivée après {tries})",
    account="Compte",
    footer=(
        "{seller} a envoyé ce message une seule fois, car la recharge automatique a été définie "
        "pour ce compte."
    ),
)

_ES = RefillWords(
    title="Recarga automática",
    failed="Su saldo no se ha recargado",
    switched_off="La recarga automática está desactivada",
    amount="Importe",
    what="Su saldo se está agotando y ha fallado una recarga de {amount}.",
    again="Lo intentaremos de nuevo dentro de una hora, si su saldo sigue siendo bajo.",
    off=(
        "No lo intentaremos de nuevo: la recarga queda desactivada hasta que usted pida volver a "
        "activarla. Los pedidos con cargo al saldo se rechazan en cuanto este se agota."
    ),
    reasons={
        "declined": "El banco ha rechazado el cobro",
        "funds": "No había fondos suficientes en la tarjeta",
        "expired": "La tarjeta ha caducado",
        "confirm": (
            "El banco exige que usted confirme cada cobro, lo que una recarga no puede pedirle"
        ),
        "limit": "La tarjeta ha alcanzado su límite",
        "no_card": "No hay ninguna tarjeta registrada",
        "no_rate": "Por ahora no hay tipo de cambio para su moneda",
        "too_much": "Este importe no se puede cobrar de una sola vez",
        "refused": "El procesador de pagos no ha aceptado el cobro",
    },
    steps={
        "other_card": "Registre otra tarjeta o consulte con el banco que emitió esta.",
        "add_card": "Registre una tarjeta.",
        "less": "Elija otro importe para las recargas.",
        "ask_us": "La tarjeta no es el problema. Si vuelve a ocurrir, escríbanos.",
    },
    reason="Motivo",
    tried_at="Intentado el",
    in_a_row="Fallos seguidos",
    of_tries="{number} (la recarga se desactiva tras {tries})",
    account="Cuenta",
    footer=(
        "{seller} envió este correo una sola vez, porque la cuenta tenía configurada la recarga "
        "automática."
    ),
)

REFILL_WORDS: dict[Language, RefillWords] = {"en": _EN, "de": _DE, "fr": _FR, "es": _ES}

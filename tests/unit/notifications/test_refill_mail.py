"""What the mail about a failed refill says: why, what to do, and whether it is tried again."""

import html
import re
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID

import pytest

from fieldfare.integrations.mail import Mail
from fieldfare.kernel.languages import Language
from fieldfare.notifications.model import RefillFailed
from fieldfare.notifications.rules import refill_message_id, view_refill_failed
from fieldfare.notifications.rules.refill import reason_of
from fieldfare.notifications.rules.refill_words import REFILL_WORDS, Reason, Step
from fieldfare.notifications.service.rendering import render_refill_failed

FAILURE_ID = UUID("01a1ff78-8b8d-7463-854b-f2f09a220a3f")
LANGUAGES: list[Language] = ["en", "de", "fr", "es"]


def a_failure(**changes: Any) -> RefillFailed:
    """The first failure of a team's refill, with some fields changed."""
    fields: dict[str, Any] = {
        "message_id": refill_message_id(FAILURE_ID, "seller.example"),
        "to": "pay@buyer.example",
        "language": "en",
        "account_id": 1002,
        "account_name": "Web shop",
        "amount_cents": 20_000,
        "code": "insufficient_funds",
        "failed_at": datetime(2026, 11, 21, 18, 52, tzinfo=UTC),
        "number": 1,
        "tries": 3,
        "left_on": True,
        "seller_name": "Fieldfare Demo",
    }
    return RefillFailed(**{**fields, **changes})


def shown(text: str) -> str:
    """Any run of blanks as one."""
    return " ".join(text.split())


def assert_says(mail: Mail, *facts: str) -> None:
    """Both forms of the mail say all of it."""
    seen = shown(html.unescape(re.sub(r"<[^>]+>", " ", mail.html)))
    for fact in facts:
        assert fact in shown(mail.text), fact
        assert fact in seen, fact


FACTS: dict[Language, list[str]] = {
    "en": ["Hello Web shop,", "Your credits were not refilled", "a refill of $200.00",
           "There was not enough money on the card", "21 November 2026, 18:52 UTC",
           "another card on file", "again in about an hour", "Web shop (1002)"],
    "de": ["Guten Tag Web shop,", "Ihr Guthaben wurde nicht aufgeladen", "über 200,00 USD",
           "Auf der Karte war nicht genug Geld", "21. November 2026, 18:52 UTC",
           "eine andere Karte", "in etwa einer Stunde wieder", "Web shop (1002)"],
    "fr": ["Bonjour Web shop,", "Vos crédits n’ont pas été rechargés", "de 200,00 USD",
           "Les fonds disponibles sur la carte étaient insuffisants",
           "21 novembre 2026, 18:52 UTC", "une autre carte", "dans une heure environ",
           "Web shop (1002)"],
    "es": ["Hola, Web shop:", "Su saldo no se ha recargado", "de 200,00 USD",
           "No había fondos suficientes en la tarjeta", "21 de noviembre de 2026, 18:52 UTC",
           "Registre otra tarjeta", "dentro de una hora", "Web shop (1002)"],
}  # fmt: skip
OFF: dict[Language, str] = {
    "en": "Automatic refills are switched off",
    "de": "Die automatische Aufladung ist ausgeschaltet",
    "fr": "La recharge automatique est désactivée",
    "es": "La recarga automática está desactivada",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_forms_say_what_failed_and_what_to_do(language: Language) -> None:
    mail = render_refill_failed(a_failure(language=language))
    assert_says(mail, *FACTS[language])
    assert f'<html lang="{language}">' in mail.html
    assert mail.headers == {"Content-Language": language}
    assert (mail.to, mail.to_name) == ("pay@buyer.example", "Web shop")
    assert OFF[language] not in mail.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_last_one_says_that_refills_are_off(language: Language) -> None:
    mail = render_refill_failed(a_failure(language=language, number=3, left_on=False))
    assert_says(mail, OFF[language], REFILL_WORDS[language].off)
    assert mail.subject.startswith(OFF[language])
    assert REFILL_WORDS[language].again not in shown(mail.text)


def test_the_subject_and_the_count_are_exact() -> None:
    mail = render_refill_failed(a_failure(number=2))
    assert mail.subject == "Your credits were not refilled · $200.00"
    assert_says(mail, "2 (refills are switched off after 3)")
    assert mail.message_id == f"<refill-failed.{FAILURE_ID}@seller.example>"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("insufficient_funds", "funds"),
        ("expired_card", "expired"),
        ("authentication_required", "confirm"),
        ("card_velocity_exceeded", "limit"),
        ("no_payment_method", "no_card"),
        ("no_exchange_rate", "no_rate"),
        ("above_maximum", "too_much"),
        ("never_carried_out", "refused"),
        ("refused: parameter_missing", "refused"),
        ("stolen_card", "declined"),
        ("", "declined"),
    ],
)
def test_a_code_becomes_a_reason_for_people(code: str, reason: Reason) -> None:
    assert reason_of(code) == reason
    mail = render_refill_failed(a_failure(code=code))
    assert_says(mail, REFILL_WORDS["en"].reasons[reason])
    assert "stolen" not in mail.text + mail.html


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_and_step_has_words(language: Language) -> None:
    words = REFILL_WORDS[language]
    assert set(words.reasons) == set(get_args(Reason))
    assert set(words.steps) == set(get_args(Step))
    assert all(len(set(texts.values())) == len(texts) for texts in (words.reasons, words.steps))


def test_a_name_is_no_markup_and_no_advertisement() -> None:
    mail = render_refill_failed(a_failure(account_name="<b>www.evil.example</b>\nBcc: a@b"))
    assert "<b>www" not in mail.html
    assert "Hello," in mail.text
    assert "\nBcc" not in mail.text
    view = view_refill_failed(a_failure(account_name="x" * 500))
    assert all(len(row.value) < 100 for row in view.facts)

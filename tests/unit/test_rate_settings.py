"""The settings of rate limits: what is taken, and what is refused with the remedy."""

from ipaddress import ip_network

import pytest

from fieldfare.kernel.buckets import Limit
from fieldfare.settings import SettingsRefused, read_settings


def test_the_limits_are_those_of_the_contract_unless_set() -> None:
    settings = read_settings({})
    assert settings.account_limit == settings.address_limit == Limit(200, 1000)
    assert settings.trusted_proxies == ()


def test_they_are_set() -> None:
    settings = read_settings({
        "FIELDFARE_RATE_PER_SECOND": "5000",
        "FIELDFARE_ADDRESS_RATE_PER_SECOND": "50",
        "FIELDFARE_ADDRESS_RATE_BURST": "60",
        "FIELDFARE_TRUSTED_PROXIES": " 10.0.0.7, 10.1.0.0/16,fd00::/8 ,",
    })  # fmt: skip
    assert settings.account_limit == Limit(5000, 5000)
    assert settings.address_limit == Limit(50, 60)
    assert settings.trusted_proxies == tuple(
        map(ip_network, ("10.0.0.7", "10.1.0.0/16", "fd00::/8"))
    )


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("FIELDFARE_RATE_PER_SECOND", "0", "from 1 to"),
        ("FIELDFARE_RATE_BURST", "100", "at least one second's requests"),
        ("FIELDFARE_ADDRESS_RATE_BURST", "many", "whole number"),
        ("FIELDFARE_TRUSTED_PROXIES", "proxy.internal", "addresses and networks"),
        ("FIELDFARE_TRUSTED_PROXIES", "10.0.0.1/8", "addresses and networks"),
        ("FIELDFARE_TRUSTED_PROXIES", "10.0.0.1, 0.0.0.0/0", "name everybody"),
        ("FIELDFARE_TRUSTED_PROXIES", "::/0", "name everybody"),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, value: str, remedy: str) -> None:
    with pytest.raises(SettingsRefused, match=remedy) as refused:
        read_settings({name: value})
    assert name in str(refused.value)

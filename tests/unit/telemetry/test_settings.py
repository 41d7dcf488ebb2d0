"""What operators set about metrics and traces, and what they are told of a setting of no use."""

import pytest

from fieldfare.settings import SettingsRefused, read_settings

COLLECTOR = "http://collector:4318"


def test_nothing_is_told_unless_it_is_asked_for() -> None:
    settings = read_settings({})
    assert (settings.metrics_port, settings.metrics_host) == (None, "127.0.0.1")
    assert settings.traces_url is None


@pytest.mark.parametrize("port", ["3001", "0", "65536", "ninety", "-1"])
def test_a_port_of_no_use_is_refused_by_name(port: str) -> None:
    with pytest.raises(SettingsRefused, match="FIELDFARE_METRICS_PORT"):
        read_settings({"FIELDFARE_METRICS_PORT": port})


@pytest.mark.parametrize(
    "environ",
    [
        {"FIELDFARE_TRACES_URL": COLLECTOR},
        {"FIELDFARE_TRACES_URL": f"{COLLECTOR}/"},
        {"FIELDFARE_TRACES_URL": f"{COLLECTOR}/v1/traces"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR},
        {"FIELDFARE_TRACES_URL": COLLECTOR, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://other:1"},
    ],
)
def test_a_collector_is_named_by_either_setting(environ: dict[str, str]) -> None:
    assert read_settings(environ).traces_url == f"{COLLECTOR}/v1/traces"


def test_a_collector_that_is_no_url_is_refused() -> None:
    with pytest.raises(SettingsRefused, match="OTEL_EXPORTER_OTLP_ENDPOINT must start with http"):
        read_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"})

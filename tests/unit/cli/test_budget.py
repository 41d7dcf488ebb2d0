"""How many processes are started for so many cores and connections."""

from pathlib import Path

import pytest

from fieldfare.cli.budget import MOST_PROCESSES, choose_processes, count_cores, read_quota
from fieldfare.settings import SettingsRefused, read_settings


@pytest.mark.parametrize(
    ("asked", "cores", "allowed", "chosen"),
    [
        (None, 2, 97, 2),
        (None, 8, 97, 8),
        (None, 9, 97, 8),  # nine pools and the worker's would be 100
        (None, 64, 97, 8),
        (None, 500, 100_000, MOST_PROCESSES),
        (None, 4, 20, 1),
        (3, 1, 97, 3),
        (1, 64, 97, 1),
        (8, 2, 90, 8),
    ],
)
def test_a_process_for_each_core_as_far_as_connections_go(
    asked: int | None, cores: int, allowed: int, chosen: int
) -> None:
    assert choose_processes(asked, cores=cores, pool_size=10, allowed=allowed) == chosen


@pytest.mark.parametrize(
    ("asked", "allowed", "needed", "number"),
    [(9, 97, 100, "9 processes"), (1, 19, 20, "1 process"), (None, 19, 20, "1 process")],
)
def test_what_does_not_fit_is_refused_with_the_remedy(
    asked: int | None, allowed: int, needed: int, number: str
) -> None:
    with pytest.raises(SettingsRefused) as refusal:
        choose_processes(asked, cores=4, pool_size=10, allowed=allowed)
    assert str(refusal.value) == (
        f"{number} of the API and the worker need {needed} database connections and the server "
        f"gives {allowed}; set FIELDFARE_POOL_SIZE (now 10) or FIELDFARE_PROCESSES lower, or "
        "raise the server's max_connections"
    )


@pytest.mark.parametrize(
    ("content", "cores"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("1000 100000\n", 1),
        ("max 100000\n", MOST_PROCESSES),
        ("", MOST_PROCESSES),
    ],
)
def test_a_container_may_have_fewer_cores(tmp_path: Path, content: str, cores: int) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(content)
    assert read_quota(quota) == cores


def test_a_machine_without_control_groups_has_all_its_cores(tmp_path: Path) -> None:
    assert read_quota(tmp_path / "cpu.max") == MOST_PROCESSES
    assert count_cores() >= 1


@pytest.mark.parametrize(("text", "processes"), [("", None), ("1", 1), ("64", 64)])
def test_the_setting_is_read(text: str, processes: int | None) -> None:
    assert read_settings({"FIELDFARE_PROCESSES": text}).processes == processes


@pytest.mark.parametrize("text", ["0", "65", "-1", "two", "1.5"])
def test_another_setting_is_refused(text: str) -> None:
    with pytest.raises(SettingsRefused, match="FIELDFARE_PROCESSES must be a whole number from 1"):
        read_settings({"FIELDFARE_PROCESSES": text})

"""The folders and files of backups: whole or not there, private, never overwritten, and checked."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fieldfare.cli.restoring import _refuse_what_is_there
from fieldfare.db.backup.folders import list_backups, locked_folder, new_backup, remove_older
from fieldfare.db.backup.manifest import (
    FORMAT,
    MANIFEST,
    Manifest,
    check_files,
    describe_file,
    read_manifest,
    write_manifest,
)
from fieldfare.db.backup.tools import address_of, find_tools
from fieldfare.db.errors import BackupRefused
from tests.support.databases import new_database

AT = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)


def note(_: str) -> None:
    """Nobody listens."""


def write(parent: Path, at: datetime = AT) -> Path:
    """A backup of one small file."""
    with locked_folder(parent), new_backup(parent, at) as folder:
        (folder / "rows").write_bytes(b"rows")
        files = {"rows": describe_file(folder / "rows", note)}
        write_manifest(
            folder,
            Manifest(
                format=FORMAT, taken_at=at, program="test", server_major=18, revision="0001",
                rows={}, books={}, files=files,
            ),
        )  # fmt: skip
    return list_backups(parent)[-1]


def test_a_backup_has_its_name_once_it_is_whole_and_is_its_owners(tmp_path: Path) -> None:
    parent = tmp_path / "backups"
    made = write(parent)
    assert made.name == "20261201T100000Z"
    assert {path.stat().st_mode & 0o077 for path in (parent, made, *made.iterdir())} == {0}
    check_files(made, read_manifest(made), note)

    def cut_off() -> None:
        with locked_folder(parent), new_backup(parent, AT + timedelta(hours=1)) as folder:
            (folder / "rows").write_bytes(b"ro")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    # What `kill -9` leaves is cleared away by the next.
    (parent / ".new-left").mkdir()
    write(parent, AT + timedelta(hours=2))
    assert len(list_backups(parent)) == 2
    assert not [path for path in parent.iterdir() if path.name.startswith(".new-")]


def test_none_is_overwritten_and_two_are_never_written_at_once(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(BackupRefused, match="is there already"):
        write(tmp_path)
    with locked_folder(tmp_path), pytest.raises(BackupRefused, match="wait until"):
        write(tmp_path, AT + timedelta(hours=1))


def test_the_oldest_go(tmp_path: Path) -> None:
    made = [write(tmp_path, AT + timedelta(hours=n)) for n in range(4)]
    (tmp_path / "not-a-backup").mkdir()
    assert remove_older(tmp_path, keep=2) == made[:2]
    assert list_backups(tmp_path) == made[2:]
    assert (tmp_path / "not-a-backup").is_dir()


def test_a_byte_that_differs_or_a_file_that_is_gone_is_seen(tmp_path: Path) -> None:
    made = write(tmp_path)
    (made / "rows").write_bytes(b"rowz")
    with pytest.raises(BackupRefused, match="SHA-256 differs"):
        check_files(made, read_manifest(made), note)
    (made / "rows").unlink()
    with pytest.raises(BackupRefused, match="is missing"):
        check_files(made, read_manifest(made), note)
    (made / MANIFEST).write_bytes(
        (made / MANIFEST).read_bytes().replace(b'"format": 1', b'"format": 2')
    )
    with pytest.raises(BackupRefused, match="is of format 2"):
        read_manifest(made)
    (made / MANIFEST).write_bytes(b"{")
    with pytest.raises(BackupRefused, match="cannot be read"):
        read_manifest(made)
    with pytest.raises(BackupRefused, match="is no backup"):
        read_manifest(tmp_path)


def test_only_an_empty_database_is_restored_into(server_url: str, database_url: str) -> None:
    with pytest.raises(BackupRefused, match="holds something"):
        _refuse_what_is_there(database_url)
    with new_database(server_url) as empty:
        assert _refuse_what_is_there(empty) >= 15


def test_no_command_line_has_the_password() -> None:
    address = address_of("postgresql://ada:s3cret@db.internal:5433/books?sslmode=require")
    assert "s3cret" not in address.conninfo
    assert address.environment["PGPASSWORD"] == "s3cret"
    assert {"sslmode=require", "port=5433", "dbname=books"} <= set(address.conninfo.split())


def test_an_older_program_is_not_used_on_a_newer_server() -> None:
    assert find_tools(16, ("pg_dump", "pg_restore")).major >= 16
    with pytest.raises(BackupRefused, match="postgresql-client-99"):
        find_tools(99, ("pg_dump",))

"""Journals and the manifest file. What its rows say is tested in test_results.py and test_run.py."""

from facet.photos.folder.manifest import EMPTY, Journal, ManifestReader


def test_a_torn_journal_loses_no_row(tmp_path):
    path = tmp_path / "journals/x.jsonl"
    for name in ("a", "b"):
        journal = Journal(path)
        journal.add(EMPTY | {"file": name})
        journal.close()
        path.write_bytes(path.read_bytes() + b'{"file": "to')
    path.write_bytes(path.read_bytes() + b'\n{"file": ["x"]}\n')
    manifest = ManifestReader(tmp_path)
    manifest.add_journals(path.parent)
    assert manifest.names == {"a", "b"}

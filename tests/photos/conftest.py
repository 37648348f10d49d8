import pytest

from tests.support import photo_jobs


@pytest.fixture
def photos(tmp_path):
    """A folder of aligned photos under odd names."""
    return photo_jobs.write_photos(tmp_path / "photos")


@pytest.fixture
def linear_editor(monkeypatch):
    """Jobs edit with the linear system."""
    photo_jobs.use_linear_editor(monkeypatch)

import pytest

from facet.photos.folder.open_job import OpenJob
from tests.support import photo_jobs, studio


@pytest.fixture(autouse=True)
def jobs(monkeypatch):
    """Jobs of `facet edit` edit with the linear system and the judge of the studio."""
    photo_jobs.use_linear_editor(monkeypatch)
    monkeypatch.setattr(OpenJob, "editor", studio.trained().editor)

from pathlib import Path

import pytest

from tests.support.small_judges import trained_judges


@pytest.fixture(scope="package")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with prepared images and the outs of `train_judge`."""
    return trained_judges(tmp_path_factory.mktemp("judges"))

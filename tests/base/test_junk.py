"""Names of files that are never data."""

from facet.base.junk import in_junk, is_cache, is_junk
from tests.support import junk


def test_names_that_machines_leave_are_junk_and_people_s_names_are_not():
    assert [name for name in junk.CACHES + junk.OTHERS if not is_junk(name)] == []
    assert [name for name in junk.DATA if is_junk(name)] == []
    assert in_junk("a/@eaDir/1.jpg")
    assert not in_junk("a/b/1.jpg")
    assert not in_junk("../a/./1.jpg")  # a place, not a name


def test_only_what_machines_write_anew_may_be_deleted():
    assert [name for name in junk.CACHES if not is_cache(name)] == []
    assert [name for name in junk.OTHERS + junk.DATA if is_cache(name)] == []

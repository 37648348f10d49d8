"""However many files there are to read, few are open at a time."""

import resource
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

from facet.sources.handles import Handles
from facet.sources.tree import Zip
from tests.support.paths import ROOT

READ = """
import sys
from pathlib import Path
from facet.sources.tree import open_tree
tree = open_tree(Path(sys.argv[1]))
print(*(tree.read(name).decode() for name in tree.names))
"""


def opened():
    return len(list(Path("/proc/self/fd").iterdir()))


def files(folder, count):
    paths = [folder / str(number) for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * 100)
    return paths


def test_few_files_are_open_and_every_one_gives_its_own_bytes_to_every_thread(tmp_path):
    paths, before = files(tmp_path, 40), opened()
    handles, wrong, most = Handles(4), [], []

    def read(shift):
        for number in range(400):
            number = (number * 7 + shift) % 40
            if handles.read(paths[number], 5, 98) != bytes([number]) * 2:
                wrong.append(number)
            most.append(opened())

    threads = [threading.Thread(target=read, args=(shift,)) for shift in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert max(most) <= before + 4 + 8 + 8  # kept, being read, and the listings of the folder themselves
    assert opened() == before + 4
    handles.close()
    assert opened() == before


def test_a_zip_of_its_own_stays_open_whatever_takes_its_name(tmp_path):
    path = tmp_path / "a.zip"
    for text in ("first", "other"):
        with zipfile.ZipFile(tmp_path / "new.zip", "w") as archive:
            archive.writestr("1.txt", text)
        (tmp_path / "new.zip").replace(path)
        if text == "first":
            tree, before = Zip(path), opened()
    assert tree.read("1.txt") == b"first"
    del tree
    assert opened() == before - 1


def test_a_data_set_of_more_zips_than_files_may_be_open_is_read(tmp_path):
    for number in range(60):
        with zipfile.ZipFile(tmp_path / f"{number:02d}.zip", "w") as archive:
            archive.writestr("1.txt", str(number))
    (tmp_path / "dataset.json").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-c", READ, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)),
    )
    assert done.stdout.split() == [str(number) for number in range(60)], done.stderr

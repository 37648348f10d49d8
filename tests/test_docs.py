"""README, CONTRIBUTING and docs/ against the code: commands, flags, paths and links that they name exist."""

import argparse
import dataclasses
import fnmatch
import itertools
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from facet import cli
from tests.support.house import STAGES
from tests.support.paths import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_SHELL = {"python", "json", "ini", "yaml", "toml"}
FOLDERS = ("benchmarks", "data", "docs", "facet", "flows", "profiles", "reports", "stages", "tests")
EXAMPLES = ("data/photos", "data/edited", "data/faces")  # a user's own folders
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")


@dataclasses.dataclass(frozen=True)
class Code:
    """A line of a code block or a piece of inline code, with the place that a failure reports."""

    place: str
    text: str
    whole: bool  # a line of a block, so that a command must be complete

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def codes(path: Path) -> list[Code]:
    """All code of a page; blocks in another language than a shell's are left out."""
    text, place = path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))
    lines = [
        Code(place, line.strip(), True)
        for language, block in FENCE.findall(text)
        if language not in NOT_SHELL
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return lines + [Code(place, " ".join(span.split()), False) for span in SPAN.findall(FENCE.sub("", text))]


CODES = [code for path in PAGES for code in codes(path)]


def commands(code: Code) -> Iterator[list[str]]:
    """The commands of a piece of code as words, without assignments before and redirections or comments after them."""
    try:
        lexer = shlex.shlex(code.text, posix=True, punctuation_chars="&;|")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:  # an apostrophe: no shell
        return
    command: list[str] = []
    for word in [*words, ";"]:
        if set(word) <= set("&;|"):
            if command:
                yield command
            command = []
        elif command or not re.match(r"[A-Z_]+=", word):
            command.append(word)


def named(program: str) -> list[tuple[Code, list[str]]]:
    """Every call of a program with its arguments."""
    calls = [(code, command) for code in CODES for command in commands(code)]
    return [(code, words[1:]) for code, words in calls if Path(words[0]).name == program and not words[0].endswith("/")]


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def fault(words: list[str]) -> str | None:
    """The first word of a `facet` command line that is not a command, a subcommand or a flag; None if all are."""
    parser, rest = cli.parser(), iter(words)
    for word in rest:
        choices = subcommands(parser)
        if word.startswith("-"):
            option = parser._option_string_actions.get(word.split("=")[0])
            if option is None:
                return word
            if option.nargs != 0 and "=" not in word:
                next(rest, None)  # its value
        elif choices:
            if word not in choices:
                return word
            parser = choices[word]
    return None


def flags_of_scripts() -> set[str]:
    return {flag for path in (ROOT / "benchmarks").glob("*.py") for flag in flags_of(path)}


def flags_of(script: Path) -> set[str]:
    return set(re.findall(r'add_argument\(\s*"(--[\w-]+)"', script.read_text(encoding="utf-8")))


def all_flags(parser: argparse.ArgumentParser) -> set[str]:
    return set(parser._option_string_actions).union(*map(all_flags, subcommands(parser).values()))


def test_every_command_of_facet_and_its_flags_exist():
    calls = named("facet")
    assert len(calls) > 50
    assert [f"{code} ({wrong})" for code, words in calls if (wrong := fault(words))] == []


def test_every_command_of_facet_in_a_block_can_be_parsed(capsys):
    wrong = []
    for code, words in named("facet"):
        if code.whole:
            try:
                cli.parser().parse_args(words)
            except SystemExit as end:
                wrong += [f"{code}: {capsys.readouterr().err.splitlines()[-1]}"] if end.code else []
    assert wrong == []


def test_a_command_or_flag_that_does_not_exist_is_noticed():
    assert fault(["edit", "in", "out", "--set", "Smiling=on"]) is None
    assert fault(["champion", "list"]) is None
    assert fault(["paint", "in"]) == "paint"
    assert fault(["champion", "demote"]) == "demote"
    assert fault(["profile", "drawn", "--sets", "a=b"]) == "--sets"


def test_every_flag_on_its_own_belongs_to_a_command_or_a_benchmark():
    known = all_flags(cli.parser()) | flags_of_scripts()
    alone = [code for code in CODES if not code.whole and code.text.startswith("--")]
    assert len(alone) > 20
    assert [str(code) for code in alone if code.text.split()[0].split("=")[0] not in known] == []


def test_the_readme_names_every_command_of_facet():
    shown = {words[0] for code, words in named("facet") if code.place == "README.md" and words}
    assert set(subcommands(cli.parser())) - shown == set()


def test_every_setting_of_a_profile_command_is_a_number_of_params_yaml():
    params = yaml.safe_load((ROOT / "profiles/drawn.yaml").read_text())
    wrong = []
    for code, words in named("facet"):
        if words[:1] == ["profile"]:
            for flag, setting in itertools.pairwise(words):
                node = params
                for key in setting.split("=")[0].split(".") if flag == "--set" and setting != "KEY=VALUE" else []:
                    node = node.get(key) if isinstance(node, dict) else None
                wrong += [] if node is not None else [str(code)]
    assert wrong == []


def test_every_target_of_make_exists():
    text = (ROOT / "Makefile").read_text()
    variables = dict(re.findall(r"^(\w+) :?\??= ?(.*)$", text, re.MULTILINE))
    rules = re.sub(r"\$\((\w+)\)", lambda match: variables.get(match[1], ""), text)
    targets = {
        target for line in re.findall(r"^([^\s:=#][^:=]*):(?!=)", rules, re.MULTILINE) for target in line.split()
    }
    asked = [(code, words) for code, words in named("make") if words]
    assert len(asked) > 5
    assert [str(code) for code, words in asked for word in words if "=" not in word and word not in targets] == []


def test_every_module_and_script_that_python_runs_exists_and_knows_its_flags():
    wrong, scripts = [], 0
    for code, words in [*named("python"), *named("torchrun")]:
        if "-m" in words:
            module = words[words.index("-m") + 1]
            if not module.startswith(("facet", "stages", "flows", "benchmarks")):
                continue
            path = ROOT / Path(*module.split("."))
            path = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
        elif words and words[0].endswith(".py"):
            path = ROOT / words[0]
        else:
            continue
        scripts += 1
        if not path.is_file():
            wrong.append(f"{code} ({path.name} is missing)")
        elif "benchmarks" in path.parts:
            wrong += [f"{code} ({word})" for word in words if word.startswith("--") and word not in flags_of(path)]
    assert scripts > 10
    assert wrong == []


def declared() -> list[str]:
    """Outs, metrics and deps of dvc.yaml as patterns."""
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    paths = []
    for stage in graph.values():
        for kind in ("outs", "metrics", "deps"):
            entries = stage.get("do", stage).get(kind, [])
            paths += [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]
    return [re.sub(r"\$\{[^}]*\}", "*", path) for path in paths if not path.startswith("${")]


def meets(path: str, other: str) -> bool:
    """Whether one of two patterns is the other or a folder above it."""
    pairs = zip(path.rstrip("/").split("/"), other.split("/"), strict=False)
    return all(fnmatch.fnmatch(a, b) or fnmatch.fnmatch(b, a) for a, b in pairs)


def is_there(path: str, patterns: list[str]) -> bool:
    path = re.sub(r"…|<\w+>", "*", path).rstrip("/")
    if path.startswith(EXAMPLES) or any(ROOT.glob(path)):
        return True
    ignored = (ROOT / ".gitignore").read_text().split()  # what commands write beside dvc's outs
    return path.startswith(("data/", "reports/")) and (
        f"/{path}" in ignored or any(meets(path, pattern) for pattern in patterns)
    )


def test_every_path_in_the_repository_exists_or_is_written_by_a_stage():
    patterns = declared()
    paths = {
        (code.place, match[0].rstrip(".,:"))
        for code in CODES
        for match in re.finditer(rf"(?<![\w./~-])(?:{'|'.join(FOLDERS)})/[\w./…<>*-]*", code.text)
    }
    assert len(paths) > 60
    assert sorted(f"{place}: {path}" for place, path in paths if not is_there(path, patterns)) == []
    assert not is_there("facet/nothing.py", patterns)
    assert not is_there("data/nothing", patterns)


def tree() -> list[Path]:
    """The folders and files of the README's annotated tree."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = next(block for _, block in FENCE.findall(text) if block.startswith("stages/"))
    paths, above = [], {0: Path()}
    for line in block.splitlines():
        depth = len(line) - len(line.lstrip())
        for name in re.split(r"  +", line.strip())[0].split():
            paths.append(above[depth] / name)
            above[depth + 2] = above[depth] / name
    return paths


def test_the_tree_of_the_readme_names_what_there_is_and_every_folder_of_the_library():
    paths = tree()
    assert [str(path) for path in paths if not (ROOT / path).exists()] == []
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "facet").rglob("__init__.py")}
    assert sorted(map(str, folders - set(paths))) == []


@pytest.mark.parametrize("page", ["README.md", "docs/stages.md"])
def test_the_table_of_stages_is_that_of_the_graph(page):
    rows = re.findall(r"^\| `(\w+)(?:@…)?` \|", (ROOT / page).read_text(encoding="utf-8").split("| stage |")[1], re.M)
    assert rows[: len(STAGES)] == STAGES


def test_every_name_of_code_in_contributing_occurs_in_the_code():
    files = [path for folder in ("facet", "stages", "flows") for path in (ROOT / folder).rglob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in [*files, ROOT / "params.yaml", ROOT / "dvc.yaml"])
    words = set(re.findall(r"\w+", text))
    names = {code.text for code in CODES if code.place == "CONTRIBUTING.md" and code.text.isidentifier()}
    assert len(names) > 20
    assert names - words - {"null"} == set()


def anchors(path: Path) -> set[str]:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def broken(page: Path, target: str) -> bool:
    """Whether a relative link leads nowhere."""
    name, _, anchor = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.exists() or ROOT not in path.parents:
        return True
    return bool(anchor) and (path.suffix != ".md" or anchor not in anchors(path))


def test_every_relative_link_anchor_and_image_leads_somewhere():
    links = [
        (page, target)
        for page in PAGES
        for target in re.findall(r"\]\(([^)\s]+)\)", SPAN.sub("", FENCE.sub("", page.read_text(encoding="utf-8"))))
        if not re.match(r"https?:", target)
    ]
    assert len(links) > 40
    assert [f"{page.relative_to(ROOT)}: {target}" for page, target in links if broken(page, target)] == []
    assert broken(ROOT / "README.md", "docs/nothing.md")
    assert broken(ROOT / "README.md", "docs/nightly.md#nothing")


def test_pages_of_the_site_link_to_pages_of_the_site_alone():
    outside = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        if page.parent != ROOT
        for target in re.findall(r"\]\((\.\.[^)\s]+)\)", page.read_text(encoding="utf-8"))
    ]
    assert outside == []


def test_every_page_stands_in_the_navigation_of_the_site():
    def pages(entry: object) -> set[str]:
        if isinstance(entry, str):
            return {entry}
        return set().union(*map(pages, entry.values() if isinstance(entry, dict) else entry))

    site = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    assert pages(site["nav"]) == {path.relative_to(ROOT / "docs").as_posix() for path in PAGES if path.parent != ROOT}


def test_no_text_installs_the_stranger_s_package_of_the_same_name():
    """`facet` on the Python index is another project: texts install from the clone."""
    texts = [*PAGES, *(path for folder in ("facet", "stages", "flows") for path in (ROOT / folder).rglob("*.py"))]
    pattern = re.compile(r"pip install (?:-\S+ )*['\"]?facet\b")
    assert [str(path.relative_to(ROOT)) for path in texts if pattern.search(path.read_text(encoding="utf-8"))] == []
    assert pattern.search("pip install 'facet[heic]'")
    assert not pattern.search("pip install -e '.[heic]'")

"""The flow on a real Prefect server, which one fixture starts for all tests."""

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import State, StateType
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_BATCH_INTERVAL, temporary_settings
from ruamel.yaml import YAML

from facet.cli import main
from flows.reproduce import reproduce
from flows.supervise import Child
from tests.support import nights
from tests.support.paths import ROOT
from tests.support.processes import running, within

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are counted in /proc"),
]
PATIENCE = 300.0  # seconds; what is waited for takes 30 at most on an idle machine


@pytest.fixture(scope="module")
def server(server: str) -> Iterator[str]:
    """The address of the server, on which the flows of this process run."""
    with temporary_settings({PREFECT_API_URL: server, PREFECT_LOGGING_TO_API_BATCH_INTERVAL: 0.2}):
        yield server


@pytest.fixture
def client(server: str) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def project(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    def make(stages: dict[str, Any]) -> Path:
        (tmp_path / ".dvc").mkdir()
        (tmp_path / ".dvc/config").write_text("[core]\nno_scm = true\nanalytics = false\ncheck_update = false\n")
        (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": stages}))  # JSON is YAML
        return tmp_path

    return make


def stage(code: str, *, deps: list[str], out: str, mark: str = "") -> dict[str, Any]:
    """A stage that runs Python `code`, which must write the file `out`."""
    script = Path(f"{out}.py")
    return {"cmd": f"python {script} {mark}".strip(), "deps": [*deps], "outs": [out], "_code": code, "_script": script}


def write(root_of: Callable[[dict[str, Any]], Path], stages: dict[str, dict[str, Any]]) -> Path:
    scripts = {each.pop("_script"): each.pop("_code") for each in stages.values()}
    root = root_of(stages)
    for script, code in scripts.items():
        (root / script).write_text(code)
    return root


def copy(out: str) -> str:
    return f"open({out!r}, 'w').write('1')"


def run(root: Path, **settings: Any) -> State[Any]:
    return reproduce(root=root, return_state=True, **settings)


def task_states(client: SyncPrefectClient, state: State[Any]) -> dict[str, str]:
    """Task run -> the name of its state as the server has it, a moment after the fact."""
    chosen = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
    return {each.name: each.state.name for each in client.read_task_runs(flow_run_filter=chosen) if each.state}


def messages(client: SyncPrefectClient, state: State[Any]) -> list[str]:
    """What the run logged so far; logs reach the server a moment later."""
    chosen = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[state.state_details.flow_run_id]))
    return [log.message for log in client.read_logs(chosen)]


WAIT_FOR_THE_OTHER = """
import pathlib, sys, time
me, other = {me!r}, {other!r}
pathlib.Path(me + '.started').touch()
deadline = time.monotonic() + 30
while not pathlib.Path(other + '.started').exists():
    if time.monotonic() > deadline:
        sys.exit(f'{{other}} never ran beside me')
    time.sleep(0.05)
pathlib.Path(me).write_text('1')
"""


def test_stages_run_in_order_siblings_beside_each_other_and_the_second_time_all_are_cached(client, project):
    root = write(
        project,
        {
            "last": stage("assert open('x').read() and open('y').read(); " + copy("z"), deps=["x", "y"], out="z"),
            "left": stage(WAIT_FOR_THE_OTHER.format(me="x", other="y"), deps=["a"], out="x"),
            "right": stage(WAIT_FOR_THE_OTHER.format(me="y", other="x"), deps=["a"], out="y"),
            "first": stage("print('words of', 'first'); " + copy("a"), deps=[], out="a"),
        },
    )
    state = run(root, jobs=2)
    assert state.is_completed(), state.message
    ran = dict.fromkeys(["first", "left", "right", "last"], "Completed")
    assert within(30, lambda: task_states(client, state) == ran)
    assert within(30, lambda: "words of first" in messages(client, state))

    again = run(root)
    assert again.is_completed()
    assert within(30, lambda: task_states(client, again) == dict.fromkeys(ran, "Cached"))


def test_a_run_shows_how_far_it_is_which_stages_ran_and_where_the_report_is(client, project, monkeypatch):
    code = "print('step 3/12, 9 images/s'); " + copy("page")
    root = write(project, {"report": stage(code, deps=[], out="page")})
    state = run(root)
    assert state.is_completed(), state.message
    chosen = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
    shown = {each.key: each for each in client.read_artifacts(flow_run_filter=chosen)}
    assert set(shown) == {"progress-report", "progress-stages", "stages", "report"}
    assert (shown["progress-report"].data, shown["progress-report"].description) == (100.0, "done")
    assert shown["progress-stages"].data == 100.0
    (row,) = json.loads(shown["stages"].data)
    assert (row["stage"], row["state"]) == ("report", "Completed")
    assert (root / "reports/index.html").as_uri() in shown["report"].data
    assert shown["progress-report"].task_run_id == shown["report"].task_run_id is not None
    assert not client.read_artifacts(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run_id(run(root))])))


def run_id(state: State[Any]) -> uuid.UUID:
    run_id = state.state_details.flow_run_id
    assert run_id is not None
    return run_id


def test_a_failed_stage_stops_those_that_need_it_but_not_its_siblings_and_is_not_tried_again(client, project, capsys):
    broken = "open('tries', 'a').write('x'); import sys; sys.exit('error: seed.csv has no column Male')"
    root = write(
        project,
        {
            "broken": stage(broken, deps=[], out="a"),
            "after": stage(copy("b"), deps=["a"], out="b"),
            "aside": stage(copy("c"), deps=[], out="c"),
        },
    )
    assert main(["reproduce", "--root", str(root), "--jobs", "1"]) == 1
    error = capsys.readouterr().err
    assert "stage broken failed:" in error
    assert "error: seed.csv has no column Male" in error
    assert "not run: after" in error
    assert (root / "c").exists()
    assert (root / "tries").read_text() == "x"
    assert not (root / "b").exists()


HOLD = """
import json, os, pathlib
locks = pathlib.Path('.dvc/tmp/rwlock')
held = json.loads(locks.read_text())
held['write'][{path!r}] = {holder!r}
locks.write_text(json.dumps(held))
"""


def test_a_path_held_by_another_dvc_is_waited_for(client, project):
    """Here `only` finds its output held, because `first` writes such a lock, and is tried until the lock is gone."""
    root = write(project, {"first": stage("", deps=[], out="a"), "only": stage(copy("b"), deps=["a"], out="b")})
    path = str(root / "b")
    hold = HOLD.format(path=path, holder={"pid": os.getpid(), "cmd": "dvc repro elsewhere"})
    (root / "a.py").write_text(f"{hold}\n{copy('a')}\n")
    locks = root / ".dvc/tmp/rwlock"
    freed = []

    def free() -> None:
        if within(PATIENCE, (root / "a").exists):
            time.sleep(8)
            held = json.loads(locks.read_text())
            del held["write"][path]
            locks.write_text(json.dumps(held))
            freed.append(time.monotonic())

    other = threading.Thread(target=free)
    other.start()
    state = run(root)
    ended = time.monotonic()
    other.join()
    assert state.is_completed(), state.message
    assert ended > freed[0]
    assert within(30, lambda: "only waits for another dvc" in messages(client, state))


LONG = """
import pathlib, signal, subprocess, sys, time
def stop(*_):
    pathlib.Path('checkpoint').write_text('half way')
    sys.exit(1)
signal.signal(signal.SIGTERM, stop)
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)', sys.argv[1]], start_new_session=True)
pathlib.Path('started').touch()
time.sleep(100)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the database of temporary servers, which the first of them makes."""
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize(
    ("how", "own_server", "code"),
    [
        (signal.SIGTERM, True, -signal.SIGTERM),
        (signal.SIGKILL, True, -signal.SIGKILL),
        (signal.SIGTERM, False, -signal.SIGTERM),
        (signal.SIGKILL, False, -signal.SIGKILL),
        (signal.SIGINT, False, 130),
    ],
)
def test_a_flow_that_is_ended_leaves_no_process_behind_and_a_checkpoint(server, home, project, how, own_server, code):
    mark = f"mark-{uuid.uuid4()}"
    root = write(project, {"long": stage(LONG, deps=[], out="a", mark=mark)})
    env = {key: value for key, value in os.environ.items() if key != "PREFECT_API_URL"}
    # MARK is in the environment of a temporary server too, so that `running` sees it
    env |= {"PREFECT_API_URL": server} if own_server else {"PREFECT_HOME": str(home), "MARK": mark}
    flow = subprocess.Popen(
        [sys.executable, "-m", "facet", "reproduce", "--root", str(root)],
        env=env,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's `&` has it ignored
    )
    try:
        assert within(PATIENCE, (root / "started").exists)
        began = time.monotonic()
        flow.send_signal(how)
        assert flow.wait(timeout=PATIENCE) == code
        assert time.monotonic() - began < 20  # far under the grace of a stage
        assert within(30, lambda: not running(str(root))), running(str(root))
        assert within(30, lambda: not running(mark)), running(mark)
        assert (root / "checkpoint").read_text() == "half way"
    finally:
        flow.kill()
        flow.wait()


def test_a_run_cancelled_on_the_server_ends_as_cancelled_with_its_stages(client, server, project):
    mark = f"mark-{uuid.uuid4()}"
    root = write(project, {"long": stage(LONG, deps=[], out="a", mark=mark)})
    code = (
        "from flows.reproduce import reproduce; from prefect.types.entrypoint import EntrypointType\n"
        "reproduce.serve(name='by-hand', limit=1, entrypoint_type=EntrypointType.MODULE_PATH)"
    )
    env = {
        **os.environ, "PREFECT_API_URL": server, "PREFECT_RUNNER_POLL_FREQUENCY": "1", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    served = Child([sys.executable, "-c", code], cwd=ROOT, env=env, grace=5)
    output: list[str] = []
    reader = threading.Thread(target=lambda: output.extend(served.lines()))
    reader.start()
    try:

        def deployment() -> Any:
            with contextlib.suppress(Exception):
                return client.read_deployment_by_name("reproduce/by-hand")
            return None

        assert within(PATIENCE, lambda: deployment() is not None), output
        made = client.create_flow_run_from_deployment(deployment().id, parameters={"root": str(root)})
        assert within(PATIENCE, (root / "started").exists), output
        cancel = [sys.executable, "-m", "prefect", "flow-run", "cancel", str(made.id)]
        subprocess.run(cancel, env=env, check=True, capture_output=True)

        def cancelled() -> bool:
            state = client.read_flow_run(made.id).state
            return state is not None and state.type == StateType.CANCELLED

        assert within(PATIENCE, cancelled), output
        assert within(30, lambda: not running(mark)), running(mark)
        assert (root / "checkpoint").exists()
    finally:
        served.stop()
        served.wait()
        reader.join()


def test_the_server_learns_of_a_killed_night_from_the_next_one(client, server, tmp_path):
    root = nights.make(tmp_path / "project")
    (root / "arrivals/faces").mkdir()
    (root / "arrivals/faces/a.zip").write_bytes(b"pictures")
    (root / "slow").touch()
    env = {**os.environ, "PREFECT_API_URL": server, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, nights.__file__, str(root)]
    killed = subprocess.Popen([*command, "1"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert within(PATIENCE, (root / "training").exists)
    killed.kill()
    killed.wait()
    run_id = (root / ".nightly.lock").read_text().split()[0]
    assert client.read_flow_run(run_id).state.type == StateType.RUNNING
    (root / "slow").unlink()
    done = subprocess.run([*command, "2"], env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert '["2", ' in done.stdout, done.stdout + done.stderr
    state = client.read_flow_run(run_id).state
    assert (state.type, state.message) == (StateType.CRASHED, "its process was killed")
    assert client.read_flow_run((root / ".nightly.lock").read_text().split()[0]).state.is_completed()


def test_prefect_yaml_deploys_and_a_cron_schedule_makes_runs(client, server):
    """With SQLAlchemy 2.1 the server starts, answers, and never schedules anything."""
    env = {**os.environ, "PREFECT_API_URL": server}
    for words in (
        "work-pool create facet --type process",
        "--no-prompt deploy --name reproduce",
        "deployment schedule create reproduce/reproduce --cron * * * * *",
    ):
        arguments = words.split(" ", 5) if "--cron" in words else words.split()
        result = subprocess.run(
            [sys.executable, "-m", "prefect", *arguments], env=env, cwd=ROOT, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stdout + result.stderr
    deployed = client.read_deployment_by_name("reproduce/reproduce")
    assert deployed.entrypoint == "flows.reproduce.reproduce"

    def scheduled() -> bool:
        runs = client.read_flow_runs()
        return any(each.deployment_id == deployed.id and each.auto_scheduled for each in runs)

    assert within(PATIENCE, scheduled)
    assert subprocess.run(["git", "status", "--porcelain", "prefect.yaml"], cwd=ROOT, capture_output=True).stdout == b""


def test_a_worker_runs_the_entry_point_of_prefect_yaml_wherever_it_was_started(client, server, project, tmp_path):
    root = write(project, {"only": stage(copy("a"), deps=[], out="a")})
    deployments = YAML(typ="safe").load(ROOT / "prefect.yaml")["deployments"]
    (entrypoint,) = [one["entrypoint"] for one in deployments if one["name"] == "reproduce"]
    toy = {"name": "toy", "entrypoint": entrypoint, "work_pool": {"name": "toy"}}
    (root / "prefect.yaml").write_text(json.dumps({"name": "toy", "deployments": [toy]}))
    # as an editable install of this clone, wherever that of the environment points to
    env = {**os.environ, "PREFECT_API_URL": server, "PYTHONPATH": str(ROOT), "PREFECT_WORKER_QUERY_SECONDS": "1"}
    prefect = [sys.executable, "-m", "prefect"]
    for words in (["work-pool", "create", "toy", "--type", "process"], ["--no-prompt", "deploy", "--all"]):
        result = subprocess.run([*prefect, *words], env=env, cwd=root, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    worker = Child([*prefect, "worker", "start", "--pool", "toy"], cwd=elsewhere, env=env, grace=5)
    output: list[str] = []
    reader = threading.Thread(target=lambda: output.extend(worker.lines()))
    reader.start()
    try:
        run_id = client.create_flow_run_from_deployment(client.read_deployment_by_name("reproduce/toy").id).id

        def ended() -> bool:
            state = client.read_flow_run(run_id).state
            return state is not None and state.is_final()

        assert within(PATIENCE, ended), output
        assert client.read_flow_run(run_id).state.is_completed(), output
        assert (root / "a").exists()
    finally:
        worker.stop()
        worker.wait()
        reader.join()


def test_an_unknown_stage_is_refused_before_any_server_is_asked(project, capsys):
    root = write(project, {"only": stage(copy("a"), deps=[], out="a")})
    assert main(["reproduce", "onyl", "--root", str(root)]) == 2
    assert "did you mean only?" in capsys.readouterr().err
    assert main(["reproduce", "--root", str(root / ".dvc")]) == 2


def test_the_command_works_without_any_server_set_up(project, tmp_path):
    root = write(project, {"only": stage(copy("a"), deps=[], out="a")})
    env = {key: value for key, value in os.environ.items() if key != "PREFECT_API_URL"}
    env["PREFECT_HOME"] = str(tmp_path / "home")
    result = subprocess.run(
        [sys.executable, "-m", "facet", "reproduce", "only", "--root", str(root)],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert (root / "a").exists()
    assert "1 ran" in result.stderr + result.stdout
    assert "Traceback" not in result.stderr

"""Prefect's settings and the server of PREFECT_API_URL, looked at before a flow starts: what is wrong is one line with
the setting, its place and the way out, not a traceback of Prefect or its silence of minutes."""

import contextlib
import io
import os
import sys
import tempfile
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from facet.base.errors import FacetError

T = TypeVar("T")

URL, HOME, PROFILE, PROFILES, KEY = (
    f"PREFECT_{name}" for name in ("API_URL", "HOME", "PROFILE", "PROFILES_PATH", "API_KEY")
)
OWN_HOME = Path(".resume") / "prefect"  # in the project, where the user's own folder cannot be written
SECONDS = 10.0  # for a server to answer
CLOUD = "prefect.cloud"


class PrefectUnusable(FacetError):
    """A setting of Prefect cannot be used, or Prefect cannot start."""

    exit_code = 1


class ServerUnreachable(PrefectUnusable):
    """The server of PREFECT_API_URL does not answer, or is none."""


def prepare(root: Path) -> None:
    """Make Prefect importable, before its first import: PrefectUnusable with the setting and its place if that cannot
    be. A home that cannot be written is replaced by a folder of the project."""
    if not os.environ.get(URL, "x").strip():
        del os.environ[URL]  # empty means unset
    home = _home()
    profiles = Path(os.environ[PROFILES]) if os.environ.get(PROFILES) else home and home / "profiles.toml"
    if home is None or not _writable(home):
        own = (root / OWN_HOME).resolve()
        if not _writable(own):
            raise PrefectUnusable(f"{home or 'the home folder'} and {own} cannot be written; set {HOME} to a folder")
        print(f"Prefect's folder {home or '~/.prefect'} cannot be written, so {own} is used", file=sys.stderr)
        os.environ[HOME] = str(own)
        if profiles is not None and _readable(profiles):
            os.environ.setdefault(PROFILES, str(profiles))
    for path in filter(None, (profiles, Path("prefect.toml"), Path("pyproject.toml"))):
        _check_toml(path)
    if profiles is not None:
        _check_profile(profiles)
    _import(profiles)


def check(root: Path) -> None:
    """`prepare`, and ServerUnreachable if PREFECT_API_URL names a server that does not answer; without one a flow
    starts its own."""
    prepare(root)
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.settings import (
        PREFECT_API_KEY,
        PREFECT_API_REQUEST_TIMEOUT,
        PREFECT_API_URL,
        PREFECT_CLIENT_MAX_RETRIES,
        temporary_settings,
    )

    url = PREFECT_API_URL.value()
    if not url:
        return
    place = f"({URL}: {_place()})"
    cloud = CLOUD in url
    start = "" if cloud else "start it or "
    way = f"{start}correct {URL}; without {URL} every run starts its own server"
    if not url.startswith(("http://", "https://")):
        raise ServerUnreachable(f"{url!r} is no address of a Prefect server {place}; expected http://HOST:4200/api")
    if cloud and not PREFECT_API_KEY.value():
        raise ServerUnreachable(f"{url} is Prefect Cloud {place}, which needs {KEY}: `prefect cloud login`; or {way}")
    quick = {PREFECT_API_REQUEST_TIMEOUT: SECONDS, PREFECT_CLIENT_MAX_RETRIES: 0}
    try:
        with temporary_settings(quick), get_client(sync_client=True) as client:
            answer = client._client.get("/health")
            answer.raise_for_status()
            healthy = cloud or answer.json() is True
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        if code in (401, 403):
            raise ServerUnreachable(f"the Prefect server at {url} {place} refuses {KEY} ({code}); correct it") from None
        healthy = cloud
    except ValueError:  # a page instead of JSON
        healthy = False
    except Exception as error:  # of httpx, of the TLS files, of a proxy's address
        raise ServerUnreachable(
            f"the Prefect server at {url} does not answer ({type(error).__name__}: {_line(error)}) {place}; {way}"
        ) from None
    if not healthy:
        raise ServerUnreachable(f"what answers at {url} {place} is no Prefect server; its address ends in /api")


def running(flow: Callable[[], T]) -> T:
    """Run a flow that returns its state. What it raises is Prefect's own: PrefectUnusable."""
    try:
        return flow()
    except FacetError:
        raise
    except Exception as error:
        raise PrefectUnusable(
            f"Prefect could not run the flow ({type(error).__name__}: {_line(error)}); `facet doctor` checks its "
            f"server, and {HOME} names the folder of a temporary one"
        ) from error


def _home() -> Path | None:
    """Prefect's folder; None if there is no home to hold it."""
    try:
        return Path(os.environ.get(HOME) or "~/.prefect").expanduser()
    except RuntimeError:
        return None


def _writable(folder: Path) -> bool:
    """True if files can be made in a folder, which is made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _readable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.R_OK)


def _check_toml(path: Path) -> None:
    try:
        if path.is_file():
            tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PrefectUnusable(
            f"{path.resolve()}, which Prefect reads, is damaged ({_line(error)}); correct it or move it away"
        ) from None


def _check_profile(path: Path) -> None:
    """PrefectUnusable if the chosen profile does not exist; Prefect would use another server without it."""
    read = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    known = {*read.get("profiles", {}), "ephemeral", "local", "cloud", "test"}  # Prefect's own
    chosen, origin = (os.environ[PROFILE], PROFILE) if os.environ.get(PROFILE) else (read.get("active"), str(path))
    if chosen is not None and chosen not in known:
        raise PrefectUnusable(
            f"{origin} chooses the profile {chosen!r} of Prefect, which {path} does not have; `prefect profile ls` "
            "lists them"
        )


def _import(profiles: Path | None) -> None:
    """Import Prefect's settings; PrefectUnusable names the first one that is wrong."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore", UserWarning)
            import prefect.settings

            prefect.settings.get_current_settings()
    except (Exception, SystemExit) as error:
        details = [one for one in getattr(error, "errors", list)() if one["type"] != "default_factory_not_called"]
        one: dict[str, Any] = details[0] if details else {}
        name = "_".join(map(str, one.get("loc", ()))).upper()
        what = f"PREFECT_…{name} {one['input']!r}: {one['msg']}" if one else _line(error)
        raise PrefectUnusable(
            f"a setting of Prefect cannot be used ({what}); correct it in the environment, {profiles} or prefect.toml"
        ) from None


def _place() -> str:
    """Where PREFECT_API_URL is set."""
    if URL in os.environ:
        return "in the environment"
    if Path("prefect.toml").is_file() and "url" in Path("prefect.toml").read_text(encoding="utf-8"):
        return f"in {Path('prefect.toml').resolve()}"
    return f"in a profile of {os.environ.get(PROFILES) or (_home() or Path()) / 'profiles.toml'}"


def _line(error: BaseException) -> str:
    """The message of an error in one line of at most 300 characters."""
    return " ".join(str(error).split())[:300]

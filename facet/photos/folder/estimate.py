"""Estimate what a job would do and how long it would take (`facet edit --dry-run`)."""

import dataclasses
import time

from facet.base.progress import duration
from facet.photos.folder.job import Job, check_paths
from facet.photos.folder.open_job import OpenJob
from facet.photos.folder.shard import Shard

TRIED = 24  # photos that are edited without writing, to extrapolate from


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Amount and duration of a job."""

    photos: int
    done: int  # photos whose results are up to date
    others: int  # files that are not pictures
    tried: int  # photos edited for the estimate
    refused: dict[str, int]  # number of tried photos refused, by reason
    seconds: float  # for the photos left
    bytes: int  # of the results left to write

    def __str__(self) -> str:
        left = self.photos - self.done
        lines = [f"{self.photos:,} photos, {self.done:,} done already, {self.others:,} other files"]
        if left and self.tried:
            lines.append(
                f"{left:,} to edit: about {duration(self.seconds)} after the start, and {self.bytes / 1e6:,.0f} MB"
            )
            refused = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.refused.items()))
            lines.append(f"{self.tried} tried, {refused or 'none'} refused")
        return "\n".join(lines)


def estimate(job: Job) -> Estimate:
    """Estimate a job from some of its photos; nothing is written."""
    check_paths(job)
    opened = OpenJob(job)
    items = opened.listing.items
    shard = Shard(opened)
    opened.manifest.add_journals(job.journals)
    left = [item for item in items if not shard.reader.is_up_to_date(item)]
    step = max(len(left) // TRIED, 1)
    tried = left[::step][:TRIED]
    shard.try_out(tried[:1])  # the first photo also pays for what is slow only once
    begin = time.monotonic()
    refused, size = shard.try_out(tried)
    seconds = time.monotonic() - begin
    scale = len(left) / max(len(tried), 1)
    return Estimate(
        photos=len(items),
        done=len(items) - len(left),
        others=opened.listing.others,
        tried=len(tried),
        refused=refused,
        seconds=seconds * scale,
        bytes=round(size * scale),
    )

"""Downloads of published data sets by torchvision, which keeps their addresses and checksums up to date."""

from pathlib import Path

from facet.base.errors import InputError


def download(kind: str, root: Path) -> None:
    """Download celeba, mnist (for two_digit_mnist too) or svhn into `root`; InputError if that fails."""
    try:
        from torchvision import datasets
    except ImportError:
        raise InputError(
            "download needs torchvision, which is not installed: `pip install torchvision gdown`"
        ) from None
    try:
        if kind == "celeba":
            datasets.CelebA(str(root), split="all", target_type=["attr", "identity"], download=True)
        elif kind == "svhn":
            for split in ("train", "test"):
                datasets.SVHN(str(root), split=split, download=True)
        else:
            datasets.MNIST(str(root), download=True)
    except Exception as error:  # gdown raises many types: quotas, timeouts, checksums
        raise InputError(f"{kind} could not be downloaded ({error}); fetch it by hand and set source.root") from None

# The environment of requirements.lock, git for dvc, and this code at /facet; work there on a clone of yours, mounted.
#   docker build --tag facet .                              torch for CPUs
#   docker build --tag facet:cuda --build-arg TORCH=cuda .  torch as locked, for GPUs and CPUs
# docs/containers.md has the commands that run it.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-trixie AS environment
ARG TORCH=cpu
ARG UV=0.13.9
ENV UV_PYTHON=/opt/venv/bin/python UV_CACHE_DIR=/cache/uv UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir "uv==${UV}" && uv venv --python "$(command -v python)" /opt/venv
WORKDIR /facet
COPY requirements.lock ./
# Torch for CPUs has no CUDA libraries, which are two thirds of the environment, but other hashes than the lock knows:
# same version, from torch's own index. Everything else is installed by its hash in both cases.
RUN --mount=type=cache,target=/cache/uv \
    if [ "${TORCH}" = cuda ]; then \
      uv pip install --require-hashes -r requirements.lock; \
    elif [ "${TORCH}" = cpu ]; then \
      awk '/^[a-z]/ { left_out = /^(torch|torchvision|triton|nvidia-[^=]+|cuda-[^=]+)==/ } !left_out' \
        requirements.lock > /tmp/locked.txt \
      && uv pip install --no-deps --require-hashes -r /tmp/locked.txt \
      && uv pip install --torch-backend cpu "$(grep -oE '^torch==[0-9.]+' requirements.lock)" \
        "$(grep -oE '^torchvision==[0-9.]+' requirements.lock)"; \
    else \
      echo "TORCH=${TORCH}: expected cpu or cuda" >&2; exit 1; \
    fi
COPY . ./
RUN uv pip install --no-deps --no-build-isolation -e . \
    && cp flows/dvc_python.pth "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
    && PATH="/opt/venv/bin:${PATH}" facet networks \
    && touch /opt/venv/.installed

FROM python:${PYTHON}-slim-trixie
# The distribution's security updates replace versions, so none is pinned here.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory /facet
# The user's number decides who owns what is written to mounted folders.
ARG USER_ID=1000
RUN useradd --create-home --uid "${USER_ID}" facet && install --directory --owner facet /facet /cache
COPY --from=environment --chown=facet /opt/venv /opt/venv
COPY --from=environment --chown=facet /facet /facet
# Caches and Prefect's database are kept outside of the image, on a volume at /cache.
ENV PATH=/opt/venv/bin:${PATH} XDG_CACHE_HOME=/cache PREFECT_HOME=/cache/prefect \
    DVC_NO_ANALYTICS=1 DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
VOLUME /cache
WORKDIR /facet
USER ${USER_ID}
CMD ["facet", "--help"]

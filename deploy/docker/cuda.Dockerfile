# syntax=docker/dockerfile:1
# SPDX-License-Identifier: Apache-2.0
# Segue for NVIDIA GPUs; CUDA comes with the wheels, the driver with the node. From the repository's root:
#
#   docker build -f deploy/docker/cuda.Dockerfile -t segue:0.1.0-cuda .
#
# The base is pinned by tag here, and by digest where you build: --build-arg TAG=3.11.14-slim-bookworm@sha256:…
# (BASE: the repository, where a mirror has it.)
# What Python installs is pinned by hash: locks/cuda.txt, and locks/build.txt for the build.
ARG BASE=python
ARG TAG=3.11.14-slim-bookworm
FROM ${BASE}:${TAG} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY deploy/docker/locks/build.txt deploy/docker/locks/cuda.txt ./
RUN python -m venv /opt/segue/venv \
 && /opt/segue/venv/bin/pip install --require-hashes --only-binary :all: -r cuda.txt \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --only-binary :all: -r build.txt
COPY pyproject.toml README.md LICENSE ./
COPY engine engine
COPY service service
COPY sdk/python sdk/python
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheels . \
 && /opt/segue/venv/bin/pip install --no-deps --no-index /wheels/*.whl \
 && /opt/segue/venv/bin/python -m pip uninstall --yes pip setuptools
COPY deploy/docker/health.py deploy/docker/agones_bridge.py /opt/segue/

FROM ${BASE}:${TAG}
LABEL org.opencontainers.image.title="Segue (cuda)" \
      org.opencontainers.image.description="Live, generated, adaptive soundtracks for games" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/segue-audio/segue"
# The server has its own environment; the base's pip would only be there for whoever gets in.
RUN groupadd --system --gid 10001 segue \
 && useradd --system --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin segue \
 && install -d -o 10001 -g 10001 /var/cache/segue /var/lib/segue/models \
 && rm -rf /usr/local/lib/python3.*/site-packages/* /usr/local/lib/python3.*/ensurepip /usr/local/bin/pip*
COPY --from=build /opt/segue /opt/segue
# Nothing is written outside of /tmp, the compile cache and the models, so the root file system may be read-only.
ENV PATH=/opt/segue/venv/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    XDG_CACHE_HOME=/var/cache/segue \
    SEGUE_MODELS=/var/lib/segue/models \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
VOLUME ["/var/cache/segue", "/var/lib/segue/models"]
USER 10001:10001
WORKDIR /tmp
# gRPC, gRPC-Web, metrics.
EXPOSE 7470 7471 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=900s --retries=3 CMD ["python", "/opt/segue/health.py"]
ENTRYPOINT ["segue", "serve"]
# Loopback of the container, like everywhere else: --host 0.0.0.0 is for whoever has named tenants, or means it.
CMD ["--device", "gpu"]

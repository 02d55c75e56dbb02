# The platform's two images. `dagster`: code location, webserver and daemon; `dash`: the web page.
#
#   docker build --target dagster -t btc-dagster .
#   docker build --target dash -t btc-dash .
#
# BASE_IMAGE may be any Debian-based Python 3.11 to 3.13. Dependencies come from hashed locks only.
ARG BASE_IMAGE=python:3.12-slim@sha256:dddfd7e07f9d15aeeca61529320492139d21cac7f0070c00609243e51e4e0016

FROM ${BASE_IMAGE} AS base
RUN useradd --uid 1000 --user-group --create-home --home-dir /home/btc --shell /usr/sbin/nologin btc \
 && mkdir -p /data /cache /opt/dagster \
 && chown 1000:1000 /data /cache /opt/dagster
ENV PATH=/opt/project/bin:/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/project \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BTC_DATA_DIR=/data \
    BTC_CACHE_DIR=/cache
WORKDIR /app

# What builds never leaves these stages: pip, setuptools, and the sources.
FROM base AS tools
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_QUIET=1
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/venv

# The project alone, so that a change of ours does not make anybody download tensorflow again.
FROM tools AS project
COPY requirements/build.txt requirements/
RUN /opt/build/bin/pip install --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY btc_assets btc_assets
COPY btc_dash btc_dash
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /opt/wheel . \
 && /opt/build/bin/pip --python /opt/venv/bin/python install --no-deps --target /opt/project /opt/wheel/*.whl

# The web image first: a builder without BuildKit makes every stage above the one it is asked for.
FROM tools AS packages-dash
COPY requirements/image-dash.txt requirements/
RUN /opt/build/bin/pip --python /opt/venv/bin/python install --no-deps --require-hashes -r requirements/image-dash.txt

FROM base AS dash
LABEL org.opencontainers.image.title="btc-assets dash" \
      org.opencontainers.image.description="Web page of daily Bitcoin price forecasts" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=packages-dash /opt/venv /opt/venv
COPY --from=project /opt/project /opt/project
ENV BTC_WEB_HOST=0.0.0.0
USER 1000:1000
VOLUME ["/data", "/cache"]
EXPOSE 8050
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/health' % os.environ.get('PORT', '8050'), timeout=5)"]
CMD ["python", "-m", "btc_dash"]

FROM tools AS packages-dagster
COPY requirements/image-dagster.txt requirements/
RUN /opt/build/bin/pip --python /opt/venv/bin/python install --no-deps --require-hashes -r requirements/image-dagster.txt

# One image, three commands: the webserver behind its filter (default), the daemon (`dagster-daemon run`), and the code
# location (`dagster code-server start -h 0.0.0.0 -p 4000 -m btc_assets.definitions`).
# Dagster's UI has no login: publish its port to nobody but a proxy that has one.
FROM base AS dagster
LABEL org.opencontainers.image.title="btc-assets dagster" \
      org.opencontainers.image.description="Asset graph of daily Bitcoin price forecasts: code location, webserver, daemon" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=packages-dagster /opt/venv /opt/venv
COPY --from=project /opt/project /opt/project
COPY workspace.yaml deploy/workspace-remote.yaml ./
COPY --chown=1000:1000 deploy/dagster.yaml /opt/dagster/dagster.yaml
ENV DAGSTER_HOME=/opt/dagster \
    TF_CPP_MIN_LOG_LEVEL=2 \
    MPLCONFIGDIR=/tmp
USER 1000:1000
VOLUME ["/data", "/cache"]
EXPOSE 3000 4000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:3000/server_info', timeout=5)"]
CMD ["python", "-m", "btc_assets.webserver", "-h", "0.0.0.0", "-p", "3000", "-w", "/app/workspace.yaml"]

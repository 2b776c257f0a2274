# `make compose` writes this file: what ../Dockerfile says of ensemble-deaths, and a copy of each member's stages.
# ../../models/ensemble-deaths/members names the members.

ARG ORIGIN=train
ARG PYTHON_IMAGE=python:3.13-slim

# What `RUN` lines install with.
FROM ${PYTHON_IMAGE} AS tools
COPY docker/install.sh /tools/install
RUN chmod 755 /tools/install && cp -r "$(python -c 'import pip; print(pip.__path__[0])')" /tools/pip

# What `strip.sh` runs. Where no Debian mirror answers, the build goes on without it, and images are larger.
FROM ${PYTHON_IMAGE} AS binutils
RUN timeout 180 sh -c "apt-get update && apt-get install --yes --no-install-recommends binutils" \
    || echo "binutils could not be installed: images will be 24 MB larger" >&2

# Python in an environment of its own, apart from what the image came with, and without pip: nothing is to be
# installed into a running container.
FROM ${PYTHON_IMAGE} AS python
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
RUN cd "$(python -c 'import pip; print(pip.__path__[0])')/.." \
    && rm -rf pip pip-*.dist-info /usr/bin/pip* /usr/local/bin/pip* \
    && python -m venv --without-pip /venv

# `--build-context data=FOLDER` puts another folder in its place.
FROM scratch AS data
COPY data/first-wave-2020.csv data/first-wave-2020.jso[n] data/current.cs[v] data/current.jso[n] /

# The files of this repository, readable for all, whatever the umask of the checkout. Of the data those in use.
FROM python AS sources
WORKDIR /sources
COPY --from=data / data/
COPY shared/ shared/
# Both sides of the artifact have the modules at the top of the library, and each its own folders.
RUN if [ -f data/current.csv ]; then rm -f data/first-wave-2020.*; fi \
    && cd shared/forecastle && find . -name __pycache__ -prune -exec rm -rf {} + \
    && mkdir /sources/training /sources/serving \
    && cp -r *.py *.csv observations training /sources/training \
    && cp -r *.py *.csv web runtime service /sources/serving \
    && chmod -R u=rwX,go=rX /sources

# `--build-context own=FOLDER` puts files in the place of a model's own: FOLDER/deaths/data/deaths.csv.
FROM scratch AS own

FROM python AS base
# Without the packages' own tests and debugging information.
RUN --mount=from=tools,source=/tools,target=/tools \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=source=shared/requirements.txt,target=/requirements.txt \
    --mount=source=docker/strip.sh,target=/strip.sh --mount=from=binutils,target=/binutils \
    /tools/install /requirements.txt && find /venv -type d -name tests -prune -exec rm -rf {} + \
    && sh /strip.sh /venv
WORKDIR /app
COPY --from=sources /sources/serving/ forecastle/
# Here, since nothing can be written beside the sources of a running container.
RUN python -m compileall -q forecastle
ENV PYTHONPATH=/app
EXPOSE 8000
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --start-interval=1s \
    CMD ["python", "-m", "forecastle.runtime.healthcheck"]
CMD ["python", "-m", "forecastle.runtime.server"]

# `--build-context artifact=FOLDER` puts another folder in its place.
FROM scratch AS artifact

# What runs a model's tests, in a folder that no image keeps.
FROM base AS pytest
USER root
RUN --mount=from=tools,source=/tools,target=/tools \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=source=shared/requirements-gate.txt,target=/requirements.txt \
    PIP_TARGET=/pytest /tools/install /requirements.txt

FROM python AS model-deaths
ARG MODEL=deaths
WORKDIR /model
COPY models/${MODEL:?}/ /folder/
RUN --mount=source=shared/forecastle/folder.py,target=/folder.py --mount=from=own,target=/own \
    if [ -d "/own/${MODEL}" ]; then cp -r "/own/${MODEL}/." /folder/; fi && python /folder.py /folder . \
    && mkdir locks && touch locks/requirements.txt locks/requirements-train.txt \
    && for lock in /folder/requirements*.txt; do if [ -f "$lock" ]; then cp "$lock" locks/; fi; done \
    && chmod -R u=rwX,go=rX .

FROM python AS trainer-deaths
RUN --mount=from=tools,source=/tools,target=/tools \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=source=shared/requirements-train.txt,target=/requirements.txt \
    /tools/install /requirements.txt
ARG MODEL=deaths
RUN --mount=from=tools,source=/tools,target=/tools \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=from=model-deaths,source=/model/locks/requirements-train.txt,target=/requirements.txt \
    /tools/install /requirements.txt
WORKDIR /forecastle
ENV PYTHONPATH=/forecastle/shared PYTENSOR_FLAGS=cxx=
COPY --from=sources /sources/training/ shared/forecastle/
COPY shared/requirements-train.txt shared/
COPY --from=sources /sources/data/ data/
COPY --from=model-deaths /model/train/ models/${MODEL}/
WORKDIR /forecastle/models/${MODEL}

FROM trainer-deaths AS train-deaths
ARG MODEL=deaths
ARG TRAINING_SLOT=one
RUN --network=none --mount=source=docker/train.sh,target=/train.sh \
    --mount=type=cache,id=forecastle-training-${TRAINING_SLOT},target=/turn,sharing=locked \
    test -f network || sh /train.sh /forecastle/seconds
RUN --mount=source=docker/train.sh,target=/train.sh \
    --mount=type=cache,id=forecastle-training-${TRAINING_SLOT},target=/turn,sharing=locked \
    test ! -f network || sh /train.sh /forecastle/seconds
RUN --mount=from=model-deaths,source=/model/train,target=/folder \
    python -m forecastle.sealing /folder . "${MODEL}" "$(cat /forecastle/seconds)" && cp -r artifact /artifact

FROM train-deaths AS origin-deaths

FROM base AS app-deaths
USER root
ARG MODEL=deaths
RUN --mount=from=tools,source=/tools,target=/tools \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=from=model-deaths,source=/model/locks/requirements.txt,target=/requirements.txt \
    /tools/install /requirements.txt
COPY --from=origin-deaths /artifact/ artifact/
COPY --from=model-deaths /model/serve/ ./
USER 10001:10001
ENV MODEL=${MODEL}

FROM app-deaths AS gate-deaths
COPY --from=model-deaths /model/gate/ ./
RUN --mount=from=pytest,source=/pytest,target=/pytest \
    if ls test_*.py >/dev/null 2>&1; then PYTHONPATH=/app:/pytest python -m pytest --quiet --no-header --disable-warnings \
    -p no:cacheprovider --config-file=/dev/null --rootdir=.; fi && touch /tmp/passed

FROM python AS model-trend-deaths
ARG MODEL=trend-deaths
WORKDIR /model
COPY models/${MODEL:?}/ /folder/
RUN --mount=source=shared/forecastle/folder.py,target=/folder.py --mount=from=own,target=/own \
    if [ -d "/own/${MODEL}" ]; then cp -r "/own/${MODEL}/." /folder/; fi && python /folder.py /folder . \
    && mkdir locks && touch locks/requirements.txt locks/requirements-train.txt \
    && for lock in /folder/requirements*.txt; do if [ -f "$lock" ]; then cp "$lock" locks/; fi; done \
    && chmod -R u=rwX,go=rX .

FROM python AS trainer-trend-deaths
RUN --mount=from=tools,source=/tools,target=/tools \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=source=shared/requirements-train.txt,target=/requirements.txt \
    /tools/install /requirements.txt
ARG MODEL=trend-deaths
RUN --mount=from=tools,source=/tools,target=/tools \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=from=model-trend-deaths,source=/model/locks/requirements-train.txt,target=/requirements.txt \
    /tools/install /requirements.txt
WORKDIR /forecastle
ENV PYTHONPATH=/forecastle/shared PYTENSOR_FLAGS=cxx=
COPY --from=sources /sources/training/ shared/forecastle/
COPY shared/requirements-train.txt shared/
COPY --from=sources /sources/data/ data/
COPY --from=model-trend-deaths /model/train/ models/${MODEL}/
WORKDIR /forecastle/models/${MODEL}

FROM trainer-trend-deaths AS train-trend-deaths
ARG MODEL=trend-deaths
ARG TRAINING_SLOT=one
RUN --network=none --mount=source=docker/train.sh,target=/train.sh \
    --mount=type=cache,id=forecastle-training-${TRAINING_SLOT},target=/turn,sharing=locked \
    test -f network || sh /train.sh /forecastle/seconds
RUN --mount=source=docker/train.sh,target=/train.sh \
    --mount=type=cache,id=forecastle-training-${TRAINING_SLOT},target=/turn,sharing=locked \
    test ! -f network || sh /train.sh /forecastle/seconds
RUN --mount=from=model-trend-deaths,source=/model/train,target=/folder \
    python -m forecastle.sealing /folder . "${MODEL}" "$(cat /forecastle/seconds)" && cp -r artifact /artifact

FROM train-trend-deaths AS origin-trend-deaths

FROM base AS app-trend-deaths
USER root
ARG MODEL=trend-deaths
RUN --mount=from=tools,source=/tools,target=/tools \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=from=model-trend-deaths,source=/model/locks/requirements.txt,target=/requirements.txt \
    /tools/install /requirements.txt
COPY --from=origin-trend-deaths /artifact/ artifact/
COPY --from=model-trend-deaths /model/serve/ ./
USER 10001:10001
ENV MODEL=${MODEL}

FROM app-trend-deaths AS gate-trend-deaths
COPY --from=model-trend-deaths /model/gate/ ./
RUN --mount=from=pytest,source=/pytest,target=/pytest \
    if ls test_*.py >/dev/null 2>&1; then PYTHONPATH=/app:/pytest python -m pytest --quiet --no-header --disable-warnings \
    -p no:cacheprovider --config-file=/dev/null --rootdir=.; fi && touch /tmp/passed

# One model's, divided into what training reads, what serving gets, and the tests. A lock that pins nothing may be missing.
FROM python AS model
ARG MODEL=ensemble-deaths
WORKDIR /model
COPY models/${MODEL:?}/ /folder/
RUN --mount=source=shared/forecastle/folder.py,target=/folder.py --mount=from=own,target=/own \
    if [ -d "/own/${MODEL}" ]; then cp -r "/own/${MODEL}/." /folder/; fi && python /folder.py /folder . \
    && mkdir locks && touch locks/requirements.txt locks/requirements-train.txt \
    && for lock in /folder/requirements*.txt; do if [ -f "$lock" ]; then cp "$lock" locks/; fi; done \
    && chmod -R u=rwX,go=rX .

FROM python AS trainer
RUN --mount=from=tools,source=/tools,target=/tools \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=source=shared/requirements-train.txt,target=/requirements.txt \
    /tools/install /requirements.txt
ARG MODEL=ensemble-deaths
RUN --mount=from=tools,source=/tools,target=/tools \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=from=model,source=/model/locks/requirements-train.txt,target=/requirements.txt \
    /tools/install /requirements.txt
WORKDIR /forecastle
# PyTensor would warn of a missing C++ compiler; the models are compiled by Numba.
ENV PYTHONPATH=/forecastle/shared PYTENSOR_FLAGS=cxx=
COPY --from=sources /sources/training/ shared/forecastle/
COPY shared/requirements-train.txt shared/
COPY --from=sources /sources/data/ data/
COPY --from=model /model/train/ models/${MODEL}/
WORKDIR /forecastle/models/${MODEL}

FROM trainer AS train
COPY --from=gate-deaths /app/artifact/ ../deaths/artifact/
COPY --from=gate-trend-deaths /app/artifact/ ../trend-deaths/artifact/
ARG MODEL=ensemble-deaths
# One training at a time in a builder, since each takes all cores: the others wait for the lock. TRAINING_SLOT names another.
ARG TRAINING_SLOT=one
# Only a folder with a file `network` lets its train.py download.
RUN --network=none --mount=source=docker/train.sh,target=/train.sh \
    --mount=type=cache,id=forecastle-training-${TRAINING_SLOT},target=/turn,sharing=locked \
    test -f network || sh /train.sh /forecastle/seconds
RUN --mount=source=docker/train.sh,target=/train.sh \
    --mount=type=cache,id=forecastle-training-${TRAINING_SLOT},target=/turn,sharing=locked \
    test ! -f network || sh /train.sh /forecastle/seconds
RUN --mount=from=model,source=/model/train,target=/folder \
    python -m forecastle.sealing /folder . "${MODEL}" "$(cat /forecastle/seconds)" && cp -r artifact /artifact

FROM base AS given
USER root
ARG MODEL=ensemble-deaths
# A COPY of nothing would be answered by the cache with what an earlier one copied.
RUN --mount=from=model,source=/model,target=/model --mount=from=artifact,target=/given \
    cp -r /model/serve /trained && cp -r /given /trained/artifact \
    && python -m forecastle.sealing /model/serve /trained "${MODEL}" 0 \
    && cp -r /trained/artifact /artifact && chmod -R u=rwX,go=rX /artifact

FROM ${ORIGIN} AS origin

FROM base AS app
USER root
ARG MODEL=ensemble-deaths
RUN --mount=from=tools,source=/tools,target=/tools \
    --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=from=model,source=/model/locks/requirements.txt,target=/requirements.txt \
    /tools/install /requirements.txt
COPY --from=origin /artifact/ artifact/
COPY --from=model /model/serve/ ./
USER 10001:10001
ENV MODEL=${MODEL}

FROM app AS gate
COPY --from=model /model/gate/ ./
RUN --mount=from=pytest,source=/pytest,target=/pytest \
    if ls test_*.py >/dev/null 2>&1; then PYTHONPATH=/app:/pytest python -m pytest --quiet --no-header --disable-warnings \
    -p no:cacheprovider --config-file=/dev/null --rootdir=.; fi && touch /tmp/passed

# The last, so that it is also what a build without a target makes.
FROM app AS serve
ARG MODEL=ensemble-deaths
# An app that its own tests refuse is no image.
RUN --mount=from=gate,source=/tmp,target=/gate test -f /gate/passed
# As in `catalogue`.
ARG REVISION=unknown
ENV REVISION=${REVISION}
LABEL org.opencontainers.image.title="forecastle/${MODEL}" \
    org.opencontainers.image.source="unknown" \
    org.opencontainers.image.version="unknown" \
    org.opencontainers.image.revision="unknown" \
    org.opencontainers.image.created="unknown"

#!/bin/sh
# Installs hash-locked requirements in a build: /tools/install REQUIREMENTS.txt
# Two secrets may say how to reach an index: `pip.conf`, and `ca.pem`, the certificates to trust.
set -eu
if [ -s /run/secrets/pip.conf ]; then export PIP_CONFIG_FILE=/run/secrets/pip.conf; fi
if [ -s /run/secrets/ca.pem ]; then export PIP_CERT=/run/secrets/ca.pem; fi
# pip is this folder's, since the images have none.
PYTHONPATH=/tools exec python -m pip install --disable-pip-version-check --root-user-action ignore --progress-bar off \
    --require-hashes --requirement "$1"

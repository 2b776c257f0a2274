#!/bin/sh
# docker/build.sh [NAME...]: build the images of these models, or of gateway, catalogue, prometheus, alertmanager and
# grafana. Without a name it builds all, but those for monitoring only if their profile is in COMPOSE_PROFILES.
# `make build` calls it. README.md beside this file says more. Variables:
#   TAG (latest), REGISTRY (none)   parts of the images' names
#   FORECASTLE_DATA (none)          a file of observations to fit instead of the data in use
#   OWN_FILES (none)                a folder of files that take the place of models' own: sales/data/sales.csv
#   ARTIFACT (none)                 a path or an address of an artifact to use instead of training
#   TRAIN_ANEW (none)               if set, train.py runs even if nothing that it reads has changed
#   TRAINING_SLOT (one)             of the trainings in a slot one runs at a time; others wait
#   INCUMBENT_VERSION (none)        the version that the model was compared with, for a label
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "$*" >&2
    exit 1
}

python=${PYTHON:-python3}
command -v "$python" >/dev/null || fail "there is no command $python: install Python 3.9 or newer, or name one with PYTHON="
members() { sed 's/#.*//' "models/$1/members" 2>/dev/null || true; } # of an ensemble
among() { printf '%s\n' $2 | grep -Fqx -e "$1"; } # among WORD WORDS
project() { PYTHONPATH=shared PYTHONDONTWRITEBYTECODE=1 "$python" -m "forecastle.project.$@"; }

project compose # with the service of a new model; it also says who is left out
models=$(project compose --list 2>/dev/null)
all="$models gateway catalogue"
monitoring="prometheus alertmanager grafana"
for name in "$@"; do
    among "$name" "$all $monitoring" || fail "there is no model $name in models/: choose one of" $models
done
if [ -n "${ARTIFACT:-}" ] && { [ $# -ne 1 ] || ! among "$1" "$models"; }; then
    fail "say which model ARTIFACT= is for, with MODEL=: one of" $models
fi
docker version >/dev/null 2>&1 ||
    fail "no Docker Engine answers: start or install one ('docker version' says more), or use 'make run', which needs none"
docker buildx version >/dev/null 2>&1 || fail "docker has no buildx: install its plugin docker-buildx"

names=$*
if [ -z "$names" ]; then
    names=$all
    for service in $(docker compose config --services 2>/dev/null || true); do
        if among "$service" "$monitoring"; then names="$names $service"; fi
    done
fi
chosen=
for name in $names; do
    if among "$name" "$models"; then chosen="$chosen $name"; fi
done
[ -z "$chosen" ] || project compose --check $chosen

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM

revision=$(git rev-parse HEAD 2>/dev/null) || revision=unknown
[ -z "$(git status --porcelain 2>/dev/null)" ] || revision=$revision-modified

# A build reaches package indexes by the same variables and files as pip does outside of a build.
set -- --file docker/Dockerfile --build-arg "REVISION=$revision" --progress "${BUILDKIT_PROGRESS:-plain}"
for variable in TRAINING_SLOT PYTHON_IMAGE NGINX_IMAGE PROMETHEUS_IMAGE ALERTMANAGER_IMAGE GRAFANA_IMAGE \
    HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy; do
    eval "value=\${$variable:-}"
    [ -z "$value" ] || set -- "$@" --build-arg "$variable"
done
PIP_INDEX_URL=${PIP_INDEX_URL:-${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-}}}
PIP_EXTRA_INDEX_URL=${PIP_EXTRA_INDEX_URL:-${UV_INDEX:-${UV_EXTRA_INDEX_URL:-}}}
if [ -f "${PIP_CONFIG_FILE:-}" ]; then
    set -- "$@" --secret "id=pip.conf,src=$PIP_CONFIG_FILE"
elif [ -n "$PIP_INDEX_URL$PIP_EXTRA_INDEX_URL${PIP_TRUSTED_HOST:-}" ]; then
    {
        echo "[global]"
        [ -z "${PIP_INDEX_URL:-}" ] || echo "index-url = $PIP_INDEX_URL"
        [ -z "${PIP_EXTRA_INDEX_URL:-}" ] || echo "extra-index-url = $PIP_EXTRA_INDEX_URL"
        [ -z "${PIP_TRUSTED_HOST:-}" ] || echo "trusted-host = $PIP_TRUSTED_HOST"
    } >"$scratch/pip.conf"
    set -- "$@" --secret "id=pip.conf,src=$scratch/pip.conf"
fi
certificates=
for file in "${PIP_CERT:-}" "${SSL_CERT_FILE:-}" "${REQUESTS_CA_BUNDLE:-}"; do
    if [ -f "$file" ]; then
        certificates=$file
        set -- "$@" --secret "id=ca.pem,src=$file"
        break
    fi
done
case "${FORECASTLE_DATA:-}" in
"~/"*) FORECASTLE_DATA=$HOME/${FORECASTLE_DATA#??} ;; # as Make leaves it
esac
if [ -n "${FORECASTLE_DATA:-}" ]; then
    [ -f "$FORECASTLE_DATA" ] || fail "FORECASTLE_DATA=$FORECASTLE_DATA is not a file"
    mkdir "$scratch/data" && cp "$FORECASTLE_DATA" "$scratch/data/current.csv"
    beside=${FORECASTLE_DATA%.*}.json # where the data come from
    if [ -f "$beside" ]; then cp "$beside" "$scratch/data/current.json"; fi
    set -- "$@" --build-context "data=$scratch/data"
fi

if [ -n "${OWN_FILES:-}" ]; then set -- "$@" --build-context "own=$OWN_FILES"; fi

# A new model's packages are pinned in a container, as `make lock MODEL=` does in the project's environment.
needed=$chosen # with the members that an ensemble's build trains
for name in $chosen; do needed="$needed $(members "$name")"; done
for name in $(printf '%s\n' $needed | sort -u); do
    missing=$(project pins "models/$name")
    if [ -n "$missing" ]; then
        echo "$name: pinning $missing"
        docker buildx build "$@" --target lock --build-arg "MODEL=$name" --output "type=local,dest=$scratch/lock" . ||
            fail "the packages of $name cannot be pinned, see above"
        cp "$scratch"/lock/requirements*.txt "models/$name/"
    fi
done

# fetch NAME OPTIONS: put the model's artifact, verified, into $scratch/artifact. A container does it, since this
# machine may have no Python packages. It shares the network of this machine, so that it reaches what answers here.
fetch() {
    name=$1 tag=forecastle/fetch:draft-$$ container=
    shift
    trap 'docker rm --force $container >/dev/null 2>&1 || true
        docker image rm "$tag" >/dev/null 2>&1 || true
        rm -rf "$scratch"' EXIT
    docker buildx build "$@" --target fetch --load --tag "$tag" . >"$scratch/log" 2>&1 || fail "$(cat "$scratch/log")"
    address=$ARTIFACT named=
    set -- --network host
    path=${ARTIFACT#file:}
    path=${path#//}
    if [ -e "$path" ]; then
        address=/given named=$ARTIFACT
        set -- --network none
        cp -RL "$path" "$scratch/given" || fail "$name: ARTIFACT=$ARTIFACT cannot be read, see above"
        chmod -R a+rX "$scratch/given"
    fi
    for variable in AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION \
        AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3 \
        HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy; do
        set -- "$@" --env "$variable"
    done
    if [ -n "$certificates" ]; then
        set -- "$@" --env SSL_CERT_FILE=/tmp/ca.pem --env AWS_CA_BUNDLE=/tmp/ca.pem
        cp "$certificates" "$scratch/ca.pem" && chmod a+r "$scratch/ca.pem"
    fi
    container=$(docker create --cap-drop ALL --security-opt no-new-privileges:true "$@" "$tag" \
        python -m forecastle.project.fetch --named "$named" -- "$name" "$address" /tmp/artifact)
    [ -z "$named" ] || docker cp --quiet "$scratch/given" "$container:/given"
    [ -z "$certificates" ] || docker cp --quiet "$scratch/ca.pem" "$container:/tmp/ca.pem"
    docker start --attach "$container" || exit 1 # it has said why
    docker cp --quiet "$container:/tmp/artifact" "$scratch/artifact"
    docker rm "$container" >/dev/null
    docker image rm "$tag" >/dev/null
    trap 'rm -rf "$scratch"' EXIT
}

# Without the name and password that the address may hold.
source=$(git remote get-url origin 2>/dev/null | sed 's|//[^/]*@|//|') || source=
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)

# The content of an image, without the commit.
layers() {
    docker image inspect --format '{{.RootFS.Layers}}{{json .Config.Cmd}}{{.Config.Env}}' "$1" 2>/dev/null |
        sed 's/ REVISION=[^] ]*//'
}
label() { docker image inspect --format "{{index .Config.Labels \"org.opencontainers.image.$2\"}}" "$1"; }

# build NAME OPTIONS: build an image twice, as its labels describe what the first build trained. The second build comes
# from the cache.
build() {
    name=$1
    shift
    image=${REGISTRY:+$REGISTRY/}forecastle/$name
    tag=$image:${TAG:-latest}
    draft=$image:draft-$$
    trap 'rm -rf "$scratch"; docker image rm "$draft" >/dev/null 2>&1 || true' EXIT
    docker buildx build "$@" ${TRAIN_ANEW:+--no-cache-filter train} --load --tag "$draft" . ||
        fail "$tag was not built, see above; the tag stays with the image that had it"
    version=$revision title="Forecastle's $name" data= last_day=
    if among "$name" "$models"; then
        docker run --rm --network none "$draft" python -c '
import json
manifest = json.load(open("artifact/manifest.json"))
data = manifest.get("data", {})
print(manifest["version"], data.get("sha256", "-"), data.get("last_day", "-"), manifest["title"])
' >"$scratch/manifest"
        read -r version data last_day title <"$scratch/manifest"
        data=${data#-}
    fi
    first=$(layers "$draft")
    docker image rm "$draft" >/dev/null # or it would be left without a name
    created=$now
    # The same content and commit give the same image, so that `make up` leaves its containers alone.
    if [ "$(layers "$tag")" = "$first" ]; then created=$(label "$tag" created); fi
    docker buildx build "$@" --load --tag "$draft" \
        --label "org.opencontainers.image.description=$title" \
        --label "org.opencontainers.image.source=${source:-unknown}" \
        --label "org.opencontainers.image.revision=$revision" \
        --label "org.opencontainers.image.created=$created" \
        --label "org.opencontainers.image.version=$version" \
        ${data:+--label "io.forecastle.data.sha256=$data" --label "io.forecastle.data.last-day=$last_day"} \
        ${INCUMBENT_VERSION:+--label "io.forecastle.incumbent=$INCUMBENT_VERSION"} \
        . >"$scratch/log" 2>&1 || fail "$(cat "$scratch/log")"
    [ "$(layers "$draft")" = "$first" ] || fail "$tag was not built: files changed during the build, so build again"
    docker tag "$draft" "$tag"
    docker image rm "$draft" >/dev/null
    trap 'rm -rf "$scratch"' EXIT
    echo "$tag is built: $title, version $version"
}

# ensemble NAME OPTIONS: its Dockerfile has its members' stages, whose names it knows.
ensemble() {
    name=$1
    shift
    set -- "$@" --target serve --file "docker/ensembles/$name.Dockerfile"
    for member in $(members "$name"); do
        if [ ! -f "models/$member/train.py" ] && [ -d "models/$member/artifact" ]; then
            set -- "$@" --build-context "artifact-$member=models/$member/artifact"
        fi
    done
    build "$name" "$@"
}

for name in $names; do
    if among "$name" "$models"; then
        origin=train artifact=
        if [ -n "${ARTIFACT:-}" ]; then
            fetch "$name" "$@"
            origin=given artifact=$scratch/artifact
        elif [ ! -f "models/$name/train.py" ]; then
            origin=given
            if [ -d "models/$name/artifact" ]; then artifact=models/$name/artifact; fi
        fi
        if [ "$origin" = train ] && [ -f "models/$name/members" ]; then
            ensemble "$name" "$@"
        else
            build "$name" "$@" --target serve --build-arg "MODEL=$name" --build-arg "ORIGIN=$origin" \
                ${artifact:+--build-context "artifact=$artifact"}
        fi
    else
        build "$name" "$@" --target "$name"
    fi
done

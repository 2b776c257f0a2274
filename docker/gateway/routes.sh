# Reads the models' names, one a line, and writes what nginx.conf includes: who they are and which paths are theirs.
set -eu
: > routes/map
for name in catalogue $(cat); do
    # Replicas share one name, and Docker's name service tells their addresses. One that fails is left alone for 1 s;
    # not so the catalogue's, whose status 503 may be about the models.
    fails=1
    [ "$name" != catalogue ] || fails=0
    cat >> routes/upstreams <<UPSTREAM
upstream $name {
    zone $name 64k;
    server $name:8000 resolve max_fails=$fails fail_timeout=1s;
    keepalive 16;
}
UPSTREAM
    if [ "$name" != catalogue ]; then echo "\"~^(/v2/models)?/$name(/|\$)\" $name;" >> routes/map; fi
done

# Reads the models' names, one a line, and writes what nginx.conf includes: who they are and which paths are theirs.
set -eu
: > routes/map
for name in catalogue $(cat); do
    # Replicas share one name, and Docker's name service tells their addresses. One that fails is left alone for 1 s.
    cat >> routes/upstreams <<UPSTREAM
upstream $name {
    zone $name 64k;
    server $name:8000 resolve max_fails=1 fail_timeout=1s;
    keepalive 16;
}
UPSTREAM
    if [ "$name" != catalogue ]; then echo "\"~^/$name(/|\$)\" $name;" >> routes/map; fi
done

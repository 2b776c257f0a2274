# Reads the models' names, one a line, and puts them where Prometheus must know them: what it looks up by name, and what
# it expects to find, since the name service does not know a model that is stopped.
set -eu
names="catalogue $(cat)"
quoted=$(printf '"%s", ' $names)
sed -i "s/\[MODELS\]/[${quoted%, }]/" prometheus.yml
{
    echo "groups:"
    echo "  - name: expected"
    echo "    rules:"
    for name in $names; do
        echo "      - {record: \"model:expected\", expr: vector(1), labels: {model: \"$name\"}}"
    done
} > rules/expected.yml

# Starts Alertmanager, which knows no variables in its configuration: with ALERT_WEBHOOK_URL set, it tells that address.
set -eu
umask 077
receiver=none
if [ -n "${ALERT_WEBHOOK_URL:-}" ]; then
    receiver=webhook
    printf '%s' "$ALERT_WEBHOOK_URL" > /tmp/webhook-url
fi
sed "s/^  receiver: none$/  receiver: $receiver/" /etc/alertmanager/alertmanager.yml > /tmp/alertmanager.yml
unset ALERT_WEBHOOK_URL
# One Alertmanager is no cluster.
exec alertmanager --config.file=/tmp/alertmanager.yml --storage.path=/alertmanager --cluster.listen-address= "$@"

"""What the base image puts around any app: server, health check, metrics, traces, logs."""

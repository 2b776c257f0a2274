"""This repository's own commands: compose entries, the local gateway, observations, retraining."""

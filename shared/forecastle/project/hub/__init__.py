"""Submissions to forecast hubs: a model's forecasts as a hub's `tasks.json` asks for them (hubverse.io).

make hub-submission MODEL=deaths HUB=path     python -m forecastle.project.hub deaths --hub path
"""


class HubError(Exception):
    """There is no submission; the message says why, in a line or a line for each reason."""

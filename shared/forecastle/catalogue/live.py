"""The routes of the store: counts come in, past forecasts and scores go out."""

import asyncio
import datetime
import hmac
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from forecastle import problems
from forecastle.catalogue import drift, observations, rows, schema, scores
from forecastle.catalogue.metrics import RECEIVED, REJECTED, StoreMetrics
from forecastle.catalogue.rows import NAMES
from forecastle.catalogue.store import Store, StoreError
from forecastle.catalogue.watch import Watch
from forecastle.problems import ProblemError, documented
from forecastle.queries import Day, KnownParameters, TableFormat, must_be
from forecastle.representations import chosen, render

RETRY_SECONDS = 5  # after which a store that fails may be back

logger = logging.getLogger(__name__)

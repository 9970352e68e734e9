"""Fixtures for all tests. Nothing here touches the network; models are tiny and made on the spot."""

from __future__ import annotations

import os

# Before torch and transformers are imported anywhere: one thread each (tests share the machine), no network, no telemetry.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import pytest

from emorl.scenario import Scenario
from tests import tiny
from tests.scripted_user import ScriptedUser, make_scenario


@pytest.fixture(scope="session")
def tiny_model() -> str:
    """Folder of the tiny model with SmolLM2's chat template."""
    return tiny.path("smollm2")


@pytest.fixture
def user() -> ScriptedUser:
    return ScriptedUser()


@pytest.fixture
def scenarios() -> list[Scenario]:
    return [make_scenario(i) for i in range(4)]

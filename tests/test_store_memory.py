"""The fake that other tests rest on keeps the same contract as the real backends."""

import pytest
from contracts.store import StoreContract
from fakes.memory_store import MemoryStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()

"""What every object store must do. A backend's test file subclasses ``StoreContract`` and gives a fixture ``store``,
empty and fresh for each test."""

import hashlib
import threading

import pytest

from evidence.errors import MalformedError, ObjectNotFoundError, StoreConflictError, VerificationError
from evidence.store.objects import CachingStore, put_same

BODY = b"first"
DIGEST = hashlib.sha256(BODY).hexdigest()


class StoreContract:
    def test_a_fresh_store_is_writable(self, store):
        assert store.writable is True

    def test_what_was_put_is_read_back(self, store):
        assert store.put_if_absent("a/b.txt", BODY) is True
        assert store.get("a/b.txt") == BODY
        assert store.head("a/b.txt").size == len(BODY)

    def test_a_name_is_created_once_and_never_changed(self, store):
        store.put_if_absent("a", BODY)
        assert store.put_if_absent("a", b"second") is False
        assert store.put_if_absent("a", BODY) is False
        assert store.get("a") == BODY

    def test_a_file_is_put_as_its_bytes(self, store, tmp_path):
        body = bytes(range(256)) * 9000  # over any copy buffer
        (tmp_path / "part").write_bytes(body)
        assert store.put_if_absent("data/part", tmp_path / "part") is True
        assert store.get("data/part", sha256=hashlib.sha256(body).hexdigest()) == body

    def test_an_empty_body_is_an_object(self, store):
        assert store.put_if_absent("empty", b"") is True
        assert store.get("empty") == b""
        assert store.put_if_absent("empty", b"x") is False

    @pytest.mark.parametrize("path", ["nothing", "a/nothing", "a"])
    def test_a_missing_object_is_said_to_be_missing(self, store, path):
        store.put_if_absent("a/b", BODY)
        with pytest.raises(ObjectNotFoundError):
            store.get(path)
        assert store.head(path) is None

    def test_a_digest_is_checked(self, store):
        store.put_if_absent("a", BODY)
        assert store.get("a", sha256=DIGEST) == BODY
        with pytest.raises(VerificationError):
            store.get("a", sha256="0" * 64)
        with pytest.raises(ObjectNotFoundError):
            store.get("b", sha256=DIGEST)

    def test_listing_is_in_order_of_the_whole_name(self, store):
        names = ["a-b/c", "a.b", "a/b", "a/b-c", "a/b/c", "a0", "log/commit/000000000001", "log/commit/000000000010"]
        for name in reversed(names[:4] + names[5:]):
            store.put_if_absent(name, BODY)
        assert list(store.list("")) == names[:4] + names[5:]

    def test_a_prefix_is_text_and_start_after_is_exclusive(self, store):
        for name in ["log/commit/01", "log/commit/02", "log/commit/10", "log/commits", "log/entries/000", "m"]:
            store.put_if_absent(name, BODY)
        assert list(store.list("log/commit/0")) == ["log/commit/01", "log/commit/02"]
        assert list(store.list("log/commit/", start_after="log/commit/01")) == ["log/commit/02", "log/commit/10"]
        assert list(store.list("log/commit/", start_after="log/commit/10")) == []
        assert list(store.list("log/comm")) == ["log/commit/01", "log/commit/02", "log/commit/10", "log/commits"]
        assert list(store.list("", start_after="log/commit/10")) == ["log/commits", "log/entries/000", "m"]
        assert list(store.list("nothing/")) == []

    def test_of_many_writers_one_creates(self, store):
        start, won = threading.Barrier(8), []

        def write(number):
            start.wait()
            if store.put_if_absent("race/name", str(number).encode()):
                won.append(number)

        threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert store.get("race/name") == str(won[0]).encode()

    def test_put_same_takes_equal_bytes_only(self, store):
        put_same(store, "a", BODY)
        put_same(store, "a", BODY)
        with pytest.raises(StoreConflictError, match="a exists with other bytes"):
            put_same(store, "a", b"second")

    @pytest.mark.parametrize("path", ["/a", "a/../b", "..", "a//b", "", "a/", ".hidden", "a/.tmp-1", "a b", "a\n"])
    def test_a_path_outside_the_alphabet_is_refused(self, store, path):
        with pytest.raises(MalformedError):
            store.put_if_absent(path, BODY)
        assert list(store.list("")) == []

    def test_only_the_cached_checkpoint_may_be_replaced(self, store):
        if not isinstance(store, CachingStore):
            pytest.skip("this backend keeps no cached checkpoint")
        store.replace_cache(b"one")
        store.replace_cache(b"two")
        assert store.get("log/checkpoint") == b"two"

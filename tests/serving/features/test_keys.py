"""The Redis key of an account, against Feast's."""

from __future__ import annotations

from feast.infra.online_stores.helpers import _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from hypothesis import given
from hypothesis import strategies as st

from serving.features.keys import EntityKeys

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


@given(NAMES, NAMES, st.text(max_size=300))
def test_the_key_is_the_one_that_feast_writes_to(project, join_key, account_id):
    """For every project, join key and account id our key bytes are Feast's."""
    expected = _redis_key(
        project, EntityKey(join_keys=[join_key], entity_values=[Value(string_val=account_id)])
    )
    keys = EntityKeys(project, join_key)
    assert keys.key(account_id) == expected
    assert keys.account_id(expected) == account_id

"""Creates, lists and revokes a key with the client that openapi-python-client has made. Prints its id."""

import os
import sys

from keygate_key_service_client import AuthenticatedClient
from keygate_key_service_client.api.keys import create_key, list_keys, revoke_key, show_key
from keygate_key_service_client.models import (
    Code,
    CreatedKey,
    CreateKey,
    KeyList,
    Problem,
    Reason,
    RevokedKey,
    RevokeKey,
    Standing,
)

client = AuthenticatedClient(base_url=sys.argv[1], token=os.environ["KEYGATE_ADMIN_TOKEN"])

created = create_key.sync(
    client=client, body=CreateKey(account="alice", scopes=["files:read"], expires_in="30d")
)
assert isinstance(created, CreatedKey), created
assert created.key.startswith(created.start)
assert created.status is Standing.ACTIVE
assert created.expires_at > created.created_at

listed = list_keys.sync(client=client, account="alice", status=Standing.ACTIVE)
assert isinstance(listed, KeyList), listed
assert [key.id for key in listed.keys] == [created.id]

revoked = revoke_key.sync(created.id, client=client, body=RevokeKey(reason=Reason.SUPERSEDED))
assert isinstance(revoked, RevokedKey), revoked
assert revoked.status is Standing.REVOKED

problem = show_key.sync("0123456789", client=client)
assert isinstance(problem, Problem), problem
assert problem.code is Code.NO_SUCH_KEY

print(created.id)

"""The keyring's file: what is none of ours."""

import json

import pytest

from models import keyring


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.pop("index_key"),
        lambda body: body.update(current="k002"),
        lambda body: body.update(keys=["k001"]),
        lambda body: body["keys"].update(k001="c2hvcnQ="),
        lambda body: body.update(index_key="c2hvcnQ="),
        lambda body: body.update(index_key=7),
    ],
    ids=["no index key", "no current key", "a list", "a short key", "a short index key", "a number"],
)
def test_a_keyring_that_lacks_something_is_none(tmp_path, change):
    path = tmp_path / "keys.json"
    keyring.make(path)
    change(body := json.loads(path.read_text()))
    path.write_text(json.dumps(body))
    with pytest.raises(keyring.KeyringBrokenError):
        keyring.read(path)

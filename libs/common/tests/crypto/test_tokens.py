from common.crypto.tokens import ALPHABET, digest, new_token


def test_a_token_is_64_letters_and_digits_and_never_the_same() -> None:
    """Otherwise a token can be guessed, or breaks in a URL."""
    tokens = {new_token() for _ in range(200)}
    assert len(tokens) == 200
    assert all(len(token) == 64 and set(token) <= set(ALPHABET) for token in tokens)


def test_every_character_comes_up() -> None:
    """Otherwise a token has less entropy than it seems."""
    assert set("".join(new_token() for _ in range(200))) == set(ALPHABET)


def test_the_digest_is_fixed_and_takes_any_text() -> None:
    """Otherwise every session ends with an upgrade, or odd input becomes an internal error."""
    assert digest("token").hex() == (
        "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0"
    )
    assert len(digest("\ud800")) == 32

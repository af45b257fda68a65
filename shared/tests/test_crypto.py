"""Signatures and encrypted fields: which key opens what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.crypto import Signer, Vault, new_encryption_key, token_hash

OLD, NEW = "the old signing key", "the new signing key"
SIGNER = Signer([NEW, OLD])


class TestSigner:
    def test_a_signature_is_64_hexadecimal_characters(self) -> None:
        signature = SIGNER.sign("event", b"message")
        assert len(signature) == 64
        assert bytes.fromhex(signature)
        assert SIGNER.verify("event", b"message", signature)

    def test_the_newest_key_signs_and_every_listed_one_is_accepted(self) -> None:
        assert SIGNER.sign("event", b"m") == Signer([NEW]).sign("event", b"m")
        assert SIGNER.verify("event", b"m", Signer([OLD]).sign("event", b"m"))
        assert not Signer([NEW]).verify("event", b"m", Signer([OLD]).sign("event", b"m"))

    def test_a_signature_for_one_purpose_opens_no_other(self) -> None:
        assert not SIGNER.verify("link", b"m", SIGNER.sign("event", b"m"))

    def test_keys_and_purposes_do_not_run_into_each_other(self) -> None:
        assert Signer(["ab"]).sign("c", b"m") != Signer(["a"]).sign("bc", b"m")

    @given(st.binary(), st.binary())
    def test_another_message_has_another_signature(self, one: bytes, two: bytes) -> None:
        assert SIGNER.verify("event", two, SIGNER.sign("event", one)) == (one == two)

    @pytest.mark.parametrize("odd", ["", "0" * 64, "é" * 64, "\udcff", "A" * 100_000])
    def test_an_odd_signature_is_only_wrong(self, odd: str) -> None:
        assert not SIGNER.verify("event", b"m", odd)

    def test_a_signature_in_capitals_is_another_text(self) -> None:
        signature = SIGNER.sign("event", b"m")
        assert not SIGNER.verify("event", b"m", signature.upper())

    def test_without_a_key_nothing_is_signed(self) -> None:
        with pytest.raises(ValueError, match=r"^at least one signing key is needed"):
            Signer([])


class TestVault:
    OLD_KEY, NEW_KEY = new_encryption_key(), new_encryption_key()

    def test_what_was_encrypted_is_read_back_and_looks_different_each_time(self) -> None:
        vault = Vault([self.NEW_KEY])
        one, two = vault.encrypt("+7 916 123-45-67"), vault.encrypt("+7 916 123-45-67")
        assert one != two
        assert vault.decrypt(one) == vault.decrypt(two) == "+7 916 123-45-67"

    def test_the_newest_key_writes_and_every_listed_one_reads(self) -> None:
        both = Vault([self.NEW_KEY, self.OLD_KEY])
        assert both.decrypt(Vault([self.OLD_KEY]).encrypt("text")) == "text"
        assert Vault([self.NEW_KEY]).decrypt(both.encrypt("text")) == "text"

    def test_after_rotation_the_old_key_may_go(self) -> None:
        both = Vault([self.NEW_KEY, self.OLD_KEY])
        rotated = both.rotate(Vault([self.OLD_KEY]).encrypt("text"))
        assert Vault([self.NEW_KEY]).decrypt(rotated) == "text"

    def test_the_key_id_names_the_newest_key_only(self) -> None:
        assert Vault([self.NEW_KEY, self.OLD_KEY]).key_id == Vault([self.NEW_KEY]).key_id
        assert Vault([self.NEW_KEY]).key_id != Vault([self.OLD_KEY]).key_id
        assert len(Vault([self.NEW_KEY]).key_id) == 16

    @pytest.mark.parametrize("token", ["", "x", "токен", "\udcff", "gAAAAA==", "A" * 10_000])
    def test_what_cannot_be_read_says_so(self, token: str) -> None:
        vault = Vault([self.NEW_KEY])
        for read in (vault.decrypt, vault.rotate):
            with pytest.raises(ValueError, match=r"^no listed key reads this field"):
                read(token)

    def test_a_field_of_a_lost_key_says_so(self) -> None:
        lost = Vault([self.OLD_KEY]).encrypt("text")
        for read in (Vault([self.NEW_KEY]).decrypt, Vault([self.NEW_KEY]).rotate):
            with pytest.raises(ValueError, match=r"^no listed key reads this field"):
                read(lost)

    def test_without_a_key_nothing_is_encrypted(self) -> None:
        with pytest.raises(ValueError, match=r"^at least one encryption key is needed"):
            Vault([])

    @pytest.mark.parametrize("keys", [[""], ["short"], ["ключ"]])
    def test_a_key_that_is_none_is_refused(self, keys: list[str]) -> None:
        with pytest.raises(ValueError, match=r"."):
            Vault(keys)


def test_a_token_is_kept_as_its_sha256() -> None:
    assert token_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_bytes_that_are_no_text_hash_to_something_unknown() -> None:
    assert token_hash("\udcff") != token_hash("\udcfe") != token_hash("")


def test_fingerprints_find_a_text_under_every_listed_key() -> None:
    old, new = new_encryption_key(), new_encryption_key()
    before, both = Vault([old]), Vault([new, old])
    assert before.fingerprints("token")[0] in both.fingerprints("token")
    assert both.fingerprints("token")[0] == Vault([new]).fingerprints("token")[0]
    assert set(both.fingerprints("token")).isdisjoint(both.fingerprints("other"))
    assert "token" not in "".join(both.fingerprints("token"))


def test_only_the_newest_key_is_current() -> None:
    old, new = new_encryption_key(), new_encryption_key()
    sealed, both = Vault([old]).encrypt("text"), Vault([new, old])
    assert (both.current(sealed), both.current(both.rotate(sealed))) == (False, True)
    assert not both.current("nothing that was ever sealed")

from __future__ import annotations

import pytest

from beatingbert.engines.encoder import company
from beatingbert.errors import SettingsError


def test_a_process_on_its_own_is_the_main_one_and_takes_the_whole_batch() -> None:
    assert company.is_main()
    assert company.size() == 1
    assert company.share_of(7) == 7
    company.meet()  # nobody to wait for


def test_a_batch_is_that_of_all_processes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company, "size", lambda: 4)
    assert company.share_of(32) == 8
    with pytest.raises(SettingsError, match=r"--batch_size 10 cannot be shared evenly by 4 processes.* multiple of 4"):
        company.share_of(10)

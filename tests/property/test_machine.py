"""No life and no crash loses, repeats or ages a row, whichever the source."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from property.bitrix24_life import Bitrix24Life
from property.kommo_life import KommoLife
from property.life import LifeAndSyncs


@pytest.mark.parametrize("machine", [Bitrix24Life, KommoLife])
def test_no_life_and_no_crash_loses_repeats_or_ages_a_row(machine: type[LifeAndSyncs]) -> None:
    run_state_machine_as_test(machine)

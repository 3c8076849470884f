"""Alerts of small clinics: what is told of, once, by whom it is found, and what never leaves the house."""

from pathlib import Path

from clinic_outcomes.alert import alert
from tests.support.alerted_clinic import LOUD, QUIET, drop, event, kinds, make_settings, take_in


def test_a_planted_cluster_is_flagged_in_the_first_run_that_holds_it_and_once(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    mild = [event("EV0001", "Q0001", number="1", onset="100")]
    cluster = [
        event(f"EV000{n}", f"Q000{n}", number="2", onset="103", term="FAINT", serious="Y", criteria="HOSP")
        for n in range(2, 6)
    ]
    for clinic in (QUIET, LOUD):
        drop(settings, clinic, mild, sequence=1)
        take_in(settings, clinic)
        assert alert(clinic, settings) == ()
    drop(settings, QUIET, mild, sequence=2)
    drop(settings, LOUD, [*mild, *cluster], sequence=2)
    for clinic in (QUIET, LOUD):
        take_in(settings, clinic)
    assert alert(QUIET, settings) == ()
    events, monitoring = alert(LOUD, settings)
    assert kinds(events) == [("serious", "unexpected")] * 4
    assert alert(LOUD, settings) == ()

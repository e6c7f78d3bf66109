"""Kotlin and Python agree on whatever else a bundle may hold, by the questions that C++ is asked."""

import pytest

from tests.runtime.cpp.test_cpp_agreement import (  # noqa: F401 (tests of this module, too)
    test_any_bundle_is_read_as_in_python,
    test_any_pixels_are_encoded_and_bytes_decoded_as_in_python,
    test_any_values_are_encoded_as_in_python,
    test_control_characters_are_refused_as_in_python,
    test_flipped_truncated_and_grown_bundles_are_refused,
    test_limits_are_the_same_in_python,
    test_numbers_are_read_as_in_python,
    test_odd_numbers_are_judged_as_in_python,
    test_other_spellings_of_a_manifest_are_read_as_in_python,
    test_policy_agrees_with_python_to_the_last_bit,
    test_random_deltas_are_judged_as_in_python,
    test_resealed_damage_is_judged_as_in_python,
    test_score_orders_are_those_of_python_and_of_the_scores,
    test_what_a_measured_table_says_besides_is_checked_as_in_python,
    test_what_would_take_endless_time_or_stack_is_refused,
)
from tests.support.questions import Ask


@pytest.fixture(scope="module")
def ask_sanitized(ask: Ask) -> Ask:
    """Java checks every range by itself."""
    return ask

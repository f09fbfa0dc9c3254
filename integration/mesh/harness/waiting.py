"""Waiting for conditions: no test sleeps for a while and hopes."""

import time


def eventually(condition, timeout=10.0, what=None, every=0.01):
    """The first true value of `condition()`; fails with what it saw last after `timeout` seconds.

    An exception of `condition` counts as "not yet" and is shown when time is up.
    """
    end = time.monotonic() + timeout
    while True:
        try:
            seen = condition()
            if seen:
                return seen
        except Exception as error:  # Shown below; a condition may ask what is not there yet.
            seen = error
        if time.monotonic() > end:
            name = what() if callable(what) else what or getattr(condition, "__name__", "condition")
            raise AssertionError(f"not within {timeout} s: {name}; seen last: {seen!r}")
        time.sleep(every)


def always(condition, seconds, what=None, every=0.02):
    """Fails as soon as `condition()` is not true within `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), f"did not stay so for {seconds} s: {what or condition}"
        time.sleep(every)

"""Waiting for something to become true, with a deadline."""
import time


def until(condition, what, seconds=30):
    """Returns the first true value of condition(); fails when the time is up, and says what was waited for: a text, or a function
    that gives it then."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what() if callable(what) else what}"
        time.sleep(0.01)

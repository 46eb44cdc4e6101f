"""Waiting for something to become true, with a deadline."""
import time


def until(condition, what, seconds=30):
    """Returns the first true value of condition(); fails when the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.01)

"""What Python's garbage collector need not look at."""

import gc


def keep_what_is_loaded() -> None:
    """Call once a process has imported everything: its modules live as long as it does, and are looked through no more.

    Without it every few thousand new objects cost a walk over all of Django; measured, a quarter of the time of a page
    of sequences. Nor is it worth looking every 700 objects, where a page makes many thousands and drops them again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)

"""How properties are searched: the same examples in every run, unless a run is asked to look for new ones.

And how tests read feeds in this process: by the same parser as the worker.
"""

import os

from hypothesis import settings

# What lands must not depend on luck: a failure found by chance belongs into `@example` or into the code, not into
# somebody else's build. `make search` looks for new ones.
settings.register_profile("repeatable", derandomize=True, print_blob=True)
settings.register_profile("searching", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# Before anything imports it, as in the worker: the parser's native core reads some feeds otherwise.
os.environ["FASTFEEDPARSER_DISABLE_CORE"] = "1"

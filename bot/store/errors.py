"""What can go wrong with the database, as one tree; ``str()`` is a sentence for people.

::

    StoreError
    ├── Unusable           it cannot be opened: damaged, not writable, locked; it was left as it is
    │   └── NewerDatabase  it was made by a later version of this program
    ├── Unreadable         it could not be asked just now
    ├── NotSaved           it could not be changed just now, and certainly was not
    ├── SaveUnknown        nobody knows whether the change was made: ask again
    └── Conflict           somebody else was faster; nothing was changed
"""


class StoreError(Exception):
    """Root of the tree."""


class Unusable(StoreError):
    """The database cannot be opened. It was left as it is; the sentence says what to do."""


class NewerDatabase(Unusable):
    """The database was made by a later version of this program."""


class Unreadable(StoreError):
    """The database could not be asked just now."""


class NotSaved(StoreError):
    """The change was certainly not made."""


class SaveUnknown(StoreError):
    """The change was begun, and no answer came whether it was made."""

"""Offsetting: what was emitted is counted in a ledger, and bought back from a service in whole pounds.

Nothing in here is imported unless a run or a command offsets. Where to begin reading, from the tracker down:

=====================================  ==============================================================================
``handler``                            what the tracker calls: counts a run, buys when due, tells the log
``worker``                             the thread on which a handler buys
``plan``                               settings, checked, and the parts made from them
``desk``                               buys and settles, in the order that cannot pay twice; for runs and commands
``words``                              what the log says
``provider``                           what a service must be able to do, and the registry of services
``dry_run``, ``oneclickimpact``        services; the second is the only importer of ``makeimpact``
``oneclickimpact_call``, ``exchange``  its one request: what it must be, how it is sent, what the answer proves
``oneclickimpact_records``             its books, read page by page
``ledger``                             the one way into the file; each method is one transaction
``entries``, ``amounts``               what the ledger holds and answers; masses in whole micrograms
``schema``                             the file: where it is, its tables, how it is opened
``accounts``, ``purchases``,           what happens inside a transaction: keys and claims of the host, offsets from
``settle``                             reserved to bought, the comparison with a service's books
``owners``, ``holding``                which process made an entry, and whether it still lives
=====================================  ==============================================================================

``docs/how-to/offset.md`` says what all this does for users, ``docs/adr/0011-offsets-by-a-ledger.md`` why.
"""

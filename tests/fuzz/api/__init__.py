"""A fuzzer of the public interface: random programs of hostile calls, and what evmcore promises of each.

    python -m tests.fuzz api --minutes 60
    python -m tests.fuzz api --minutes 60 --sanitize        with AddressSanitizer and UndefinedBehaviorSanitizer
    python -m tests.fuzz api --seed 1234 --minutes 0        one program

A seed is a program: lines of Python that call evmcore with arguments of the wrong size or type, objects that lie, callbacks
that raise or use what they are called from, with signals, exceptions and failed allocations at any moment, in several
threads, with little memory, in forks, and while the interpreter ends. Each line may raise a plain exception. Failures are:

- the process ends, hangs, or a sanitizer reports something;
- a line raises SystemError, an error that says evmcore failed, or anything that is no answer to a caller;
- a State shows anything else than a model of it in Python dicts: after writes, snapshots, reverts, copies;
- strategies, fetched and whole states, honest subclasses and plain values differ; a call that fails has changed the state,
  an interrupted one has been made in part; a number reads back as another;
- memory, open snapshots or threads are more after a call that should leave none.

Programs run many a process. One that fails is run again alone, lines are dropped while it still fails, and what is left is
printed as a file of its own. Modules: hostile, world, given, harness, promises (what programs use), model, values and operations (what
they are made of), sequence (a seed's program), run (the process that runs them), shrink, drive (what starts those).
"""

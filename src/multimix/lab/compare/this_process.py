"""A slot in this process: nothing to start, and a debugger sees everything."""

from concurrent.futures import Future

from multimix.lab.compare.slots import Work, reason
from multimix.lab.core.errors import Interrupted
from multimix.lab.train.settings import TrainSettings


class ThisProcess:
    """Does a run at once, with the threads that this process has."""

    def submit(self, work: Work, run: TrainSettings) -> "Future[str | None]":
        """Does a run.

        Raises:
            KeyboardInterrupt: if a signal asked for the end; that is meant for all runs.
        """
        done: Future[str | None] = Future()
        try:
            work(run, 1)
            done.set_result(None)
        except Interrupted as error:
            raise KeyboardInterrupt from error
        except Exception as error:  # whatever it is, other runs may do better
            done.set_result(reason(error))
        return done

    def end(self) -> None:
        """Nothing goes on there once `submit` has returned."""

class UserError(Exception):
    """Something the person who typed the command can put right.

    Its message says what was got, what is allowed and what to type instead; the command line prints
    the message alone, without a traceback, and exits with status 2.
    """


class DivergenceError(UserError):
    """Numbers of a training run are no longer finite: going on from its last step would not help."""

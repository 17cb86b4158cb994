"""What the interop clients share: where the node is, and running tests with a count."""

import contextlib
import sys
import traceback

URL, DATA = sys.argv[1], sys.argv[2]
LOCAL = "smollm2-135m-instruct"
QUESTION = "Say hello to the world in one short sentence."


def token():
    with open(f"{DATA}/api-token") as file:
        return file.read().strip()


@contextlib.contextmanager
def raises(kind, *words):
    """Something that must fail, with these words in its error."""
    try:
        yield
    except kind as error:
        missing = [word for word in words if word not in str(error)]
        assert not missing, (missing, str(error))
    else:
        raise AssertionError(f"no {kind.__name__}")


def run(tests):
    """Runs all of them, prints `counted: PASSED FAILED` and ends the program."""
    failed = 0
    for test in tests:
        try:
            test()
            print(f"ok     {test.__name__}")
        except Exception:
            failed += 1
            print(f"FAILED {test.__name__}")
            traceback.print_exc(file=sys.stdout)
    print(f"counted: {len(tests) - failed} {failed}")
    sys.exit(failed > 0)

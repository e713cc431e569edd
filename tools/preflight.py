"""Check what the Makefile needs before anything is downloaded; runs on any Python, to say so when it is too old."""

import os
import subprocess
import sys
import sysconfig
import tempfile


def missing():
    """Return what this machine lacks, one sentence each."""
    if sys.version_info < (3, 10):
        found = ".".join(str(part) for part in sys.version_info[:3])
        return ["Python 3.10 or newer is needed, %s is %s: make PYTHON=/path/to/python3" % (sys.executable, found)]
    faults = []
    try:
        import ensurepip
        import venv

        del ensurepip, venv
    except ImportError:
        faults.append("%s cannot make virtual environments: install its venv package (python3-venv)" % sys.executable)
    header = os.path.join(sysconfig.get_paths()["include"], "Python.h")
    if not os.path.exists(header):
        faults.append("the headers of Python are missing (%s): install its development package (python3-dev)" % header)
    compiler = os.environ.get("CC", "cc").split()
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "check.c")
        with open(source, "w") as handle:
            handle.write("int main(void) { return 0; }\n")
        try:
            process = subprocess.Popen(
                compiler + [source, "-o", os.path.join(folder, "check")],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            works = process.wait() == 0
        except OSError:
            works = False
    if not works:
        faults.append("no working C compiler (%s): install gcc or clang with libc's headers" % " ".join(compiler))
    return faults


if __name__ == "__main__":
    FAULTS = missing()
    for fault in FAULTS:
        sys.stderr.write("codecarbon: " + fault + "\n")
    sys.exit(1 if FAULTS else 0)
